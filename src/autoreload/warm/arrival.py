"""Has a resumed program come up? A fork may leave a lock locked for good: its holder was a thread that is no more.

So this is what is looked for: the main thread waits for a lock, the whole process does nothing at all, for as long as a
cold start took, and after that cold start it did not wait so. A program that is busy or slow, or waits for a person, a
debugger, a file or a connection, is left alone. At most once: where it was wrong, the start that follows is cold.

Pure: `now` is monotonic seconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

AT_LEAST = 1.0
"""Seconds that it must have done nothing."""
DISTRUSTED = 600.0
"""So long a change of the same file is a cold start, seconds."""


class Wait(NamedTuple):
    """What a process that is at rest waits for."""

    lock: str
    """Which lock; empty: none."""
    used: float
    """Processor time so far, seconds."""


class Arrival:
    """Watches over one start after the other."""

    def __init__(self) -> None:
        self._cold_seconds: float | None = None
        self._waits_when_cold = False
        self._began: float | None = None
        self._files: tuple[str, ...] = ()
        self._first: Wait | None = None
        self._due: float | None = None
        self._distrusted: dict[str, float] = {}

    def cold(self) -> None:
        """A cold start is made."""
        self._began = self._first = self._due = None

    def warm(self, files: Iterable[str], now: float) -> None:
        """It was resumed for these files."""
        self._began, self._files = now, tuple(files)
        self._first = self._due = None

    def rested(self, seconds: float | None, wait: Wait, now: float) -> None:
        """The program is at rest, `seconds` after its start (None: it was not seen to come to rest)."""
        if self._began is None:
            if seconds is not None:
                self._cold_seconds, self._waits_when_cold = seconds, bool(wait.lock)
        elif wait.lock and self._cold_seconds is not None and not self._waits_when_cold:
            self._first = wait
            self._due = max(self._began + self._cold_seconds, now + AT_LEAST)

    def deadline(self) -> float | None:
        """When `is_stuck` wants to be asked."""
        return self._due

    def is_stuck(self, wait: Wait, now: float) -> bool:
        """The deadline has come. Has it done nothing since?"""
        stuck, self._due = wait == self._first, None
        if stuck:
            self._distrusted.update(dict.fromkeys(self._files, now + DISTRUSTED))
        return stuck

    def is_distrusted(self, path: str, now: float) -> bool:
        """Did it not come up when it was resumed for that file?"""
        return now < self._distrusted.get(path, now)
