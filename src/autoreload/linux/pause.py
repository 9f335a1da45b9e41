"""A TCP socket that listens is paused from outside: a filter (socket(7), SO_ATTACH_FILTER) lets nothing but SYN pass.

So no connection gets as far as to be accepted, whoever waits in accept(2), and none is refused: clients send what was
dropped again, after 0.2 s or more. It is for servers that cannot be kept from accepting in a better way.
"""

from __future__ import annotations

import socket
import struct

_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27
_FLAGS = 13
"""Offset in the header of TCP, with which a segment begins here."""
_SYN_AND_ACK, _SYN = 0x12, 0x02
_STEPS = (
    (0x30, 0, 0, _FLAGS),  # load that byte
    (0x54, 0, 0, _SYN_AND_ACK),  # and it with these
    (0x15, 0, 1, _SYN),  # SYN alone?
    (0x06, 0, 0, 0xFFFF),  # let it pass
    (0x06, 0, 0, 0),  # drop it
)


def pause(listener: socket.socket) -> None:
    """From here on it makes no new connections. OSError where that is not possible."""
    import ctypes  # it takes a while

    code = b"".join(struct.pack("=HBBI", *step) for step in _STEPS)
    steps = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("@HP", len(_STEPS), ctypes.addressof(steps))
    listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)


def resume(listener: socket.socket) -> None:
    """It does again."""
    try:
        listener.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)
    except OSError:
        pass  # it was not paused
