"""Where directories are that fanotify names by handle, and by which paths those who watch know them.

A handle is looked up when an event names it, which may be later than the event. So there are three kinds of paths: the
*real* ones, where the directory is now; the *told* ones, by which the roots reach it; and *aliases*: told paths that it
had until it was moved, a moment ago. A directory that was deleted meanwhile has no path any more, but the event of its
deletion names the directory it was in, so its last path can be put together.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Collection
from typing import NamedTuple

from autoreload.linux.fanotify import file_system, open_key
from autoreload.linux.mounts import Mount, is_below, mount_of, mounts, mounts_below
from autoreload.watch.backend import Interest, Root
from autoreload.watch.forest import NO_DESCRIPTOR

KEPT = 8192
"""Directories whose place is remembered, and folders whose verdict is."""
ROUNDS = 3
"""Moves within moves are followed so far, when they come in one handful of events."""
MOST_ALIASES = 32
"""Of one directory. Directories that are moved into each other again and again would have more and more of them."""
_DELETED = " (deleted)"
"""What /proc/self/fd adds to the path of what has none any more: proc_pid_fd(5)."""


class Place(NamedTuple):
    """A directory. Paths are "" for the root directory: always `path + "/" + name` for what is in it."""

    real: tuple[str, ...]
    """Several if it is seen through several mounts."""
    told: tuple[str, ...]
    """Wanted ones only."""
    aliases: tuple[str, ...]
    step: bool
    """Is it on the way to a root?"""

    @property
    def matters(self) -> bool:
        """Is anything in it worth hearing of?"""
        return bool(self.told or self.aliases or self.step)


NOWHERE = Place((), (), (), False)


class Anchor:
    """One root, and where it is."""

    __slots__ = ("key", "real", "root", "steps", "target", "told")

    def __init__(self, root: Root) -> None:
        self.root = root
        self.told = root.path.rstrip("/")
        self.real: str | None = None
        """Where it was seen last; stays while it is missing."""
        self.key: bytes | None = None
        """Of its directory; None while it is missing."""
        self.target: tuple[str, str] | None = None
        """Of a single file: the folder and name its path leads to; None while something on the way is missing."""
        self.steps: set[tuple[str, str]] = set()
        """Folder and name of all that is looked up on the way to it."""


class Move:
    """A directory that was moved just now."""

    __slots__ = ("aliases", "key")

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.aliases: dict[str, None] = {}


class Places:
    """All that is known of directories."""

    def __init__(self, interest: Interest, anchors: list[Anchor], fences: Collection[str] = ()) -> None:
        """`fences`: mount points that must not be touched, see mounted.py."""
        self.interest = interest
        self.anchors = anchors
        self.fences = fences
        self.views: dict[bytes, list[str]] = {}
        """By file system: the mount points through which what is on it may be seen from the roots."""
        self.circular: set[str] = set()
        """Mount points below a root where a directory above them is mounted."""
        self.moves: dict[bytes, Move] = {}
        self.ghosts: dict[bytes, tuple[bytes, str]] = {}
        """Directories that were deleted just now: the directory each was in, and its name."""
        self.starved = False
        """The process ran out of descriptors, so that an event was heard of a directory that nobody could look up."""
        self._folder_roots = {anchor.told for anchor in anchors if not anchor.root.single}
        self._steps: set[str] = set()
        self._found: dict[bytes, tuple[str, ...] | None] = {}
        self._places: dict[bytes, Place] = {}
        self._listed: set[str] = set()
        self._wanted: dict[str, bool] = {}

    # -- mounts ----------------------------------------------------------------------------------------------------

    def see(self) -> list[Mount]:
        """Find out through which mounts the roots are seen: those mounts, each file system's roots first."""
        table = [mount for mount in mounts() if not any(is_below(mount.point, fence) for fence in self.fences)]
        wanted: dict[int, Mount] = {}
        self.views, self.circular = {}, set()
        reals = [anchor.real for anchor in self.anchors if anchor.real is not None and not anchor.root.single]
        for folder in [*reals, *self.steps_that_may_change()]:
            mount = mount_of(folder or "/", table)
            if mount is not None:
                wanted[mount.id] = mount
        for folder in reals:
            for mount in mounts_below(folder or "/", table):
                wanted[mount.id] = mount
                if _is_circular(mount.point, folder):
                    self.circular.add(mount.point)
        self.forget_paths()
        return [mount for mount in wanted.values() if mount.point not in self.circular]

    def view(self, point: str) -> None:
        """What is on the file system mounted here can be seen through this mount."""
        self.views.setdefault(file_system(point), []).append(point)

    def steps_that_may_change(self) -> set[str]:
        """Folders of links on the way to a root, and of what is missing on it."""
        found = set()
        for anchor in self.anchors:
            for folder, name in anchor.steps:
                path = f"{folder}/{name}"
                if anchor.root.single or path in self.fences or not os.path.lexists(path) or os.path.islink(path):
                    found.add(folder)
        return found

    # -- from handle to place --------------------------------------------------------------------------------------

    def where(self, key: bytes) -> Place | None:
        """Where this directory is, or was until it was deleted; None: it is gone, and nobody knows from where (yet)."""
        torn: list[tuple[bytes, str]] = []
        place = self._places.get(key)
        while place is None:
            real = self._real(key)
            if real is not None:
                place = self._place(key, real, {})
            elif key in self.ghosts:
                above, name = self.ghosts[key]
                torn.append((key, name))
                key, place = above, self._places.get(above)
            else:
                return None
        for key, name in reversed(torn):
            real = tuple(f"{path}/{name}" for path in place.real)
            place = self._place(key, real, self._within(place.aliases, name))
        return place

    def _place(self, key: bytes, real: tuple[str, ...], aliases: dict[str, None]) -> Place:
        """Of a directory that is, or was until it was deleted, at `real`."""
        if self.moves:
            aliases |= self._aliases(key, real)
        told = self.told(real)
        place = Place(real, told, tuple(_first(aliases)), any(path in self._steps for path in real))
        if len(self._places) >= KEPT:
            self._places.clear()
        self._places[key] = place
        return place

    def _real(self, key: bytes) -> tuple[str, ...] | None:
        """Its paths; None if it is gone."""
        try:
            return self._found[key]
        except KeyError:
            pass
        if len(self._found) >= KEPT:
            self._found.clear()
        found: dict[str, None] | None = {}
        for point in self.views.get(key[:4], ()):
            try:
                path = self._look_up(point, key)
            except OSError as error:
                if error.errno in NO_DESCRIPTOR:
                    self.starved = True
                if error.errno == errno.ESTALE:
                    found = None
                    break
                continue  # ENOTDIR; or the mount is gone, of which there will be news
            if path is None:
                found = None
                break
            if found is not None:
                found[path] = None
        self._found[key] = real = tuple(found) if found is not None else None
        return real

    def _look_up(self, point: str, key: bytes) -> str | None:
        # Opened for this moment only: an open file keeps the file system from being unmounted.
        mount = os.open(point, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            opened = open_key(mount, key)
        finally:
            os.close(mount)
        try:
            path, before = os.readlink(f"/proc/self/fd/{opened}"), None
            while not self._is_at(opened, path):
                if _is_deleted(opened, path):
                    return None
                if path == before:
                    # A handle may lead to what is not part of this mount, or is covered by another one: then the
                    # path that the kernel gives is that of something else, or of nothing.
                    raise OSError(errno.EXDEV, "not where the mount says", path)
                # Or it was moved or deleted since the kernel was asked.
                path, before = os.readlink(f"/proc/self/fd/{opened}"), path
        finally:
            os.close(opened)
        return path.rstrip("/")

    def _is_at(self, opened: int, path: str) -> bool:
        """Is it this directory that is at `path`? Yes, if nobody cares."""
        if _is_deleted(opened, path):
            return False
        if not self._may_matter(path):
            return True
        here = os.fstat(opened)
        try:
            there = os.stat(path, follow_symlinks=False)
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)

    def _may_matter(self, path: str) -> bool:
        return path.rstrip("/") in self._steps or any(
            is_below(path, anchor.real or "/")
            for anchor in self.anchors
            if anchor.real is not None and not anchor.root.single
        )

    def told(self, real: tuple[str, ...]) -> tuple[str, ...]:
        """The paths by which the roots reach a folder that is at `real`."""
        found: dict[str, None] = {}
        for anchor in self.anchors:
            if anchor.root.single or anchor.real is None:
                continue
            for path in real:
                if is_below(path, anchor.real or "/"):
                    told = anchor.told + path[len(anchor.real) :]
                    if self._reaches(anchor.told, told):
                        found[told] = None
        return tuple(found)

    def is_behind_link(self, told: str) -> bool:
        """Is a link on the way to this path, by now, where a folder of a root was?"""
        folder = os.path.dirname(told)
        while len(folder) > 1 and folder not in self._folder_roots:
            if os.path.islink(folder):
                return True
            folder = os.path.dirname(folder)
        return False

    def _reaches(self, root: str, told: str) -> bool:
        """Is nothing on the way from this root to this folder ignored, or a root of its own?"""
        end = told.find("/", len(root) + 1)
        while len(told) > len(root):
            folder = told if end < 0 else told[:end]
            if not self.wants(folder):
                return False
            if end < 0:
                break
            end = told.find("/", end + 1)
        return True

    def torn(self, key: bytes) -> tuple[bytes, str]:
        """The topmost directory that the events of deletions lead to from this one, and the way back down ("/a/b")."""
        below = ""
        while key in self.ghosts:
            key, name = self.ghosts[key]
            below = f"/{name}{below}"
        return key, below

    # -- what is wanted --------------------------------------------------------------------------------------------

    def wants(self, folder: str) -> bool:
        """Is this folder, whose parent is wanted, part of a tree?"""
        if folder in self._folder_roots:
            return False
        verdict = self._wanted.get(folder)
        if verdict is None:
            self.list(folder.rpartition("/")[0])
            if len(self._wanted) >= KEPT:
                self._wanted.clear()
            verdict = self._wanted[folder] = self.interest.wants_directory(folder)
        return verdict

    def list(self, folder: str, names: list[str] | None = None) -> None:
        """Tell what is in it, once. `names`, if known just now, always."""
        if names is None:
            if folder in self._listed:
                return
            try:
                names = os.listdir(folder or "/")
            except OSError:
                names = []
        if len(self._listed) >= KEPT:
            self._listed.clear()
        self._listed.add(folder)
        self.interest.listed(folder or "/", names)

    # -- what changes it -------------------------------------------------------------------------------------------

    def moved(self, key: bytes, aliases: dict[str, None]) -> bool:
        """This directory was at `aliases`, as told, until a moment ago. Was that news?"""
        if not aliases:
            return False
        move = self.moves.setdefault(key, Move(key))
        before = len(move.aliases)
        move.aliases = _first(move.aliases | aliases)
        return len(move.aliases) != before

    def former(self, folder: bytes, name: str) -> dict[str, None]:
        """The told paths of a directory that was `name` in `folder`."""
        place = self.where(folder)
        return self._within((*place.told, *place.aliases), name) if place is not None else {}

    def _within(self, folders: tuple[str, ...], name: str) -> dict[str, None]:
        return {path: None for path in (f"{folder}/{name}" for folder in folders) if self.wants(path)}

    def _aliases(self, key: bytes, real: tuple[str, ...]) -> dict[str, None]:
        own = self.moves.get(key)
        found = dict(own.aliases) if own is not None else {}  # first, as there may be too many
        for move in list(self.moves.values()):
            if move.key == key:
                continue
            for top in self._real(move.key) or ():
                for path in real:
                    if path != top and is_below(path, top):
                        for alias in move.aliases:
                            if self._reaches(alias, alias + path[len(top) :]):
                                found[alias + path[len(top) :]] = None
        return found

    def forget_paths(self) -> None:
        """Directories were moved, or roots are elsewhere."""
        self._found.clear()
        self._places.clear()
        self._steps = {folder for anchor in self.anchors for folder, _ in anchor.steps}

    def forget_aliases(self) -> None:
        """All events about what was moved have been seen."""
        self._places.clear()

    def forget_verdict(self, folders: tuple[str, ...], name: str) -> None:
        """This directory came or went."""
        for folder in folders:
            self._wanted.pop(f"{folder}/{name}", None)
            self._listed.discard(f"{folder}/{name}")

    def forget_verdicts(self) -> None:
        """The interest has changed its mind, or directories were moved."""
        self._listed.clear()
        self._wanted.clear()
        self._places.clear()

    def settled(self) -> None:
        """Nothing is left to be told of what was moved or deleted."""
        self.ghosts.clear()
        if self.moves:
            self.moves.clear()
            self.forget_paths()


def _is_deleted(opened: int, path: str) -> bool:
    return os.fstat(opened).st_nlink == 0 or (path.endswith(_DELETED) and not os.path.lexists(path))


def _first(aliases: dict[str, None]) -> dict[str, None]:
    return aliases if len(aliases) <= MOST_ALIASES else dict.fromkeys(list(aliases)[:MOST_ALIASES])


def _is_circular(point: str, root: str) -> bool:
    """Is a directory mounted here that is above it, up to the root?"""
    try:
        here = os.stat(point)
        folder = point
        while folder != (root or "/") and folder != "/":
            folder = os.path.dirname(folder)
            above = os.stat(folder)
            if (above.st_dev, above.st_ino) == (here.st_dev, here.st_ino):
                return True
    except OSError:
        pass
    return False
