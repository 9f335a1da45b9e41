"""Looking at folders of which no events told: those that were moved, and what changed while events were lost."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import NamedTuple

from autoreload.core.change import Kind
from autoreload.watch.backend import Linked
from autoreload.watch.forest import NO_DESCRIPTOR, may_have_moved, mtime_of
from autoreload.watch.outbox import Outbox
from autoreload.watch.places import Anchor, Places

NEVER = 1 << 63
"""As `since`: nothing that happened so far is news (ns)."""


class Visit(NamedTuple):
    """A folder to look at. Paths are "" for the root directory."""

    real: str
    told: tuple[str, ...]
    """The paths by which its files are told of."""
    aliases: tuple[str, ...] = ()
    """Those that they had before it was moved."""
    since: int = 0
    """Files with a ctime at or after it are news (CLOCK_REALTIME ns). 0: all are."""
    lossy: bool = False
    """Events were lost, so a file may be gone of which nobody knows the name."""


class Walk:
    """Visits to be made, with all that is found on the way."""

    def __init__(self, places: Places, outbox: Outbox, linked: Linked | None = None) -> None:
        """`linked` is told of each link, and says whether it leads to a folder."""
        self._places = places
        self._outbox = outbox
        self._linked = linked
        self._todo: list[Visit] = []
        self.unreadable: dict[str, None] = {}
        """Folders that may not be looked into, until someone asks."""
        self.starved = False
        """The process ran out of descriptors: what is to be visited must wait."""

    @property
    def busy(self) -> bool:
        """Is there anything left to visit?"""
        return bool(self._todo)

    def push(self, visit: Visit) -> None:
        """Before all that waits already."""
        if visit.told or visit.aliases:
            self._todo.append(visit)

    def step(self, until: float) -> None:
        """Visit until there is nothing to visit, or it is `until` (monotonic s); one folder at least."""
        self.starved = False
        while self._todo and not self.starved:
            self._visit(self._todo.pop())
            if time.monotonic() >= until:
                return

    def meet_link(self, folders: tuple[str, ...], name: str) -> None:
        """A name came that may be a link, in a folder with these paths."""
        if self._linked is not None:
            for folder in folders:
                if os.path.islink(path := f"{folder}/{name}"):
                    self._places.list(folder)
                    self._linked(path)

    def tell_truth(self, path: str) -> None:
        """A file may have come or gone."""
        if self._places.interest.wants_file(path):
            there = os.path.lexists(path) and not self._places.is_behind_link(path)
            self._outbox.tell(Kind.APPEARED if there else Kind.VANISHED, path, synthesized=True)

    def tell_single(self, anchor: Anchor, since: int, lossy: bool) -> None:
        """Tell of a single file if it changed at or after `since`; `lossy`: also if it is gone."""
        path = anchor.root.path
        try:
            info = os.lstat("/".join(anchor.target) if anchor.target is not None else path)
        except OSError:
            if lossy:
                self._outbox.tell(Kind.VANISHED, path, synthesized=True)
            return
        if info.st_ctime_ns >= since:
            self._outbox.tell(Kind.APPEARED, path, synthesized=True)

    def _visit(self, visit: Visit) -> None:
        try:
            with os.scandir(visit.real or "/") as found:
                entries = list(found)
        except OSError as error:
            if error.errno in NO_DESCRIPTOR:
                self.starved = True
                self.push(visit)
            elif isinstance(error, PermissionError):
                self.unreadable[visit.real] = None
            return  # moved or deleted again: events tell
        places = self._places
        names = [entry.name for entry in entries]
        for folder in visit.told:
            places.list(folder, names)
        for folder in visit.aliases:
            places.list(folder, None if os.path.lexists(folder) else names)
        touched = bool(visit.since) and mtime_of(visit.real or "/") >= visit.since
        for entry in entries:
            try:
                if entry.is_dir(follow_symlinks=False):
                    self._meet_folder(visit, entry, touched)
                elif entry.is_file(follow_symlinks=False) or entry.is_symlink():
                    self._meet_file(visit, entry, visit.since == 0 or (visit.lossy and touched))
            except OSError:
                continue  # gone since it was listed: an event tells

    def _meet_file(self, visit: Visit, entry: os.DirEntry[str], news: bool) -> None:
        wants = self._places.interest.wants_file
        link = self._linked is not None and entry.is_symlink()
        for folder in visit.told:
            path = f"{folder}/{entry.name}"
            if link and self._linked is not None and self._linked(path):
                continue
            if (
                visit.since < NEVER
                and wants(path)
                and (news or entry.stat(follow_symlinks=False).st_ctime_ns >= visit.since)
            ):
                self._outbox.tell(Kind.APPEARED, path, synthesized=True)
        for folder in visit.aliases:
            self.tell_truth(f"{folder}/{entry.name}")

    def _meet_folder(self, visit: Visit, entry: os.DirEntry[str], touched: bool) -> None:
        wants: Callable[[str], bool] = self._places.wants
        name = entry.name
        real = f"{visit.real}/{name}"
        if real in self._places.circular:
            return
        told = tuple(path for path in (f"{folder}/{name}" for folder in visit.told) if wants(path))
        aliases = tuple(path for path in (f"{folder}/{name}" for folder in visit.aliases) if wants(path))
        since = visit.since
        if told and touched and may_have_moved(entry, since, strict=not visit.lossy):
            since = 0
        self.push(visit._replace(real=real, told=told, aliases=aliases, since=since))
