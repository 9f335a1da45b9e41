"""Messages between two of our processes, through a socket."""

from __future__ import annotations

import select
import socket
from marshal import dumps, loads
from typing import Any

_PART = 1 << 16
_HEAD = 4
"""Bytes that tell how long a message is."""


class Channel:
    """One end. A message is a tuple of what `marshal` knows."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._have = bytearray()
        self._poll = select.poll()
        self._poll.register(end, select.POLLIN)

    def fileno(self) -> int:
        """Readable when there is a message, or when nobody is there any more."""
        return self._end.fileno()

    def send(self, *message: Any) -> None:
        """Send one. OSError: the other side is gone; on a socket that does not block, also when it has fallen behind,
        and the channel is of no use then."""
        data = dumps(message)
        self._end.sendall(len(data).to_bytes(_HEAD, "little") + data)

    def wait(self, seconds: float) -> bool:
        """Until there is something to receive."""
        return bool(self._poll.poll(max(0.0, seconds) * 1000))

    def receive(self) -> list[Any]:
        """What has come, without waiting. EOFError: the other side is gone, and nothing is left."""
        found: list[Any] = []
        while self._poll.poll(0) and len(found) < 100:
            try:
                part = self._end.recv(_PART)
            except OSError:
                part = b""
            if not part:
                if found:
                    break
                raise EOFError
            self._have += part
            found += self._whole()
        return found

    def close(self) -> None:
        """Let go of the socket."""
        self._end.close()

    def _whole(self) -> list[Any]:
        found, start = [], 0
        while len(self._have) >= start + _HEAD:
            end = start + _HEAD + int.from_bytes(self._have[start : start + _HEAD], "little")
            if len(self._have) < end:
                break
            found.append(loads(self._have[start + _HEAD : end]))
            start = end
        del self._have[:start]
        return found
