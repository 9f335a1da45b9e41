"""Which file systems the roots are on, and a mark for each of them."""

from __future__ import annotations

import errno
import os

from autoreload.linux.fanotify import (
    FAN_CLOSE_WRITE,
    FAN_CREATE,
    FAN_DELETE,
    FAN_MODIFY,
    FAN_ONDIR,
    FAN_RENAME,
    Fanotify,
    key_of,
    open_key,
)
from autoreload.linux.mounts import is_below
from autoreload.watch.places import Anchor, Places
from autoreload.watch.way import Way, trace

MASK = FAN_CREATE | FAN_DELETE | FAN_RENAME | FAN_MODIFY | FAN_CLOSE_WRITE | FAN_ONDIR


class Cover:
    """The marks."""

    def __init__(self, kernel: Fanotify, places: Places) -> None:
        self._kernel = kernel
        self._places = places
        self.uncovered: dict[str, OSError] = {}
        """Mount points below the roots whose file system cannot be watched, and why."""

    def look_up(self, anchor: Anchor) -> None:
        """Take note of where the root is now, and of the way there."""
        root = anchor.root
        way: Way = trace(root.path, lambda folder: 0, fences=self._places.fences)
        anchor.steps = {(step.folder, step.name) for step in way.steps}
        if root.single:
            anchor.target = (way.steps[-1].folder, way.steps[-1].name) if way.whole and way.steps else None
            return
        if way.end is None or not os.path.isdir(way.end or "/"):
            return
        try:
            anchor.key = key_of(way.end)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                raise
            return  # it went in between: an event tells
        anchor.real = way.end

    def update(self) -> list[str]:
        """Mark every file system that the roots are on, or that is mounted below them. The mount points of all."""
        places = self._places
        points = []
        self.uncovered = {}
        for mount in places.see():
            try:
                self._try(mount.point)
                self._kernel.mark(mount.point, MASK)  # once more does no harm; and it may have been unmounted since
                places.view(mount.point)
                points.append(mount.point)
            except OSError as error:
                if not self._is_inner(mount.point):
                    raise
                self.uncovered[mount.point] = error
        return points

    def _is_inner(self, point: str) -> bool:
        """Is it below a root, and no root in it?"""
        reals = [anchor.real or "/" for anchor in self._places.anchors if anchor.real is not None]
        return not any(is_below(real, point) for real in reals) and any(is_below(point, real) for real in reals)

    def _try(self, point: str) -> None:
        """OSError if a directory cannot be found by its handle here: overlayfs and FUSE give some that lead nowhere."""
        mount = os.open(point, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.close(open_key(mount, key_of(point)))
        finally:
            os.close(mount)
