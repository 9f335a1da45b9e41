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
LEAD = 0.002
"""The stop begins so much before the quiet time of one file is over, seconds: a polite command has ended by then."""
QUIET_SEVERAL = 0.05
"""The same once several files changed."""
QUIET_OVERTAKEN = 0.2
"""The same once changes of several files overtook a start; doubled each time they do it again."""
QUIET_LONGEST = 0.5
OVERTAKEN_AT_ONCE = 0.05
"""A change of the same file so soon after a start is no person's: it is waited for as several are, seconds."""
OVERTAKEN_WITHIN = 0.3
"""A change of another file so soon after a start belongs to the burst that caused the start, seconds."""
LONGEST_BURST_OF_ONE = 0.5
LONGEST_BURST_OF_SEVERAL = 10.0
LONGEST_BURST_OF_GIT = 30.0
"""A writer that never pauses cannot put off the start for longer than these, seconds. The second is also for one file
and another that is in the middle of its save."""
LEARN_WITHIN = 0.04
"""A change so soon after the last one of a burst that had settled shows that the burst was longer (a formatter that
runs on save): the pauses of the next ones are waited for, half as long again, seconds."""
FORGET_AFTER = 10
"""So many bursts without such a change, and what was learned counts half."""
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
    def is_awaited(self) -> bool:
        """May a start wait for it? Not for a file that is merely written to: a program may do that for ever."""
        return self.kind is not Kind.MODIFIED

    @property
    def awaited_until(self) -> float:
        """How long a start waits for it: a new file may be a log that is never closed."""
        return min(self.until, self.since + CLOSE_WITHIN)


class Debounce:
    """Gathers the changes that count into bursts."""

    def __init__(self, quiet: float = QUIET) -> None:
        """`quiet`: seconds without a change after which the save of one file is over."""
        self._shortest = quiet
        self._longer = quiet
        self._changed: dict[str, Kind] = {}
        self._unfinished: dict[str, _Unfinished] = {}
        self._made: set[str] = set()
        """Files that did not exist when the burst began."""
        self._unmade: list[str] = []
        self._first = self._last = 0.0
        self._overtakes = False
        """Did it begin so soon after a start as to belong to the burst before?"""
        self._goes_on = False
        """And with another file?"""
        self._looked = float("-inf")
        self._started_at: float | None = None
        self._started_for: frozenset[str] = frozenset()
        self._spacing = 0.0
        self._learned = 0.0
        """Seconds of quiet that bursts have been seen to need."""
        self._unsurprising = 0
        self._patience = 0.0

    def add(self, change: Change, now: float) -> None:
        """Take note of a change that counts."""
        kind, path = change.kind, change.path
        known = self._unfinished.get(path)
        if kind is Kind.WRITTEN or kind is Kind.APPEARED:
            self._unfinished.pop(path, None)
            self._count(path, kind, now)
        elif kind is Kind.VANISHED:
            if path in self._made:
                self._unmake(path)
            else:
                self._unfinished[path] = _Unfinished(now, now + RETURN_WITHIN, kind)
        else:
            if kind is Kind.OPENED and not known and path not in self._changed:
                self._made.add(path)
            state = Kind.OPENED if known and known.is_awaited else kind
            since = known.since if known else now
            until = min(now + CLOSE_WITHIN, since + LONGEST_WRITE)
            self._unfinished[path] = _Unfinished(since, until, state)

    def phase(self, now: float) -> Phase:
        """How far the burst is at `now`."""
        self._looked = now
        for path in [path for path, file in self._unfinished.items() if now >= file.until]:
            file = self._unfinished.pop(path)
            self._count(path, file.kind, file.until)
        if not self._changed:
            if not self._unfinished:
                self._made.clear()
            return Phase.QUIET
        if now < self._certain_at():
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
            moments += [self._certain_at(), self._settles_at()]
            if self._patience:
                moments.append(self._looked + LOOK_AGAIN)
        return min((moment for moment in moments if moment > self._looked), default=None)

    def changed(self) -> dict[str, Kind]:
        """The changed files so far, in order, with what happened to each last."""
        return dict(self._changed)

    def pending(self) -> list[str]:
        """The files that changed, or are about to have."""
        return [*self._changed, *self._unfinished]

    def take(self, now: float) -> dict[str, Kind]:
        """As `changed`; a start is made for them at `now`, and the next burst begins."""
        burst, self._changed = self._changed, {}
        self._made.clear()
        self._patience = 0.0
        self._started_at = now
        self._started_for = frozenset(burst)
        return burst

    def take_unmade(self) -> list[str]:
        """The files that were made and were gone again within one burst, and so are in none."""
        unmade, self._unmade = self._unmade, []
        return unmade

    def forgive(self, paths: Iterable[str]) -> None:
        """These changes changed nothing, as it turned out: they are no reason for a start."""
        for path in paths:
            self._changed.pop(path, None)
            self._made.discard(path)
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
            self._learn(now)
            self._first = now
            self._overtakes = self._started_at is not None and now < self._started_at + OVERTAKEN_WITHIN
            self._longer = self._quiet_of_new_burst(path, now)
        self._changed.pop(path, None)
        self._changed[path] = kind
        self._last = max(self._last, now)

    def _learn(self, now: float) -> None:
        """A burst begins: was the last one over when its quiet time was?"""
        if self._shortest < QUIET:
            return  # somebody asked for less than the default, and knows why
        pause = now - self._last
        if self._started_for and pause <= LEARN_WITHIN:
            self._learned = max(self._learned, 1.5 * pause)
            self._unsurprising = 0
            return
        self._unsurprising += 1
        if self._unsurprising > FORGET_AFTER:
            self._learned /= 2
            self._unsurprising = 0

    def _unmake(self, path: str) -> None:
        """A file made in this burst is gone again, as if it had never been: the temporary file of an atomic save.

        If it made the burst CERTAIN, it stays in it: what was stopped for it has to be started.
        """
        self._made.discard(path)
        self._unfinished.pop(path, None)
        if path not in self._changed or self._looked < self._certain_at():
            self._unmade.append(path)
        if path in self._changed:
            if self._looked < self._certain_at():
                del self._changed[path]
            else:
                self._changed[path] = Kind.VANISHED

    def _quiet_of_new_burst(self, path: str, now: float) -> float:
        shortest = max(self._shortest, self._learned)
        self._goes_on = self._overtakes and bool(self._started_for - {path})
        if not self._goes_on:  # one file again and again: somebody's autosave, at full speed
            at_once = self._started_at is not None and now < self._started_at + OVERTAKEN_AT_ONCE
            at_once = at_once and self._shortest >= QUIET
            return max(shortest, QUIET_SEVERAL) if at_once else shortest
        return max(shortest, min(QUIET_LONGEST, max(QUIET_OVERTAKEN, 2 * self._longer)))

    def _certain_at(self) -> float:
        return self._first + max(0.0, self._shortest - LEAD)

    def _settles_at(self) -> float:
        several = len(self._changed) > 1 or self._goes_on
        held_until = max((file.awaited_until for file in self._unfinished.values() if file.is_awaited), default=0.0)
        quiet = max(self._longer, QUIET_SEVERAL if several else 0.0, self._patience)
        longest = LONGEST_BURST_OF_SEVERAL if len(self._changed) > 1 or held_until else LONGEST_BURST_OF_ONE
        if self._patience:
            longest = LONGEST_BURST_OF_GIT
        settled = min(max(self._last + quiet, held_until), self._first + max(quiet, longest))
        if self._spacing and self._started_at is not None:
            settled = max(settled, self._started_at + self._spacing)
        return settled
