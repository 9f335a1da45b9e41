"""When a server may be asked to stop: it has answered what it has accepted, or has had the time to.

Pure. A server is told not to accept any more before that; whoever connects from then on waits for the next one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

LONGEST = 3.0
"""Seconds that requests which were accepted may take. What is being downloaded then has the grace period."""
UNKNOWN_LONGEST = 1.0
"""Seconds that connections may take of which nobody knows whether they are idle (those of Unix sockets)."""
AGAIN = 0.004
"""Seconds between two looks."""
FIRST_BYTE = 100
"""ms that a client may take between its connection and its request."""
SPOKE_JUST_NOW = 30
"""ms: a server that sent something so recently may be in the middle of its answer."""


PAUSE = 300
"""ms between two parts of an answer that comes in many."""
MANY = 3
"""Parts, more than there were of questions."""
LARGE_PART = 256
"""Bytes of a part: a download; what a WebSocket or a stream of events tells is smaller."""
SMALL_QUESTION = 25
"""Bytes: no request of HTTP/1.1 is smaller; what a browser says on a WebSocket often is."""


class Connection(Protocol):
    """What the kernel knows of one: see linux/sockdiag.py."""

    @property
    def is_accepted(self) -> bool:
        """Has the server got it? Else it waits in the queue."""

    @property
    def unread(self) -> int:
        """Bytes that the server has not read."""

    @property
    def unacknowledged(self) -> int:
        """Bytes that the client has not confirmed."""

    @property
    def since_sent(self) -> int:
        """ms since the server sent something."""

    @property
    def since_received(self) -> int:
        """ms since the client did."""

    @property
    def has_asked(self) -> bool:
        """Has the client ever sent something?"""

    @property
    def has_answered(self) -> bool:
        """Has the server?"""

    @property
    def parts(self) -> int:
        """How many more segments with data the server has sent than the client."""

    @property
    def sent(self) -> int:
        """Bytes that the server has sent, and the client has confirmed."""

    @property
    def questions(self) -> int:
        """How many segments with data the client has sent."""

    @property
    def received(self) -> int:
        """Bytes in them."""


def owes(connection: Connection) -> bool:
    """Is it one that was accepted, and not answered yet? An idle one (keep-alive, WebSocket) is not."""
    if not connection.is_accepted:
        return False  # it waits in the queue
    if streams(connection):
        return False
    if connection.unread or connection.unacknowledged:
        return True
    if not connection.has_asked:
        return connection.since_received < FIRST_BYTE
    if not connection.has_answered:
        return True
    if connection.since_sent > connection.since_received:
        return True
    if _talks(connection):
        return False
    return connection.since_sent < (PAUSE if connection.parts >= MANY else SPOKE_JUST_NOW)


def streams(connection: Connection) -> bool:
    """Is it one that may never pause? An answer that began long ago and goes on in small parts (server-sent events, a
    WebSocket) has had the time that any has. Who says much, in short words, and is hardly answered, awaits nothing."""
    if _talks(connection) and connection.parts <= -MANY:
        return True
    is_small = connection.parts >= MANY and connection.sent < LARGE_PART * connection.parts
    return is_small and connection.since_received >= LONGEST * 1000 > connection.since_sent


def _talks(connection: Connection) -> bool:
    return connection.questions >= MANY and connection.received < SMALL_QUESTION * connection.questions


def downloads(connection: Connection) -> bool:
    """Is it in the middle of a long answer?"""
    if not connection.is_accepted or not connection.has_answered:
        return False
    is_large = connection.sent >= LARGE_PART * connection.parts and connection.parts >= MANY
    return bool(connection.unacknowledged) or (is_large and connection.since_sent < PAUSE)


class Drain:
    """One stop, from the moment at which the server accepts no more."""

    def __init__(self, now: float, is_sure: bool, grace: float = LONGEST) -> None:
        """`is_sure`: nobody can accept any more. Else one quiet moment may be between two requests. `grace`: seconds
        that downloads may take."""
        self._until, self._latest = now + LONGEST, now + max(grace, LONGEST)
        self._unknown_until = now + UNKNOWN_LONGEST
        self._quiet_looks = 0
        self._needed = 1 if is_sure else 2

    def is_over(self, connections: Iterable[Connection], now: float, unknown: int = 0) -> bool:
        """May the server be stopped now? Else ask `AGAIN` later. `unknown`: so many connections are accepted of which
        nothing is known."""
        if now >= self._latest:
            return True
        counts = owes if now < self._until else downloads
        is_quiet = not any(map(counts, connections)) and (not unknown or now >= self._unknown_until)
        self._quiet_looks = self._quiet_looks + 1 if is_quiet else 0
        return self._quiet_looks >= self._needed or (is_quiet and now >= self._until)
