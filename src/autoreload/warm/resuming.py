"""A start that a snapshot is asked for. It refuses if it has begun a file that changed too far up; then the next one is
asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autoreload.warm.chain import Snapshot
from autoreload.warm.stopping import ANSWERS_WITHIN


class Resuming:
    """At most one at a time."""

    def __init__(self) -> None:
        self._candidates: list[Snapshot] = []
        """The first of them is the one that was asked; none: no start is under way."""
        self._told: dict[str, Any] = {}
        self._until = 0.0
        self._began = 0.0

    def __bool__(self) -> bool:
        """Is one under way?"""
        return bool(self._candidates)

    def deadline(self) -> float | None:
        """When the answer is overdue, monotonic seconds."""
        return self._until if self._candidates else None

    def begin(self, candidates: Sequence[Snapshot], told: Mapping[str, Any], now: float) -> None:
        """Ask the first of them. `told`: what it is to know by now."""
        self._candidates, self._told, self._began = list(candidates), dict(told), now
        self._ask(now)

    def _ask(self, now: float) -> None:
        self._until = now + ANSWERS_WITHIN
        self._candidates[0].stream.send("resume", self._told)

    def asked(self) -> Snapshot | None:
        """Who has not answered yet."""
        return self._candidates[0] if self._candidates else None

    def next(self, now: float) -> Snapshot | None:
        """It refused: ask the next, and return it. None: there is none."""
        del self._candidates[:1]
        if self._candidates:
            self._ask(now)
        return self.asked()

    def resumed(self, now: float) -> float:
        """It agreed. Returns how long it took, seconds."""
        self._candidates = []
        return now - self._began

    def cancel(self) -> None:
        """Nobody waits for it any more."""
        self._candidates = []
