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
        self._left = bytearray()
        """What there was no room for yet."""
        self._poll = select.poll()
        self._poll.register(end, select.POLLIN)

    def fileno(self) -> int:
        """Readable when there is a message, or when nobody is there any more."""
        return self._end.fileno()

    def send(self, *message: Any) -> None:
        """Send one. OSError: the other side is gone. On a socket that does not block, what finds no room is left for
        `flush`: a message may be larger than the buffer of the socket."""
        data = dumps(message)
        self._left += len(data).to_bytes(_HEAD, "little") + data
        self.flush()

    def flush(self) -> None:
        """Send what is left, as far as there is room. OSError as above."""
        while self._left:
            try:
                sent = self._end.send(self._left)
            except BlockingIOError:
                return
            del self._left[:sent]

    def wait(self, seconds: float) -> None:
        """Until there is something to receive, or room for something that is left."""
        poll = select.poll()
        poll.register(self._end, select.POLLIN | (select.POLLOUT if self._left else 0))
        poll.poll(max(0.0, seconds) * 1000)

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
