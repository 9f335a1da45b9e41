"""A stop that a snapshot carries out: it ends the program, and answers when nothing is left below it."""

from __future__ import annotations

from typing import NamedTuple

from autoreload.warm.chain import Snapshot

ANSWERS_WITHIN = 1.0
"""Seconds that a snapshot may take longer than what it was asked for; then the guard is asked."""


class Asked(NamedTuple):
    """What the session asked for, and a snapshot was told to carry out."""

    token: int
    signal: int
    from_terminal: bool
    until: float
    """Monotonic seconds: no answer by then is none."""


class Stopping:
    """At most one at a time."""

    def __init__(self) -> None:
        self._asked: Asked | None = None

    def __bool__(self) -> bool:
        """Is one under way?"""
        return self._asked is not None

    def deadline(self) -> float | None:
        """When the answer is overdue, monotonic seconds."""
        return self._asked.until if self._asked else None

    def ask(self, snapshot: Snapshot, token: int, signal: int, grace: float, from_terminal: bool, now: float) -> None:
        """Have it end what is below it; it stays itself."""
        snapshot.stream.send("stop", token, int(signal), grace, from_terminal)
        self._asked = Asked(token, int(signal), from_terminal, now + grace + ANSWERS_WITHIN)

    def is_of(self, token: int) -> bool:
        """Is that the one?"""
        return self._asked is not None and self._asked.token == token

    def hurry(self, snapshot: Snapshot, now: float) -> None:
        """The grace period is over."""
        if self._asked is not None:
            snapshot.stream.send("kill")
            self._asked = self._asked._replace(until=now + ANSWERS_WITHIN)

    def end(self) -> Asked | None:
        """It is over, or somebody else goes on with it: what was asked."""
        asked, self._asked = self._asked, None
        return asked


def is_due(deadline: float | None, now: float) -> bool:
    """Has that moment come? Both in monotonic seconds; None: it never does."""
    return deadline is not None and now >= deadline
