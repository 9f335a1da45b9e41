"""What fanotify's events say of files, told by the paths under which those who watch know them."""

from __future__ import annotations

import os
import stat

from autoreload.core.change import Kind
from autoreload.linux.fanotify import FAN_CLOSE_WRITE, FAN_CREATE, FAN_DELETE, FAN_MODIFY, Event
from autoreload.watch.created import Doubts
from autoreload.watch.outbox import Outbox
from autoreload.watch.places import NOWHERE, Place, Places
from autoreload.watch.walk import Walk


class FileEvents:
    """Tells of one event at a time, once it is known where directories are.

    An event may say several things, in no order, and the disk has the last word on whether the file is there.
    """

    def __init__(self, places: Places, outbox: Outbox, walk: Walk) -> None:
        self._places = places
        self._outbox = outbox
        self._walk = walk
        self.doubts = Doubts()
        """Files that were made, and perhaps complete."""

    def happened(self, event: Event, place: Place, written: bool, now: float) -> None:
        """In `place`. `written`: events say that this name is being written to. `now`: monotonic s."""
        if event.mask & FAN_CREATE:
            self._walk.meet_link(place.told, os.fsdecode(event.name))
        for path in self._paths(place, os.fsdecode(event.name)):
            self._happened(event, path, written, now)
        if event.mask & FAN_DELETE:
            self.went(event)

    def moved(self, event: Event, place: Place) -> None:
        """A file was renamed, which was in `place`."""
        old, new = os.fsdecode(event.name), os.fsdecode(event.new_name)
        for path in self._paths(place, old):
            self._came_or_went(path, event.pid)
        self.went(event)
        new_place = self._places.where(event.new_folder) or NOWHERE
        self._walk.meet_link(new_place.told, new)
        for path in self._paths(new_place, new):
            self._came_or_went(path, event.pid)

    def went(self, event: Event) -> None:
        """It went from a directory which perhaps was elsewhere a moment ago: look there."""
        place = self._places.where(event.folder)
        for folder in place.aliases if place is not None else ():
            self._walk.tell_truth(f"{folder}/{os.fsdecode(event.name)}")

    def _paths(self, place: Place, name: str) -> list[str]:
        """The paths by which a wanted file of this name in this directory is told of."""
        wants = self._places.interest.wants_file
        paths = [path for path in (f"{folder}/{name}" for folder in place.told) if wants(path)]
        if place.step:
            paths += [
                anchor.root.path
                for anchor in self._places.anchors
                if anchor.root.single and anchor.target is not None
                if anchor.target[1] == name and anchor.target[0] in place.real and anchor.root.path not in paths
            ]
        return paths

    def _came_or_went(self, path: str, pid: int) -> None:
        self.doubts.settle(path)
        there = os.path.lexists(path)
        self._outbox.tell(Kind.APPEARED if there else Kind.VANISHED, path, pid=pid)

    def _happened(self, event: Event, path: str, written: bool, now: float) -> None:
        """What happened to one file, by all that is merged in this event."""
        mask, pid = event.mask, event.pid
        if mask != FAN_CREATE:
            self.doubts.settle(path)
        try:
            mode = os.lstat(path).st_mode
            writable = stat.S_ISREG(mode) or stat.S_ISLNK(mode)  # a link: of a single file, to what was written
        except OSError:
            if mask & FAN_DELETE:
                self._outbox.tell(Kind.VANISHED, path, pid=pid)
            return  # else its event follows, or came before
        if mask == FAN_DELETE:  # and made again, of which there are other events
            self._outbox.tell(Kind.VANISHED, path, pid=pid)
        if mask & FAN_CLOSE_WRITE and writable:
            self._outbox.tell(Kind.WRITTEN, path, pid=pid)
            return
        if mask & FAN_CREATE:
            kind = self.doubts.judge(path, path, written, now)
            if kind is not None:
                self._outbox.tell(kind, path, pid=pid)
        if mask & FAN_MODIFY and writable:
            self._outbox.tell(Kind.MODIFIED, path, pid=pid)
