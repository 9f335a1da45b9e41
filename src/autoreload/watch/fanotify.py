"""The backend on fanotify(7): one mark for each file system, however many directories are on it.

Events name a directory by its handle, a name in it, and the handle of what has that name. The kernel merges events of
one process about one name, so the order of what they say is lost, and the disk has the last word on whether a file is
there. Nothing is known of the tree but what events have named:

- A directory that is made needs no attention: events about what is in it come as from anywhere.
- One that is moved is looked at where it is now. Its files are told as come (if that is below a root) and as gone from
  where they were.
- One that is deleted had its files deleted before, of which there are events. They name a directory that is no longer
  there, but the event of its own deletion (FAN_REPORT_TARGET_FID) says where it was: see places.py.

What is told of files is in file_events.py.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Sequence

from autoreload.core.change import Change
from autoreload.linux.clock import file_time
from autoreload.linux.fanotify import (
    FAN_CLOSE_WRITE,
    FAN_CREATE,
    FAN_DELETE,
    FAN_MODIFY,
    FAN_ONDIR,
    FAN_Q_OVERFLOW,
    FAN_RENAME,
    Event,
    Fanotify,
    parse,
)
from autoreload.watch.backend import Interest, Linked, Notice, Root
from autoreload.watch.cover import Cover
from autoreload.watch.drain import drain
from autoreload.watch.file_events import FileEvents
from autoreload.watch.mounted import is_beyond, real_path
from autoreload.watch.notices import unreadable_notice
from autoreload.watch.outbox import RememberingOutbox
from autoreload.watch.places import NOWHERE, ROUNDS, Anchor, Places
from autoreload.watch.walk import Visit, Walk

SLICE = 0.005
"""s of looking at directories in one `read`."""
SLACK = 2_000_000_000
"""ns. After events were lost, what changed this long before the last good moment is told too, as in inotify.py."""
BATCH = 1 << 18
"""Bytes of events handled in one `read`."""
PATIENCE = 0.2
"""s that an event about a directory which is gone waits for the one that says where it was. It is in the queue, or
about to be: the directory cannot be looked up any more from shortly before the kernel tells of its deletion."""
RETRY = 0.005
"""s between two looks for it."""
STARVED = 0.1
"""s until it is looked whether there are descriptors again."""
RECENT = 1.0
"""s. What came and went so long ago is not affected by a move that is read of only now."""
_WRITING = FAN_MODIFY | FAN_CLOSE_WRITE
_GOING = FAN_DELETE | FAN_RENAME


class FanotifyBackend:
    """Watches with fanotify(7): see `Backend` for the contract.

    The file systems are marked before this returns, and only what happened from `since` until then is looked for on
    the disk, in slices. So whoever makes it before the command starts has nothing to wait for, in a tree of any size.

    A queue without a limit does not overflow. Should events be lost all the same, for want of memory, then the disk is
    looked at; a file that was deleted meanwhile has no name to be told by, so those beside it are told instead.

    OSError if it is not permitted, or cannot watch the roots: EPERM (no CAP_SYS_ADMIN), EINVAL (before Linux 5.17),
    ENODEV, EOPNOTSUPP, EXDEV (the file system has no identity, no handles, is a subvolume), ENOSYS, EMFILE.
    """

    def __init__(
        self,
        roots: Sequence[Root],
        interest: Interest,
        since: int,
        unlimited: bool = True,
        linked: Linked | None = None,
        fences: Collection[str] = (),
    ) -> None:
        """`since`: CLOCK_REALTIME_COARSE, ns. `linked`: see `Walk`; for its sake all folders are looked at. `fences`:
        see mounted.py."""
        self._kernel = Fanotify(unlimited)
        self._outbox = RememberingOutbox()
        self._anchors = [Anchor(root) for root in dict.fromkeys(roots)]
        self._places = Places(interest, self._anchors, fences)
        self._interest = interest
        self._walk = Walk(self._places, self._outbox, linked)
        self._files = FileEvents(self._places, self._outbox, self._walk)
        self._crossed = False
        """Directories were moved while others were still being looked at, which may have been missed thereby."""
        self._cover = Cover(self._kernel, self._places)
        self._orphans: dict[Event, float] = {}
        """Events about directories that are gone, and until when they wait (monotonic s)."""
        self._recent_until = self._patient_until = 0.0
        self._recent: dict[Event, None] = {}
        """What came and went lately. When its directories were looked up, they may have been moved already, of which
        the events had not been read yet."""
        self._deadline: float | None = 0.0
        self.broken: OSError | None = None
        """Why it cannot watch all of the roots any more."""
        self.overflows = 0
        """How often events were lost so far."""
        try:
            for anchor in self._anchors:
                self._cover.look_up(anchor)
            self._cover.update()
            for anchor in self._anchors:  # again, as it may have changed before the marks were there
                self._cover.look_up(anchor)
            self._cover.update()
        except OSError:
            self.close()
            raise
        self.good = file_time()
        """Events up to here have been seen, all of them (CLOCK_REALTIME_COARSE, ns)."""
        if since <= self.good or linked is not None:
            self._look_for_changes(since, lossy=False)

    # -- the protocol --------------------------------------------------------------------------------------------

    def fileno(self) -> int:
        """The fanotify group."""
        return self._kernel.fd

    def deadline(self) -> float | None:
        """0.0 while there are directories to look at."""
        return self._deadline

    def read(self, now: float) -> list[Change]:
        """Drain the queue (up to a batch), handle what it says, then look at directories for a slice of time."""
        events, drained = self._drain()
        if now > self._recent_until:
            self._recent.clear()
        calm = not self._walk.busy
        if events or self._orphans:
            self._recent_until = now + RECENT
            if self._handle([*self._orphans, *events], now):
                calm, self._patient_until = False, now + RECENT
        if drained:
            self._files.doubts.resolve(now, self._outbox.tell)
            self.good = drained
            if calm and (not self._orphans or now > self._patient_until):
                self._settle(events)
        self._walk.step(time.monotonic() + SLICE)
        self._deadline = self._when(now)
        return self._outbox.take()

    def told_until(self) -> int:
        """When the queue was last found to be empty, if nothing waits to be looked at."""
        waits = self._walk.busy or self._orphans or self._crossed or self._places.moves
        return 0 if waits else self.good

    def rejudge(self) -> None:
        """Forget what was ignored; what changed unheard, while that was not known yet, is looked for on the disk."""
        self._places.forget_verdicts()
        self._look_for_changes(self.good, lossy=False)
        self._deadline = 0.0

    def clock_set_back(self, by: int) -> None:
        """What is being looked at, is by times that mean nothing: look again."""
        self.good -= by
        self._look_for_changes(self.good, lossy=False)
        self._deadline = 0.0

    def notices(self) -> list[Notice]:
        """What could not be read."""
        if not self._walk.unreadable:
            return []
        paths = list(self._walk.unreadable)
        self._walk.unreadable.clear()
        return [unreadable_notice(paths)]

    def close(self) -> None:
        """Close the fanotify group."""
        self._kernel.close()

    @property
    def uncovered(self) -> list[str]:
        """Mount points below the roots whose file system cannot be watched."""
        return list(self._cover.uncovered)

    def mounted(self, path: str) -> None:
        """As `mounts_changed`, at one path."""
        self.mounts_changed([path])

    def mounts_changed(self, points: list[str]) -> None:
        """Something was mounted or unmounted, at these paths below the roots: look at what is there now.

        What was there before is told as gone if it was ever told of: the rest of it nobody has listed.
        """
        self._places.forget_verdicts()
        for anchor in self._anchors:
            self._find(anchor, moved=False)
        self._update_cover()
        self._outbox.verify(self._walk.tell_truth)
        fences = self._places.fences
        for real in (real_path(point, fences) for point in points if not is_beyond(point, fences)):
            self._walk.push(Visit(real, self._places.told((real,))))
        self._deadline = 0.0

    def _settle(self, events: list[Event]) -> None:
        """All that was moved or deleted has been told of, as far as it was read before these events."""
        if self._crossed:
            self._crossed = False
            for key in list(self._places.moves):
                self._visit_moved(key)
            return
        if self._places.moves:
            self._outbox.verify(self._walk.tell_truth)
        self._places.settled()
        self._recent = {event: None for event in events if event.mask & _GOING and not event.mask & FAN_ONDIR}

    def _when(self, now: float) -> float | None:
        busy = self._walk.busy and not self._walk.starved
        if busy or (self._places.moves and not self._orphans):
            return 0.0
        doubted = self._files.doubts.deadline()
        times = [doubted] if doubted is not None else []
        if self._walk.starved:
            times.append(now + STARVED)
        if self._orphans:
            times.append(now + RETRY)
        return min(times, default=None)

    # -- roots and marks -----------------------------------------------------------------------------------------

    def _find(self, anchor: Anchor, moved: bool) -> None:
        """Look the root up again, and tell what came and went with it. `moved`: it may have been away meanwhile."""
        target, real, key = anchor.target, anchor.real, anchor.key
        anchor.key = None
        try:
            self._cover.look_up(anchor)
        except OSError as error:
            self.broken = error
        self._places.forget_paths()
        if anchor.root.single:
            if moved or anchor.target != target:
                self._walk.tell_single(anchor, 0, lossy=True)
        elif (anchor.real, anchor.key) != (real, key):
            if key is not None:
                self._left(key, {anchor.told: None})
            if anchor.key is not None:
                self._walk.push(Visit(anchor.real or "", (anchor.told,)))
        elif moved and anchor.key is not None:
            self._walk.push(Visit(anchor.real or "", (anchor.told,)))

    def _update_cover(self) -> list[str]:
        try:
            return self._cover.update()
        except OSError as error:
            self.broken = error
            return []

    def _look_for_changes(self, since: int, lossy: bool) -> None:
        """Of all roots."""
        for anchor in self._anchors:
            if anchor.root.single:
                self._walk.tell_single(anchor, since, lossy)
            elif anchor.key is not None:
                self._walk.push(Visit(anchor.real or "", (anchor.told,), since=since, lossy=lossy))

    # -- events --------------------------------------------------------------------------------------------------

    def _drain(self) -> tuple[list[Event], int]:
        return drain(self._kernel.read, parse, BATCH)

    def _handle(self, events: list[Event], now: float) -> bool:
        """First what they say of directories, then of files: where a file is depends on the former. Was any moved?"""
        waiting, self._orphans = self._orphans, {}
        lost = False
        folders, files = [], []
        for event in events:
            if event.mask & FAN_Q_OVERFLOW:
                lost = True
            elif event.mask & FAN_ONDIR:
                folders.append(event)
            else:
                files.append(event)
        for event in folders:
            if event.mask & FAN_DELETE:
                self._places.ghosts[event.target] = event.folder, os.fsdecode(event.name)
        before = [event for event in self._recent if not event.mask & FAN_ONDIR]
        news = self._folder_events(folders, waiting, now) if folders else False
        news |= self._find_roots(folders, files)
        if news:
            for event in before:
                self._files.went(event)
        written: set[tuple[bytes, bytes]] | None = None
        for event in files:
            place = self._places.where(event.folder)
            if event.mask & _GOING:
                self._recent[event] = None
                if place is None:
                    self._orphans[event] = waiting.get(event, now + PATIENCE)
            if event.mask & FAN_RENAME:
                self._files.moved(event, place or NOWHERE)
            elif place is not None and place.matters:
                if event.mask & FAN_CREATE and written is None:
                    written = {(other.folder, other.name) for other in files if other.mask & _WRITING}
                self._files.happened(event, place, bool(written and (event.folder, event.name) in written), now)
        for event in [event for event, until in self._orphans.items() if now >= until]:
            del self._orphans[event]
            if not event.mask & FAN_ONDIR:
                self._give_up(event)
        if lost or self._places.starved:
            self._places.starved = False
            self._events_lost()
        return news

    def _give_up(self, event: Event) -> None:
        """Nobody tells where this directory was. It, or one above it, may have been empty when another one was moved
        onto it, which rename(2) does without a word: then it was at one of the places that something was moved to."""
        top, below = self._places.torn(event.folder)
        move = self._places.moves.get(top)
        folders = dict.fromkeys(move.aliases if move is not None else ())
        for other in self._recent:
            if other.mask & FAN_ONDIR:
                place = self._places.where(other.new_folder) or NOWHERE
                name = os.fsdecode(other.new_name)
                folders |= dict.fromkeys(f"{folder}/{name}" for folder in (*place.told, *place.aliases))
        for folder in folders:
            self._walk.tell_truth(f"{folder}{below}/{os.fsdecode(event.name)}")

    def _events_lost(self) -> None:
        """Anything may have happened."""
        self.overflows += 1
        self._places.forget_verdicts()
        self._places.forget_paths()
        for anchor in self._anchors:
            self._find(anchor, moved=False)
        self._look_for_changes(self.good - SLACK, lossy=True)

    def _folder_events(self, events: list[Event], waiting: dict[Event, float], now: float) -> bool:
        """Take note of what they say about where directories are, and look at those that were moved. Were any?"""
        places = self._places
        renames: list[Event] = []
        changed: dict[bytes, None] = {}
        news = False
        for event in events:
            place = places.where(event.folder)
            if event.mask & FAN_RENAME:
                renames.append(event)
                if place is None and event in waiting:
                    continue
                matters = event.target in places.moves or event.target in places.ghosts
                for folder in place, places.where(event.new_folder):
                    matters |= folder is not None and folder.matters
                news |= matters
                if matters or place is None or places.moves:
                    changed[event.target] = None
                    self._recent[event] = None
            elif place is not None and place.matters:
                places.forget_verdict((*place.told, *place.aliases), os.fsdecode(event.name))
        if changed:
            self._crossed |= news and bool(places.moves or self._walk.busy)
            self._directories_moved(changed)
        for event in renames:  # only now: a directory may have been deleted since it was asked for first
            if places.where(event.folder) is None:
                self._orphans[event] = waiting.get(event, now + PATIENCE)
        return news

    def _directories_moved(self, changed: dict[bytes, None]) -> None:
        """Look at these, and at those that were moved with them a moment ago."""
        places = self._places
        places.forget_paths()
        places.forget_verdicts()
        every = [event for event in self._recent if event.mask & FAN_ONDIR]
        for _ in range(ROUNDS):
            news = {event.target for event in every if places.moved(event.target, self._former(event))}
            changed |= dict.fromkeys(news)
            places.forget_aliases()
            if not news:
                break
        for target in changed:
            self._visit_moved(target)

    def _former(self, event: Event) -> dict[str, None]:
        """The told paths of what this event says was moved."""
        return self._places.former(event.folder, os.fsdecode(event.name))

    def _left(self, key: bytes, aliases: dict[str, None]) -> None:
        """A directory is no longer where it was."""
        self._places.moved(key, aliases)
        self._places.forget_aliases()
        self._visit_moved(key)

    def _visit_moved(self, key: bytes) -> None:
        """Look at a directory that was moved, where it is now, if it is anywhere."""
        place = self._places.where(key)
        if place is not None and place.real:
            self._walk.push(Visit(place.real[0], place.told, place.aliases))

    def _find_roots(self, folders: list[Event], files: list[Event]) -> bool:
        """Look up the roots again on whose way something came or went. Were there any?"""
        found: dict[Anchor, bool] = {}
        for event in [*folders, *files]:
            if event.mask & (FAN_CREATE | _GOING):
                self._pass_step(event.folder, event.name, False, found)
                if event.mask & FAN_RENAME:
                    self._pass_step(event.new_folder, event.new_name, True, found)
        for anchor, moved in found.items():
            self._find(anchor, moved)
        if found:
            self._update_cover()
        return bool(found)

    def _pass_step(self, folder: bytes, name: bytes, moved: bool, found: dict[Anchor, bool]) -> None:
        place = self._places.where(folder)
        if place is None or not place.step:
            return
        for real in place.real:
            for anchor in self._anchors:
                if (real, os.fsdecode(name)) in anchor.steps:
                    found[anchor] = found.get(anchor, False) or moved
