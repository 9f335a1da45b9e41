"""Where a root is, and what to watch so that its coming and going is noticed.

All directories that a lookup of its path passes are watched. While the root is there they are silent: they tell only
if one of them is moved or deleted, so that files beside the root wake nobody; but for directories that hold a
symbolic link of the path, which tell of their names, as it may be swapped. While the root is missing all of them tell
of their names, each from before the next name is looked up, so its return cannot slip through.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from autoreload.linux.inotify import IN_DELETE_SELF, IN_DONT_FOLLOW, IN_MASK_ADD, IN_MOVE_SELF, IN_ONLYDIR
from autoreload.linux.mounts import is_below
from autoreload.watch.backend import Root
from autoreload.watch.forest import NAMES, TREE, Forest
from autoreload.watch.tree import AS_NEW, GONE, POLLED, FileNode, Look, Node
from autoreload.watch.way import Step, Way, trace

MOVED = IN_MOVE_SELF | IN_DELETE_SELF
SILENT = IN_ONLYDIR | IN_DONT_FOLLOW | MOVED
"""Replaces what the directory was watched for."""
AWAKE = SILENT | NAMES | IN_MASK_ADD


class Anchor:
    """One root: its node while it is there, and the watches held for it beside its tree."""

    __slots__ = ("awaits", "blind", "empty", "node", "real", "root")

    def __init__(self, root: Root) -> None:
        self.root = root
        self.node: Node | None = None
        self.real: str | None = None
        """Where it was found last, without links."""
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
        self.all: dict[Anchor, None] = {Anchor(root): None for root in roots}
        self.of: dict[Node, Anchor] = {}
        """By the node that it has."""
        self._by_path: dict[str, Anchor] = {}
        self._guards: dict[int, set[Anchor]] = {}
        self._awake: dict[int, int] = {}
        """How many roots need to hear of names, by watch descriptor."""
        forest.roots = {root.path.rstrip("/") for root in roots if not root.single}
        forest.guarded = self._guards.__contains__

    def guards(self, wd: int) -> set[Anchor] | None:
        """The roots that this watch is held for."""
        return self._guards.get(wd)

    def lose(self, wd: int) -> None:
        """The kernel dropped this watch."""
        self._awake.pop(wd, None)
        for anchor in self._guards.pop(wd, ()):
            anchor.awaits.pop(wd, None)

    def look_up(self, root: Root, known: Look, new: Look) -> None:
        """One more root, if it is none yet. Look at it as `known` if it was found before, else as `new`."""
        anchor = self._by_path.get(root.path)
        if anchor is None:
            anchor = self._by_path[root.path] = Anchor(root)
            self.all[anchor] = None
        self.find(anchor, known, new)

    def drop(self, anchor: Anchor) -> None:
        """It is a root no longer, and its files are told to be gone."""
        self._plant(anchor, None, AS_NEW)
        self._hold(anchor, {})
        self.all.pop(anchor, None)
        self._by_path.pop(anchor.root.path, None)

    def mounted(self, path: str) -> None:
        """Something was mounted at `path`, or unmounted: look at what is there now."""
        forest = self._forest
        for anchor in self.all:
            node, top = anchor.node, anchor.root.path.rstrip("/")
            if is_below(anchor.root.path, path):
                self.find(anchor, known=None)
                continue
            if anchor.root.single or node is None or not path.startswith(top + "/"):
                continue
            *above, name = path[len(top) + 1 :].split("/")
            for step in above:
                node = node.kid(step) if node is not None else None
            if node is None or not node.listed:
                continue
            if forest.interest.wants_directory(path):
                forest.settle(node, name, path, AS_NEW)
            elif (kid := node.kid(name)) is not None:
                forest.detach(kid)  # it is covered by what others look after

    def find(self, anchor: Anchor, known: Look | None, new: Look = AS_NEW) -> None:
        """Look the root up again. If it is the directory it was, look at it as `known`, else at what it is as `new`."""
        guide = self._forest.guide
        anchor.blind = False
        if guide is None:
            way = trace(anchor.root.path, lambda folder: self._watch(anchor, folder, AWAKE), fences=self._forest.fences)
            found = self._node(anchor, way)
        else:
            if not guide.has(anchor.root.path):
                self.drop(anchor)
                return
            way = trace(
                anchor.root.path,
                lambda folder: self._watch(anchor, folder, AWAKE),
                guide.may_look,
                self._forest.fences,
            )
            root = guide.judge(anchor.root.path, way)
            if not guide.has(anchor.root.path):
                self._hold(anchor, _awaited(way, lambda step: False))  # with what was watched just now
                self.drop(anchor)
                return
            anchor.root = root or anchor.root
            found = self._node(anchor, way) if root is not None else None
        old = anchor.node
        moved, anchor.real = way.end != anchor.real, way.end
        if found is not None and old is not None and _same(found, old) and not (moved and guide is not None):
            if known is not None:
                self._forest.push(old, known)
        else:
            self._plant(anchor, found, new)
        # A directory that is someone's current directory is not told to be deleted (inotify(7) waits for the inode to
        # be freed). Only an empty one can be: so long its parent has to tell.
        one_file = guide is not None and isinstance(anchor.node, FileNode)  # whose name is awaited all the same
        anchor.empty = anchor.node is not None and not one_file and _is_empty(anchor.node.path() or "/")
        silent = anchor.node is not None and not anchor.empty
        if guide is None:
            self._hold(anchor, _awaited(way, lambda step: step.link or not silent))
        else:  # many a link leads nowhere, for good: only the name that is missing is awaited
            last = way.steps[-1] if way.steps and (not silent or anchor.root.single) else None
            self._hold(anchor, _awaited(way, lambda step: step.link or step is last))
        if silent or guide is not None:
            for step in way.steps:
                self._silence(step)

    def _plant(self, anchor: Anchor, node: Node | None, look: Look) -> None:
        """This is its node from now on."""
        old, anchor.node = anchor.node, node
        if old is not None:
            del self.of[old]
            self._forest.detach(old)
        if node is not None:
            self.of[node] = anchor
            self._forest.plant(node, look)

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
        for wd, names in awaits.items():
            self._guards.setdefault(wd, set()).add(anchor)
            self._awake[wd] = self._awake.get(wd, 0) + bool(names)
        for wd, names in old.items():
            self._awake[wd] = self._awake.get(wd, 0) - bool(names)
        for wd in old.keys() - awaits.keys():
            guards = self._guards[wd]
            guards.discard(anchor)
            if not guards:
                del self._guards[wd], self._awake[wd]
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
        return wd in self._forest.nodes or self._awake.get(wd, 0) > 0


def _same(a: Node, b: Node) -> bool:
    if isinstance(a, FileNode) and isinstance(b, FileNode):
        return a.wd == b.wd and a.only == b.only and a.name == b.name
    return a.wd == b.wd


def _awaited(way: Way, awaits: Callable[[Step], bool]) -> dict[int, set[str]]:
    """The names on this way that are awaited, by the watch descriptor of their folder; without any for the others."""
    found: dict[int, set[str]] = {}
    for step in way.steps:
        if step.wd >= 0:
            names = found.setdefault(step.wd, set())
            if awaits(step):
                names.add(step.name)
    return found


def _is_empty(path: str) -> bool:
    try:
        with os.scandir(path) as found:
            return next(found, None) is None
    except OSError:
        return False
