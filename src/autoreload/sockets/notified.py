"""READY=1, as sd_notify(3) sends it: some servers say themselves when they serve."""

from __future__ import annotations

import os
import socket
import struct

_LARGEST = 1 << 12
_CREDENTIALS = struct.calcsize("iii")


class Notified:
    """Where the command finds us: NOTIFY_SOCKET in its environment."""

    def __init__(self) -> None:
        name = "reload-notify-" + os.urandom(16).hex()
        self.address = "@" + name
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind("\0" + name)

    def fileno(self) -> int:
        """Readable when `read` has something to tell."""
        return self._socket.fileno()

    def read(self) -> set[int]:
        """The processes that are ready. Of another pid namespace they are not known."""
        found: set[int] = set()
        while True:
            try:
                data, ancillary, _, _ = self._socket.recvmsg(_LARGEST, socket.CMSG_SPACE(_CREDENTIALS))
            except OSError:
                return found
            for level, kind, who in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS) and b"READY=1" in data.split(b"\n"):
                    found.add(struct.unpack_from("iii", who)[0])

    def close(self) -> None:
        """Hear nobody any more."""
        self._socket.close()
