"""How the runtime and the tool talk: marshalled tuples.

A snapshot has a stream to the tool for as long as it lives; each message is preceded by its length. The program itself
has no descriptor of ours: what it wants to tell goes out as a datagram, from a socket that lives as long as the call.

Version 2 of the marshal format is read and written by every Python 3. Both sides run as the same user, which each
makes sure of: everybody can see the addresses (/proc/net/unix). Whoever may write to the one may trace the other then,
so marshal is safe enough, and json would cost an import.
"""

from __future__ import annotations

import _socket
import os
from errno import EPERM
from marshal import dumps, loads
from posix import geteuid
from sys import byteorder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FORMAT = 2
_LENGTH = 4
_PART = 1 << 16
_INT = 4
NOTES = b".notes"
"""Follows the address of the stream in that of the datagrams."""
LATE_NOTES = b".late"
"""And in that of notes by stream: who waits there is in nobody's way."""
VARIABLE = b"AUTORELOAD_RUNTIME"
"""Of the environment: what PYTHONPATH was, and what the runtime is told."""
_INJECT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "inject")


def injected(before: bytes | None, parts: dict[str, Any]) -> dict[bytes, bytes]:
    """What lets the runtime into a program. `before`: PYTHONPATH without us. `parts`: what each of its parts is told,
    and as `guard` the pid of the parent that the program will have."""
    kind = "unset" if before is None else "set" if before else "empty"
    return {
        b"PYTHONPATH": os.fsencode(_INJECT) + (b":" + before if before else b""),
        VARIABLE: f"{kind} {dumps(parts, FORMAT).hex()}".encode(),
    }


def encode(message: tuple[Any, ...]) -> bytes:
    """A message as it goes over the stream."""
    data = dumps(message, FORMAT)
    return len(data).to_bytes(_LENGTH, "little") + data


class Decoder:
    """Takes bytes as they come, gives messages."""

    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> list[tuple[Any, ...]]:
        """The messages that are complete now."""
        self._data += data
        messages = []
        while len(self._data) >= _LENGTH:
            end = _LENGTH + int.from_bytes(self._data[:_LENGTH], "little")
            if len(self._data) < end:
                break
            messages.append(loads(self._data[_LENGTH:end]))
            self._data = self._data[end:]
        return messages


class Stream:
    """One end of a stream."""

    def __init__(self, socket: _socket.socket) -> None:
        self.socket = socket
        self._decoder = Decoder()

    @classmethod
    def connected(cls, address: bytes) -> Stream:
        """A stream to whoever listens there. OSError: nobody does."""
        socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
        try:
            socket.connect(address)
            if not is_same_user(socket):
                raise PermissionError(EPERM, "it is somebody else's")
        except OSError:
            socket.close()
            raise
        return cls(socket)

    def fileno(self) -> int:
        """To be waited for."""
        return self.socket.fileno()

    def send(self, *message: Any) -> bool:
        """Send a message; False: nobody is there any more."""
        try:
            self.socket.sendall(encode(message))
        except OSError:
            return False
        return True

    def receive(self) -> list[tuple[Any, ...]] | None:
        """Read what is there, once; None: the other side is gone."""
        try:
            data = self.socket.recv(_PART)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        return self._decoder.feed(data) if data else None

    def close(self) -> None:
        """Close it."""
        self.socket.close()


def is_same_user(socket: _socket.socket) -> bool:
    """Is the other side of a stream a process of our own user?"""
    credentials = socket.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 3 * _INT)  # struct ucred: pid, uid, gid
    return int.from_bytes(credentials[_INT : 2 * _INT], byteorder) == geteuid()


def note_by_stream(address: bytes, *message: Any) -> bool:
    """The same where a datagram finds no room: of those there may be few in the queue (net.unix.max_dgram_qlen)."""
    try:
        socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC | _socket.SOCK_NONBLOCK)
    except OSError:
        return False
    try:
        socket.connect(address + LATE_NOTES)
        socket.sendall(encode(message))
    except OSError:
        return False
    finally:
        socket.close()
    return True


def note(address: bytes, *message: Any) -> bool:
    """Tell the tool something in passing, without ever waiting; False: it could not be sent."""
    try:
        socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC | _socket.SOCK_NONBLOCK)
    except OSError:
        return False
    try:
        socket.sendto(dumps(message, FORMAT), address + NOTES)
    except OSError:
        return False
    finally:
        socket.close()
    return True
