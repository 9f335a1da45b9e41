"""What stands between the debounce and the lifecycle: nothing is stopped before every check has said yes.

Is Git at work? Then the burst takes longer. Is there a file that is not what it was at the last start? Else there is
nothing to restart for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from autoreload import git
from autoreload.core.change import Change, Kind
from autoreload.core.debounce import Debounce, Phase

SLOW_GIT = 1.0
"""A restart that waits so long for Git is told of, seconds."""
LONGEST_SEARCH = 3.0
"""A restart is put off for so long until everything has been looked at, seconds."""
SLICE = 0.01
"""The contents of a large burst are compared for so long before everybody is heard again, seconds."""
_DUE = (Phase.CERTAIN, Phase.SETTLED)


class Content(Protocol):
    """Knows what the files were at the last start."""

    def unchanged(self, paths: Sequence[str], clock: Callable[[], float], until: float) -> tuple[list[str], bool]:
        """Those of the `paths` that still are that, as far as was found out until then; whether one was found that is
        not."""


class Checks:
    """Says how far the present burst is, after all that is found out about it."""

    def __init__(
        self,
        debounce: Debounce,
        explain: Callable[[Change, str], None],
        tell_git: Callable[[str], None],
        at_work: Callable[[Iterable[str], int], git.AtWork] = git.at_work,
    ) -> None:
        """`explain`: why a change did not count. `tell_git`: what shows that Git is waited for, once for each burst.
        `at_work`: whether Git is."""
        self._debounce = debounce
        self._content: Content | None = None
        self._explain = explain
        self._tell_git = tell_git
        self.at_work = at_work
        """Is Git at work around these paths? The time is CLOCK_REALTIME, ns."""
        self.phase = Phase.QUIET
        """How far the present burst was when it was looked at last."""
        self.unused: Callable[[Mapping[str, Kind]], Sequence[str]] = _none
        """The changed files that the running command has not used, if it has used none of them."""
        self._comparing = False
        self._tell_git_at: float | None = None
        self._search_until: float | None = None

    def compare_with(self, content: Content) -> None:
        """From here on, what is as it was is no reason for a start."""
        self._content = content

    def look(self, now: float, committed: bool, searching: bool = False) -> Phase:
        """How far the burst is at `now` (monotonic seconds). `committed`: there will be a start, whatever is found.
        `searching`: changes are being found by looking at the disk, and there may be more of them."""
        for path in self._debounce.take_unmade():
            self._explain(Change(Kind.VANISHED, path), "it was not there before either")
        phase = self._debounce.phase(now)
        if self._debounce.patience or (phase in _DUE and phase is not self.phase):
            phase = self._ask_git(now)
        if phase in _DUE and searching and not committed and now < self._search_ends(now):
            phase = Phase.CHANGING
        self._comparing = False
        if phase in _DUE and phase is not self.phase and not committed:
            phase = self._compare(phase, now)
        self.phase = phase
        return phase

    def started(self) -> None:
        """A start is made, and the next burst begins."""
        self.phase = Phase.QUIET
        self._tell_git_at = self._search_until = None

    def deadline(self) -> float | None:
        """When `phase` wants to be asked again (monotonic seconds); None: no need."""
        if self._comparing:
            return 0.0
        return self._debounce.deadline() if self.phase is not Phase.SETTLED else None

    def _search_ends(self, now: float) -> float:
        if self._search_until is None:
            self._search_until = now + LONGEST_SEARCH
        return self._search_until

    def _ask_git(self, now: float) -> Phase:
        quiet, sign = self.at_work(self._debounce.changed(), time.time_ns())
        self._debounce.be_patient(quiet)
        phase = self._debounce.phase(now)
        if not sign or phase in _DUE:
            self._tell_git_at = None
        elif self._tell_git_at is None:
            self._tell_git_at = now + SLOW_GIT
        elif now >= self._tell_git_at:
            self._tell_git_at = float("inf")
            self._tell_git(sign)
        return phase

    def _compare(self, phase: Phase, now: float) -> Phase:
        """How far the burst is without the files that are what they were at the last start."""
        left = self._compare_contents(phase, now)
        if left in _DUE and (unused := self.unused(self._debounce.changed())):
            self._debounce.forgive(unused)
            left = self._debounce.phase(now)
        return left

    def _compare_contents(self, phase: Phase, now: float) -> Phase:
        if self._content is None:
            return phase
        burst = self._debounce.changed()
        until = time.monotonic() + SLICE
        same, differs = self._content.unchanged(list(burst), time.monotonic, until)
        if not same:
            return phase
        self._debounce.forgive(same)
        for path in same:
            self._explain(Change(burst[path], path), "its content is what it was")
        if differs:
            return phase
        left = self._debounce.phase(now)
        self._comparing = left in _DUE
        return Phase.CHANGING if self._comparing else left


def _none(burst: Mapping[str, Kind]) -> Sequence[str]:
    return ()
