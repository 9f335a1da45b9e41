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
SPACED_AFTER, SPACED_AFTER_QUICK = 300, 50
"""Starts in a row after which they are spaced; the second counts those that were overtaken at once."""
AT_ONCE = 0.05
"""So soon after a start no person saves, seconds."""
SPACING_STEP, SPACING_LONGEST = 0.1, 1.0
OUTPUT_AFTER = 3
"""Runs in a row that ended by themselves, in each of which a file must have been written to be output."""


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
        self._quick: dict[str, int] = {}
        self._exited = False
        self._written: set[str] = set()
        self._cause: frozenset[str] = frozenset()
        self._runs: dict[str, int] = {}
        """Files written in runs that ended by themselves, and in how many of them in a row."""

    def is_output(self, path: str) -> bool:
        """Is this file known to be written by the command itself?"""
        return path in self._outputs

    def changed(self, path: str) -> None:
        """This file changed."""
        if not self._exited:
            self._written.add(path)

    def exited(self) -> None:
        """The command ended by itself; all changes that it made have been told."""
        self._exited = True

    def starting(self, burst: Collection[str], now: float) -> Advice:
        """The command is about to be started, because these files changed."""
        self._series = _continued(self._series, burst) if now < self._started + SOON else {}
        self._quick = _continued(self._quick, burst) if now < self._started + AT_ONCE else {}
        if not self._exited:
            self._runs = {}  # it was ended by the change, which says nothing: any file can change while it runs
        elif self._written or not self._cause <= self._runs.keys():
            self._runs = {path: self._runs.get(path, 0) + 1 for path in self._written}
        # Else that run was itself caused by what looks like output, and had nothing to do (make).
        found = [path for path, runs in self._runs.items() if runs >= OUTPUT_AFTER and path not in self._outputs]
        self._outputs.update(found)
        self._started, self._exited, self._written, self._cause = now, False, set(), frozenset(burst)
        path, times = max(self._series.items(), key=lambda item: item[1], default=("", 0))
        excess = max(times - SPACED_AFTER, max(self._quick.values(), default=0) - SPACED_AFTER_QUICK)
        spacing = min(SPACING_LONGEST, max(0.0, SPACING_STEP * excess))
        return Advice(path if times == TOLD_AFTER else "", spacing, tuple(found))


def _continued(series: dict[str, int], burst: Collection[str]) -> dict[str, int]:
    """How often in a row each file of the burst has been in one."""
    return {path: series.get(path, 0) + 1 for path in burst}
