"""Where a root is, and what to watch so that its coming and going is noticed.

All directories that a lookup of its path passes are watched. While the root is there they are silent: they tell only
if one of them is moved or deleted, so that files beside the root wake nobody; but for directories that hold a
symbolic link of the path, which tell of their names, as it may be swapped. While the root is missing all of them tell
of their names, each from before the next name is looked up, so its return cannot slip through.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Collection
from typing import NamedTuple

from autoreload.linux.inotify import IN_DELETE_SELF, IN_DONT_FOLLOW, IN_MASK_ADD, IN_MOVE_SELF, IN_ONLYDIR
from autoreload.watch.backend import Root
from autoreload.watch.forest import NAMES, TREE, Forest
from autoreload.watch.tree import AS_NEW, GONE, POLLED, FileNode, Look, Node

MOVED = IN_MOVE_SELF | IN_DELETE_SELF
SILENT = IN_ONLYDIR | IN_DONT_FOLLOW | MOVED
"""Replaces what the directory was watched for."""
AWAKE = SILENT | NAMES | IN_MASK_ADD
_MAX_LINKS = 40
"""As the kernel: path_resolution(7)."""


class Step(NamedTuple):
    """A name that was looked up on the way to a root."""

    wd: int
    folder: str
    """Without links."""
    name: str
    link: bool


class Way(NamedTuple):
    """How far a lookup came."""

    steps: list[Step]
    end: str | None
    """Where it ended, without links; None: something on the way is missing."""
    whole: bool
    """Every name but the last one at most was found."""


def trace(path: str, watch: Callable[[str], int], fences: Collection[str] = ()) -> Way:
    """Look `path` up name by name, each after `watch` was called with the directory it is looked up in.

    What is at one of the `fences` is not touched: it is as if it were not there.
    """
    steps: list[Step] = []
    todo = path.split("/")[::-1]
    here, links = "", 0
    while todo:
        name = todo.pop()
        if name in ("", "."):
            continue
        if name == "..":
            here = here.rpartition("/")[0]
            continue
        wd = watch(here or "/")
        if f"{here}/{name}" in fences:
            return Way([*steps, Step(wd, here, name, False)], None, whole=False)
        try:
            target = os.readlink(f"{here}/{name}")
        except OSError as error:
            steps.append(Step(wd, here, name, False))
            if error.errno == errno.EINVAL:  # there, and not a link
                here += f"/{name}"
                continue
            return Way(steps, None, whole=not any(todo))
        steps.append(Step(wd, here, name, True))
        links += 1
        if links > _MAX_LINKS:
            return Way(steps, None, whole=False)
        if target.startswith("/"):
            here = ""
        todo += target.split("/")[::-1]
    return Way(steps, here, whole=True)


class Anchor:
    """One root: its node while it is there, and the watches held for it beside its tree."""

    __slots__ = ("awaits", "blind", "empty", "node", "root")

    def __init__(self, root: Root) -> None:
        self.root = root
        self.node: Node | None = None
        self.awaits: dict[int, set[str]] = {}
        """By watch descriptor: the names whose coming and going matter in that directory; none while it is silent."""
        self.blind = False
        """Something on the way could not be watched."""
        self.empty = False
        """Nothing is in its directory: it can be deleted."""

    @property
    def needs_lookup(self) -> bool:
        """Must it be looked up from time to time? Not if it is polled: that notices as well."""
        return self.blind and not (self.node is not None and self.node.wd == POLLED)


class Anchors:
    """All roots."""

    def __init__(self, roots: list[Root], forest: Forest) -> None:
        self._forest = forest
        self.all = [Anchor(root) for root in roots]
        self._guards: dict[int, set[Anchor]] = {}
        forest.roots = {root.path.rstrip("/") for root in roots if not root.single}
        forest.guarded = self._guards.__contains__

    def guards(self, wd: int) -> set[Anchor] | None:
        """The roots that this watch is held for."""
        return self._guards.get(wd)

    def lose(self, wd: int) -> None:
        """The kernel dropped this watch."""
        for anchor in self._guards.pop(wd, ()):
            anchor.awaits.pop(wd, None)

    def find(self, anchor: Anchor, known: Look | None, new: Look = AS_NEW) -> None:
        """Look the root up again. If it is the directory it was, look at it as `known`, else at what it is as `new`."""
        anchor.blind = False
        way = trace(anchor.root.path, lambda folder: self._watch(anchor, folder, AWAKE), self._forest.fences)
        found = self._node(anchor, way)
        old = anchor.node
        if found is not None and old is not None and _same(found, old):
            if known is not None:
                self._forest.push(old, known)
        else:
            if old is not None:
                self._forest.detach(old)
            anchor.node = found
            if found is not None:
                self._forest.plant(found, new)
        awaits: dict[int, set[str]] = {}
        # A directory that is someone's current directory is not told to be deleted (inotify(7) waits for the inode to
        # be freed). Only an empty one can be: so long its parent has to tell.
        anchor.empty = anchor.node is not None and _is_empty(anchor.node.path() or "/")
        silent = anchor.node is not None and not anchor.empty
        for step in way.steps:
            if step.wd >= 0:
                names = awaits.setdefault(step.wd, set())
                if step.link or not silent:
                    names.add(step.name)
        self._hold(anchor, awaits)
        if silent:
            for step in way.steps:
                self._silence(step)

    def changed(self, anchor: Anchor) -> bool:
        """Must it be looked up again, after something came or went in its directory?"""
        node = anchor.node
        if node is None:
            return True
        path = node.path() or "/"
        try:
            wd = self._forest.kernel.add(path, (TREE | MOVED) & ~IN_DONT_FOLLOW)
        except OSError:
            return True
        if wd != node.wd:
            self._forest.unguard(wd)
            return True
        return _is_empty(path) != anchor.empty

    def _watch(self, anchor: Anchor, folder: str, mask: int) -> int:
        try:
            return self._forest.kernel.add(folder, mask)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                anchor.blind = True
            return GONE

    def _node(self, anchor: Anchor, way: Way) -> Node | None:
        """A node, watched, for what is there now."""
        forest, root = self._forest, anchor.root
        folder = way.steps[-1].folder if root.single and way.steps else way.end
        if folder is None or (root.single and not way.whole):
            return None
        try:
            wd = forest.kernel.add(folder or "/", TREE | MOVED)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                return None
            if error.errno in (errno.EACCES, errno.EPERM):
                forest.unreadable[root.path] = None
                anchor.blind = True
                return None
            if error.errno == errno.ENOSYS:  # at the first look: there are no watches at all
                raise
            forest.limited += 1
            wd = POLLED
        if root.single:
            return FileNode(folder, wd, way.steps[-1].name, root.path)
        return Node(root.path.rstrip("/"), None, wd)

    def _hold(self, anchor: Anchor, awaits: dict[int, set[str]]) -> None:
        old, anchor.awaits = anchor.awaits, awaits
        for wd in awaits:
            self._guards.setdefault(wd, set()).add(anchor)
        for wd in old.keys() - awaits.keys():
            guards = self._guards[wd]
            guards.discard(anchor)
            if not guards:
                del self._guards[wd]
                self._forest.unguard(wd)

    def _silence(self, step: Step) -> None:
        """Let this directory tell only what someone still needs to know."""
        if step.wd < 0 or self._needed(step.wd):
            return
        try:
            wd = self._forest.kernel.add(step.folder or "/", SILENT)
        except OSError:
            return  # it went: its watch tells
        if wd != step.wd and self._needed(wd):  # another directory is there by now, which should not be silent
            try:
                self._forest.kernel.add(step.folder or "/", TREE | AWAKE)
            except OSError:
                return
            for node in self._forest.nodes.get(wd, ()):
                self._forest.push(node, AS_NEW)

    def _needed(self, wd: int) -> bool:
        return wd in self._forest.nodes or any(anchor.awaits.get(wd) for anchor in self._guards.get(wd, ()))


def _same(a: Node, b: Node) -> bool:
    if isinstance(a, FileNode) and isinstance(b, FileNode):
        return a.wd == b.wd and a.only == b.only and a.name == b.name
    return a.wd == b.wd


def _is_empty(path: str) -> bool:
    try:
        with os.scandir(path) as found:
            return next(found, None) is None
    except OSError:
        return False
