"""Keeps file systems that may not answer away from the backend that watches the rest: each has a process of its own."""

from __future__ import annotations

import select
from collections.abc import Callable, Collection, Sequence
from typing import Any

from autoreload.core.change import Change
from autoreload.linux.mounts import Mount, is_below, mounts
from autoreload.watch.backend import Judge, Notice, Root
from autoreload.watch.farside import Near
from autoreload.watch.helper import Helper
from autoreload.watch.linked import LinkedBackend
from autoreload.watch.links import Links
from autoreload.watch.mounted import MountsWatch, fences, is_beyond, real_path


class Fenced:
    """An interest in all but what is beyond the fences."""

    def __init__(self, interest: Judge, told: Collection[str]) -> None:
        """`told`: the fences, as paths below the roots."""
        self._told = told
        self._wants_directory = interest.wants_directory
        self.wants_file = interest.wants_file
        self.listed = interest.listed
        self.counts = interest.counts

    def wants_directory(self, path: str) -> bool:
        """See `Interest`."""
        return path not in self._told and self._wants_directory(path)


class Aside:
    """The helpers, and which path is the concern of which."""

    def __init__(self, near: Near, outline: Callable[[], Any], table: Callable[[], list[Mount]] = mounts) -> None:
        """`outline`: what `Near.adopt` takes. `table` gives all mounts."""
        self._near = near
        self.outline = outline
        self._table = table
        self.points: set[str] = set()
        """The fences: see mounted.py."""
        self.told: set[str] = set()
        """The same as paths below the roots."""
        self.helpers: dict[int, Helper] = {}
        """By the number of their mount."""
        self.leaving: list[Helper] = []
        self._away: dict[Root, int] = {}

    def update(self, roots: Sequence[Root], since: int) -> list[str]:
        """Look at what is mounted. The paths at which a fence came or went."""
        fenced = fences(self._table())
        self.points.clear()
        self.points.update(fenced)
        concerned: dict[int, tuple[Mount, list[Root]]] = {}
        told: dict[str, int] = {}
        away: dict[Root, int] = {}
        for root in roots:
            real = real_path(root.path, fenced)
            for point, mount in fenced.items():
                if is_below(real, point):
                    away[root] = mount.id
                    concerned.setdefault(mount.id, (mount, []))[1].append(root)
                elif not root.single and is_below(point, real):
                    path = root.path.rstrip("/") + point[len(real.rstrip("/")) :]
                    told[path] = mount.id
                    concerned.setdefault(mount.id, (mount, []))[1].append(Root(path))
        changed = self.told ^ told.keys()
        changed |= {root.path for root in roots if (root in self._away) != (root in away)}
        self._away = away
        self.told.clear()
        self.told.update(told)
        self._employ(concerned, since)
        return sorted(changed)

    def _employ(self, concerned: dict[int, tuple[Mount, list[Root]]], since: int) -> None:
        for number in [number for number, helper in self.helpers.items() if _roots(concerned, number) != helper.roots]:
            helper = self.helpers.pop(number)
            self.leaving.append(helper)
            helper.retire()
        for number, (mount, roots) in concerned.items():
            if number not in self.helpers:
                self.helpers[number] = Helper(mount, roots, self._near, since)

    def of(self, path: str) -> Helper | None:
        """Who is to be asked about this path; None: look yourself."""
        for helper in self.helpers.values():
            if any(is_below(path, root.path) for root in helper.roots):
                return helper
        return None

    def behind(self, path: str) -> Helper | None:
        """Who is to be asked about what this path leads to, be it by links; None: look yourself, if it is not beyond
        a fence."""
        helper = self.of(path)
        if helper is None and self.points:
            real = real_path(path, self.points)
            return next((each for each in self.helpers.values() if is_below(real, each.mount.point)), None)
        return helper

    def is_beyond(self, path: str) -> bool:
        """Does this path lead to where nobody should look, be it by links?"""
        return is_beyond(path, self.points)


def _roots(concerned: dict[int, tuple[Mount, list[Root]]], number: int) -> list[Root]:
    return concerned[number][1] if number in concerned else []


class AsideBackend:
    """A backend for what this machine alone changes, and the helpers for the rest: see `Backend` for the contract."""

    def __init__(
        self,
        roots: Sequence[Root],
        interest: Judge,
        since: int,
        aside: Aside,
        open_inner: Callable[[Judge, Collection[str]], LinkedBackend],
    ) -> None:
        """`open_inner` makes the other backend, for this interest, with these fences (a set that changes)."""
        self._roots = list(dict.fromkeys(roots))
        self._aside = aside
        self._watch = MountsWatch()
        self._epoll = select.epoll()
        self._known: dict[int, Helper] = {}
        self._notices: list[Notice] = []
        aside.update(self._roots, since)
        self._inner = open_inner(Fenced(interest, aside.told), aside.points)
        if self._inner.fileno() >= 0:
            self._epoll.register(self._inner.fileno(), select.EPOLLIN)
        if self._watch.fileno() >= 0:
            self._epoll.register(self._watch.fileno(), select.EPOLLPRI)
        self._register()

    @property
    def links(self) -> Links:
        """Those that are followed."""
        return self._inner.links

    def fileno(self) -> int:
        """An epoll instance."""
        return self._epoll.fileno()

    def deadline(self) -> float | None:
        """The earliest."""
        times = [self._inner.deadline(), *(helper.deadline() for helper in self._helpers())]
        return min((time for time in times if time is not None), default=None)

    def read(self, now: float) -> list[Change]:
        """What all have to tell."""
        if self._watch.changed():
            changed = self._aside.update(self._roots, 0)
            for path in changed:
                self._inner.mounted(path)
            self._register()
        changes = self._inner.read(now)
        if helpers := self._helpers():
            for helper in helpers:
                changes += helper.read(now)
                self._notices += helper.notices()
            self._aside.leaving = [helper for helper in self._aside.leaving if not helper.over]
            self._register()
        return changes

    def told_until(self) -> int:
        """The earliest."""
        return min([self._inner.told_until(), *(helper.told_until() for helper in self._helpers())])

    def rejudge(self) -> None:
        """All judge again."""
        self._inner.rejudge()
        for helper in self._aside.helpers.values():
            helper.rejudge(self._aside.outline())

    def clock_set_back(self, by: int) -> None:
        """All. The processes of the helpers see for themselves."""
        self._inner.clock_set_back(by)
        for helper in self._helpers():
            helper.clock_set_back(by)

    def notices(self) -> list[Notice]:
        """Those of all."""
        notices, self._notices = self._notices, []
        return notices + self._inner.notices()

    def close(self) -> None:
        """End the helpers, without waiting for them."""
        self._epoll.close()
        self._inner.close()
        self._watch.close()
        for helper in self._helpers():
            helper.close()

    def _helpers(self) -> list[Helper]:
        return [*self._aside.helpers.values(), *self._aside.leaving]

    def _register(self) -> None:
        """Wait for those descriptors that are open now: one that was closed has left the epoll instance by itself."""
        present = {helper.fileno(): helper for helper in self._helpers() if helper.fileno() >= 0}
        for fd, helper in present.items():
            if self._known.get(fd) is not helper or helper.renewed:
                helper.renewed = False
                try:
                    self._epoll.register(fd, select.EPOLLIN)
                except FileExistsError:
                    pass
        self._known = present
