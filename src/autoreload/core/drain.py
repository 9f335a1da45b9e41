"""When a server may be asked to stop: it has answered what it has accepted, or has had the time to.

Pure. A server is told not to accept any more before that; whoever connects from then on waits for the next one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

LONGEST = 3.0
"""Seconds that requests which were accepted may take."""
AGAIN = 0.004
"""Seconds between two looks."""
FIRST_BYTE = 100
"""ms that a client may take between its connection and its request."""
SPOKE_JUST_NOW = 30
"""ms: a server that sent something so recently may be in the middle of its answer."""


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


def owes(connection: Connection) -> bool:
    """Is it one that was accepted, and not answered yet? An idle one (keep-alive, WebSocket) is not."""
    if not connection.is_accepted:
        return False  # it waits in the queue
    if connection.unread or connection.unacknowledged:
        return True
    if not connection.has_asked:
        return connection.since_received < FIRST_BYTE
    if not connection.has_answered:
        return True
    return connection.since_sent > connection.since_received or connection.since_sent < SPOKE_JUST_NOW


class Drain:
    """One stop, from the moment at which the server accepts no more."""

    def __init__(self, now: float, is_sure: bool) -> None:
        """`is_sure`: nobody can accept any more. Else one quiet moment may be between two requests."""
        self._until = now + LONGEST
        self._quiet_looks = 0
        self._needed = 1 if is_sure else 2

    def is_over(self, connections: Iterable[Connection], now: float) -> bool:
        """May the server be stopped now? Else ask `AGAIN` later."""
        self._quiet_looks = 0 if any(map(owes, connections)) else self._quiet_looks + 1
        return self._quiet_looks >= self._needed or now >= self._until
