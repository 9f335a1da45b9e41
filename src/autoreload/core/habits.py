"""What repeats itself: a command that writes the very files that restart it.

Pure. Nothing is held back on suspicion: the same pattern can be an editor that saves after each start, and then each
save counts. So a file that keeps changing is only told of, and in the end the starts are spaced, never dropped.
A command that ends by itself is different: what was written while it ran, each time, can only be its output.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

SOON = 2.0
"""A change so soon after a start counts as "right after" it, seconds."""
TOLD_AFTER = 10
SPACED_AFTER = 300
SPACING_STEP, SPACING_LONGEST = 0.1, 1.0
OUTPUT_AFTER = 3
"""Runs in a row that ended by themselves, in each of which a file must have been written to be output."""
LATE = 0.02
"""A change may be heard of so much later than the end of the run that made it, seconds."""


class Advice(NamedTuple):
    """What a start teaches."""

    repeating: str = ""
    """This file has changed right after each of the last `TOLD_AFTER` starts; told once a series."""
    spacing: float = 0.0
    """Leave at least so many seconds between two starts."""
    outputs: tuple[str, ...] = ()
    """These files are the command's own output: they no longer count. Each is told once."""


class Habits:
    """Learns from starts, changes and exits, as they happen."""

    def __init__(self) -> None:
        self._outputs: set[str] = set()
        self._started = float("-inf")
        self._series: dict[str, int] = {}
        self._exited: float | None = None
        self._written: set[str] = set()
        self._runs: dict[str, int] = {}

    def is_output(self, path: str) -> bool:
        """Is this file known to be written by the command itself?"""
        return path in self._outputs

    def changed(self, path: str, now: float) -> None:
        """This file changed."""
        if self._exited is None or now <= self._exited + LATE:
            self._written.add(path)

    def exited(self, now: float) -> None:
        """The command ended by itself."""
        self._exited = now

    def starting(self, burst: Collection[str], now: float) -> Advice:
        """The command is about to be started, because these files changed."""
        soon = now < self._started + SOON
        self._series = {path: self._series.get(path, 0) + 1 for path in burst} if soon else {}
        # A run that was ended by the change says nothing: any file can change while it runs.
        ended_by_itself = self._exited is not None
        self._runs = {path: self._runs.get(path, 0) + 1 for path in self._written} if ended_by_itself else {}
        found = [path for path, runs in self._runs.items() if runs >= OUTPUT_AFTER and path not in self._outputs]
        self._outputs.update(found)
        self._started, self._exited, self._written = now, None, set()
        path, times = max(self._series.items(), key=lambda item: item[1], default=("", 0))
        spacing = min(SPACING_LONGEST, SPACING_STEP * (times - SPACED_AFTER)) if times > SPACED_AFTER else 0.0
        return Advice(path if times == TOLD_AFTER else "", spacing, tuple(found))
