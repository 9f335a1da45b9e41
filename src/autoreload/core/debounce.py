"""When a burst of changes is over: one save is often several events, a formatter or a checkout hundreds.

Pure: `now` is monotonic seconds everywhere. Nothing here waits; `deadline` says when `phase` may answer differently.

Two moments matter. A burst becomes CERTAIN a few milliseconds after its first change: the command will be restarted,
so stopping it may begin. It is SETTLED once nothing has changed for the quiet time: the command may start. Between the
two the stop overlaps the wait. (Not in a burst that overtook a start: a command restarted by changes that never cease,
perhaps its own output, would be stopped as soon as it is started, and never get anywhere.) The quiet time is short for
one file, longer once several files changed, and longer still when the changes overtook a start (a formatter that takes
a while for each file), or Git is at work. While it is, nothing is stopped before the burst is settled.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from autoreload.core.change import Change, Kind

QUIET = 0.005
"""Seconds without a change after which the save of one file is over (figures: docs/benchmarks.md)."""
QUIET_SEVERAL = 0.05
"""The same once several files changed."""
QUIET_OVERTAKEN = 0.2
"""The same once changes of several files overtook a start; doubled each time they do it again."""
QUIET_LONGEST = 0.5
OVERTAKEN_WITHIN = 0.3
"""A change of another file so soon after a start belongs to the burst that caused the start, seconds."""
LONGEST_BURST_OF_ONE = 0.5
LONGEST_BURST_OF_SEVERAL = 10.0
LONGEST_BURST_OF_GIT = 30.0
"""A writer that never pauses cannot put off the start for longer than these, seconds."""
LOOK_AGAIN = 0.02
"""How often the reason for being patient is looked at again, seconds."""
RETURN_WITHIN = 0.1
"""A file that vanished may be in the middle of a save (backup and rename): so long its return is awaited, seconds."""
CLOSE_WITHIN = 1.0
"""A file that is being written is waited for until it has been left alone for so long, seconds."""
LONGEST_WRITE = 5.0
"""However busily it is written to, a file that is never closed counts after so long, seconds."""


class Phase(Enum):
    """How far the present burst is."""

    QUIET = "nothing has changed"
    CHANGING = "something has changed, perhaps more is to come at once"
    CERTAIN = "the command must be restarted"
    SETTLED = "the command may be started"


class _Unfinished(NamedTuple):
    """A file in the middle of a save."""

    since: float
    until: float
    """When it counts though its save never ended."""
    kind: Kind

    @property
    def holds(self) -> bool:
        """Does a start wait for it? Not for a file that is merely written to: a program may do that for ever."""
        return self.kind is not Kind.MODIFIED


class Debounce:
    """Gathers the changes that count into bursts."""

    def __init__(self, quiet: float = QUIET) -> None:
        """`quiet`: seconds without a change after which the save of one file is over."""
        self._shortest = quiet
        self._longer = quiet
        self._changed: dict[str, Kind] = {}
        self._unfinished: dict[str, _Unfinished] = {}
        self._first = self._last = 0.0
        self._overtakes = False
        self._looked = float("-inf")
        self._started_at: float | None = None
        self._started_for: frozenset[str] = frozenset()
        self._spacing = 0.0
        self._patience = 0.0

    def add(self, change: Change, now: float) -> None:
        """Take note of a change that counts."""
        kind, path = change.kind, change.path
        known = self._unfinished.get(path)
        if kind is Kind.WRITTEN or kind is Kind.APPEARED:
            self._unfinished.pop(path, None)
            self._count(path, kind, now)
        elif kind is Kind.VANISHED:
            if known and known.kind is Kind.OPENED and path not in self._changed:
                del self._unfinished[path]  # made and removed again: nobody can have read it
            else:
                self._unfinished[path] = _Unfinished(now, now + RETURN_WITHIN, kind)
        else:
            opened = Kind.OPENED if known and known.holds else kind
            since = known.since if known else now
            until = min(now + CLOSE_WITHIN, since + LONGEST_WRITE)
            self._unfinished[path] = _Unfinished(since, until, opened)

    def phase(self, now: float) -> Phase:
        """How far the burst is at `now`."""
        self._looked = now
        for path in [path for path, file in self._unfinished.items() if now >= file.until]:
            file = self._unfinished.pop(path)
            self._count(path, file.kind, file.until)
        if not self._changed:
            return Phase.QUIET
        if now < self._first + self._shortest:
            return Phase.CHANGING
        if now >= self._settles_at():
            return Phase.SETTLED
        return Phase.CHANGING if self._overtakes or self._patience else Phase.CERTAIN

    def deadline(self) -> float | None:
        """The next moment after the last look at `phase` at which it may differ though nothing was added; None: never.

        Not after the present: a moment that passed since that look would be missed.
        """
        moments = [file.until for file in self._unfinished.values()]
        if self._changed:
            moments += [self._first + self._shortest, self._settles_at()]
            if self._patience:
                moments.append(self._looked + LOOK_AGAIN)
        return min((moment for moment in moments if moment > self._looked), default=None)

    def changed(self) -> dict[str, Kind]:
        """The changed files so far, in order, with what happened to each last."""
        return dict(self._changed)

    def take(self, now: float) -> dict[str, Kind]:
        """As `changed`; a start is made for them at `now`, and the next burst begins."""
        burst, self._changed = self._changed, {}
        self._patience = 0.0
        self._started_at = now
        self._started_for = frozenset(burst)
        return burst

    def forgive(self, paths: Iterable[str]) -> None:
        """These changes changed nothing, as it turned out: they are no reason for a start."""
        for path in paths:
            self._changed.pop(path, None)
        if not self._changed:
            self._patience = 0.0

    @property
    def patience(self) -> float:
        """See `be_patient`."""
        return self._patience

    def be_patient(self, quiet: float) -> None:
        """Somebody is known to be at work on many files: the present burst is over after so many seconds without a
        change, and nothing is stopped before. 0: as always."""
        self._patience = quiet if self._changed else 0.0

    def space_starts(self, seconds: float) -> None:
        """Put at least `seconds` between two starts from here on."""
        self._spacing = seconds

    def _count(self, path: str, kind: Kind, now: float) -> None:
        if not self._changed:
            self._first = now
            self._overtakes = self._started_at is not None and now < self._started_at + OVERTAKEN_WITHIN
            self._longer = self._quiet_of_new_burst(path)
        self._changed.pop(path, None)
        self._changed[path] = kind
        self._last = max(self._last, now)

    def _quiet_of_new_burst(self, path: str) -> float:
        if not self._overtakes or self._started_for <= {
            path
        }:  # one file again and again: somebody's autosave, at full speed
            return self._shortest
        return max(self._shortest, min(QUIET_LONGEST, max(QUIET_OVERTAKEN, 2 * self._longer)))

    def _settles_at(self) -> float:
        several = len(self._changed) > 1 or self._longer > self._shortest
        held_until = max((file.until for file in self._unfinished.values() if file.holds), default=0.0)
        quiet = max(self._longer, QUIET_SEVERAL if several else 0.0, self._patience)
        longest = LONGEST_BURST_OF_SEVERAL if several or held_until else LONGEST_BURST_OF_ONE
        if self._patience:
            longest = LONGEST_BURST_OF_GIT
        settled = min(max(self._last + quiet, held_until), self._first + max(quiet, longest))
        if self._spacing and self._started_at is not None:
            settled = max(settled, self._started_at + self._spacing)
        return settled
