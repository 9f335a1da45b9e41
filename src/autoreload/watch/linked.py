"""Follows links: a backend for the roots, and another one for what is behind the links in them.

The first one says where links are, and whether they came or went. Which of them are followed is decided in links.py.
Each is a root of the second backend, so whatever happens to the way it leads is noticed, as for any root.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from autoreload.core.change import Change, Kind
from autoreload.linux.clock import file_time
from autoreload.watch.backend import Backend, Judge, Linked, Notice, Root
from autoreload.watch.fence import Fence
from autoreload.watch.inotify import InotifyBackend
from autoreload.watch.links import MOST, Links
from autoreload.watch.notices import limit_notice
from autoreload.watch.polling import PollingBackend
from autoreload.watch.tree import AS_NEW, Look

SLICE = 0.005
"""s of looking up links in one `read`."""
PASSING = 0.003
"""s until a link that was made just now is followed. Whoever swaps one (`ln -sfn`) makes another one beside it and
renames that: it is gone by then."""


class Inner(Backend, Protocol):
    """A backend that can be told of mounts."""

    def mounted(self, path: str) -> None:
        """What may not be touched has come to be at this path, or is no longer there."""


Make = Callable[["Sieve", Linked], Inner]
"""Makes the backend for the roots."""


class Sieve:
    """An interest that takes no link to a folder for a file."""

    def __init__(self, interest: Judge, links: Links) -> None:
        self._interest = interest
        self._links = links
        self.wants_directory = interest.wants_directory
        self.listed = interest.listed
        self.wants_file: Callable[[str], bool] = interest.wants_file
        """Asked for every file there is, so without a detour as long as there is no such link."""

    def begin(self) -> None:
        """There is one."""
        self.wants_file = self._wants_file

    def _wants_file(self, path: str) -> bool:
        return self._links.is_file(path) and self._interest.wants_file(path)


class LinkedBackend:
    """Watches the roots and what is behind links: see `Backend` for the contract."""

    def __init__(
        self,
        roots: Sequence[Root],
        interest: Judge,
        since: int,
        make: Make,
        polled: bool = False,
        interval: float | None = None,
        most: int = MOST,
        fence: Fence | None = None,
        fences: Collection[str] = (),
        said: Sequence[Notice] = (),
    ) -> None:
        """`make`: makes the backend for the roots. `polled`, `interval`: poll what is behind links as well, so often.
        `fences`: mount points that are somebody else's concern, see mounted.py. `said`: what there is to say about this
        choice of a backend. OSError as `make` raises it.
        """
        self._said = list(said)
        self.links = Links(roots, interest, most, fence or Fence(closed=fences), fences)
        self._fences = fences
        self._interest = interest
        self._sieve = Sieve(interest, self.links)
        self._polled, self._interval = polled, interval
        self._since = since
        self._replaced: list[Change] = []
        self._main = make(self._sieve, self._meet)
        self._inotify: InotifyBackend | None = None
        self._polling: PollingBackend | None = None
        self._due: list[str] = []
        """Links to be looked up, the last one first."""
        self._limit_told = False
        self._not_before = 0.0
        """When the links that wait may be looked up (monotonic s)."""
        self._epoll: select.epoll | None = None
        if self._main.fileno() >= 0:
            self._epoll = select.epoll()
            self._epoll.register(self._main.fileno(), select.EPOLLIN)

    # -- the protocol --------------------------------------------------------------------------------------------

    def fileno(self) -> int:
        """An epoll instance, unless everything is polled."""
        return self._epoll.fileno() if self._epoll is not None else -1

    def deadline(self) -> float | None:
        """The earliest."""
        times = [time for time in (part.deadline() for part in self._all()) if time is not None]
        if self._waits and not self._is_busy(self._main):
            return self._not_before
        return min(times, default=None)

    def read(self, now: float) -> list[Change]:
        """What all have to tell; and a slice of looking up links, once all roots were looked at."""
        changes = self._main.read(now) + self._replaced
        self._replaced = []
        if changes and self.links.links:
            self.links.refresh()
        # At the start, nothing behind one link is looked at before each of them has its turn.
        if not (self.links.starting and self._waits):
            for part in self._parts():
                changes += [self._true(change) for change in part.read(now)]
        if self._waits:
            if not self._is_busy(self._main) and now >= self._not_before:
                self._not_before = 0.0
                self._look_up()
        elif self.links.starting and not any(self._is_busy(part) for part in self._all()):
            self.links.starting = False
        return changes + self.links.take_told()

    def told_until(self) -> int:
        """The earliest."""
        return 0 if self._waits else min(part.told_until() for part in self._all())

    def rejudge(self) -> None:
        """All judge again."""
        if not self.links.starting:
            self.links.starting, self._since = True, file_time()
        for part in self._all():
            part.rejudge()
        self.links.recheck()

    def clock_set_back(self, by: int) -> None:
        """All."""
        self._since = max(0, self._since - by)
        for part in self._all():
            part.clock_set_back(by)

    def mounted(self, path: str) -> None:
        """What may not be touched has come to be at this path, or is no longer there."""
        self._main.mounted(path)
        self.links.recheck()

    def notices(self) -> list[Notice]:
        """Those of all."""
        notices, self._said = self._said, []
        notices += [notice for part in self._all() for notice in part.notices()] + self.links.notices()
        if self._polling is not None and self._inotify is not None and not self._limit_told:
            left_over = self._polling.directories
            if left_over and self._polling.complete and self._inotify.limited:
                self._limit_told = True
                notices.append(limit_notice(left_over, polled=True))
        return notices

    def close(self) -> None:
        """All."""
        if self._epoll is not None:
            self._epoll.close()
        for part in self._all():
            part.close()

    # -- links ---------------------------------------------------------------------------------------------------

    def _meet(self, path: str) -> bool:
        """There is a link in a root: it may stand where a file was."""
        was_file, was_waiting = self.links.is_file(path), bool(self.links.waiting)
        folder = self.links.met(path)
        if folder:
            self._sieve.begin()
        if self.links.waiting and not was_waiting and not self.links.starting:
            self._not_before = time.monotonic() + PASSING
        if folder and was_file and not self.links.starting and self._interest.wants_file(path):
            self._replaced.append(Change(Kind.VANISHED, path, synthesized=True))
        return folder

    def _true(self, change: Change) -> Change:
        """A file that is no longer behind a link may be there all the same: the link was replaced by a folder."""
        if change.kind is Kind.VANISHED and os.path.lexists(change.path) and not self.links.is_elsewhere(change.path):
            return change._replace(kind=Kind.APPEARED, synthesized=True)
        return change

    def _parts(self) -> list[InotifyBackend | PollingBackend]:
        return [part for part in (self._inotify, self._polling) if part is not None]

    def _all(self) -> list[Backend]:
        return [self._main, *self._parts()]

    @property
    def _waits(self) -> bool:
        """Is there a link to be looked up?"""
        return bool(self._due or self.links.waiting)

    def _is_busy(self, part: Backend) -> bool:
        return part.deadline() == 0.0

    def _look_up(self) -> None:
        """The upper ones first, so that what can be reached by several paths has a short one."""
        until = time.monotonic() + SLICE
        if not self._due:
            self.links.refresh()
            waiting, self.links.waiting = self.links.waiting, {}
            self._due = sorted(waiting, key=lambda path: (path.count("/"), path), reverse=True)
        while self._due and time.monotonic() < until:
            path = self._due.pop()
            if self.links.has(path):
                self._follow(path)

    def _follow(self, path: str) -> None:
        old = self.links.starting and not _is_new(path, self._since)
        self._open()
        if self._inotify is not None and not self.links.is_remote(path):
            known = Look(self._inotify.good, quiet=self.links.starting)
            self._inotify.look_up(Root(path), known, Look(self._since, quiet=True) if old else AS_NEW)
        elif self._polling is not None:
            self._polling.look_up(Root(path), self._since if old else 0)

    def _open(self) -> None:
        """For the first link."""
        if self._parts():
            return
        interest, links = self._sieve, self.links
        self._polling = PollingBackend((), interest, self._since, self._interval, links.met, links, self._fences)
        if self._polled or self._epoll is None:
            return
        try:
            self._inotify = InotifyBackend((), interest, self._since, self._polling, links.met, links, self._fences)
        except OSError:
            return  # no instance is left
        self._epoll.register(self._inotify.fileno(), select.EPOLLIN)


def _is_new(path: str, since: int) -> bool:
    try:
        return os.lstat(path).st_ctime_ns >= since
    except OSError:
        return True
