"""Keeps the trees of watched directories in line with the disk: watch first, look second, drop last.

What a look misses because it came too early is an event in the queue, and what an event comes too late for is seen by
the look. A path may mean another directory by the time it is looked at: then an event about one of its names is in
the queue, and that name will be looked at again. So no rename cookies, no order of events, no special cases: a second
inotify_add_watch(2) on a directory that moved answers with the descriptor it has.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Protocol

from autoreload.core.change import Kind
from autoreload.linux.inotify import (
    IN_ATTRIB,
    IN_CLOSE_WRITE,
    IN_CREATE,
    IN_DELETE,
    IN_DONT_FOLLOW,
    IN_EXCL_UNLINK,
    IN_MASK_ADD,
    IN_MODIFY,
    IN_MOVED_FROM,
    IN_MOVED_TO,
    IN_ONLYDIR,
    Inotify,
)
from autoreload.watch.backend import Interest, Linked, Root
from autoreload.watch.outbox import Outbox
from autoreload.watch.tree import AS_NEW, GONE, LOST, POLLED, FileNode, Look, Node
from autoreload.watch.turns import Turns
from autoreload.watch.way import Way

HOW = IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK
NAMES = IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM
"""What changes the listing of a directory."""
TREE = HOW | NAMES | IN_CLOSE_WRITE | IN_MODIFY | IN_MASK_ADD
"""For every directory of a tree. IN_MASK_ADD: its inode may be watched for another reason as well."""

NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
_REMOVALS = 500
"""How many watches are removed at once. Each removal puts an IN_IGNORED into the queue, which must not overflow."""


class Spill(Protocol):
    """Takes what cannot be watched."""

    def add(self, root: Root, since: int) -> None:
        """Look after it. Files found there are news if their ctime is at or after `since` (ns)."""

    def drop(self, root: Root) -> list[str]:
        """No longer. The paths of all files that were known in it."""


class Guide(Protocol):
    """Decides what is watched behind links."""

    def met(self, path: str) -> bool:
        """There is a link at this path. Does it lead to a folder?"""

    def enter(self, folder: str) -> bool:
        """May this folder be watched?"""

    def left(self, folder: str) -> None:
        """It is not watched any more."""

    def may_look(self, path: str) -> bool:
        """May this be looked up on the way of a link?"""

    def judge(self, path: str, way: Way) -> Root | None:
        """The link at `path` leads this way. What to watch there; None: nothing."""

    def has(self, path: str) -> bool:
        """Is there a link at `path`, as far as known?"""


class Forest:
    """All trees, and the work that is still to be done on them."""

    def __init__(
        self,
        kernel: Inotify,
        interest: Interest,
        outbox: Outbox,
        spill: Spill | None,
        linked: Linked | None = None,
        guide: Guide | None = None,
        fences: Collection[str] = (),
    ) -> None:
        """`linked` is told of each link, and says whether it leads to a folder. `guide`: the trees are behind links.
        `fences`: mount points that must not be touched on the way to a root, see mounted.py."""
        self.kernel = kernel
        self.interest = interest
        self.outbox = outbox
        self.spill = spill
        self.linked = linked
        self.guide = guide
        self.nodes: dict[int, tuple[Node, ...]] = {}
        """By watch descriptor. Several: one inode reached by several paths (bind mounts, overlapping roots)."""
        self.roots: set[str] = set()
        """Folders that are roots: each is a tree of its own, left out by a tree around it."""
        self.fences = fences
        self.guarded: Callable[[int], bool] = lambda wd: False
        """Is this watch needed by something that is not in a tree?"""
        self.unreadable: dict[str, None] = {}
        """Directories that may not be looked into, until someone asks."""
        self.limited = 0
        """How many directories could not be watched for the limit of watches, so far."""
        self.starved = False
        """The process ran out of descriptors: what is due must wait."""
        self._work: list[Node] = []
        self._turns: Turns[Node] = Turns()
        """Work behind links: each of them has its turn, so that a small one does not wait for a large one."""
        self._leaves: list[Node] = []
        """To be looked at after all others: below them there is nothing left to be watched."""
        self._unused: set[int] = set()

    # -- work ----------------------------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Is there something to look at?"""
        return bool(self._work or self._leaves or self._turns)

    @property
    def pending(self) -> bool:
        """Is there anything left to do?"""
        return bool(self.busy or self._unused)

    def push(self, node: Node, look: Look, leaf: bool = False) -> None:
        """Look at `node` in some later `step`, before all that waits already; but for a `leaf` which has time."""
        if node.wd == POLLED:
            if self.spill is not None and look.since == 0:
                self._unspill(node, tell=True)
                self.spill.add(_as_root(node), look.since)
            return
        node.due = look if node.due is None else node.due.with_(look)
        if self.guide is None:
            (self._leaves if leaf else self._work).append(node)
        else:
            self._turns.add(id(node.top()), node)

    def step(self, until: float) -> None:
        """Look at directories until there is nothing to look at, or it is `until` (monotonic s); at one at least."""
        self.starved = False
        while (self._work or self._leaves or self._turns) and not self.starved:
            self.look((self._work or self._leaves).pop() if self._work or self._leaves else self._turns.next())
            if time.monotonic() >= until:
                return
        if not self.busy:
            self._remove_unused()

    def _remove_unused(self) -> None:
        """Now that all that was moved inside the trees has been found again, and has kept its watches."""
        for _ in range(min(_REMOVALS, len(self._unused))):
            wd = self._unused.pop()
            if wd not in self.nodes and not self.guarded(wd):
                with suppress(OSError):  # EINVAL: it went with its directory, and its IN_IGNORED is in the queue
                    self.kernel.remove(wd)

    # -- directories come and go ---------------------------------------------------------------------------------

    def plant(self, node: Node, look: Look, leaf: bool = False) -> None:
        """`node`, which is watched, becomes part of the forest. `leaf`: see `is_leaf`."""
        if node.wd == POLLED:
            if self.spill is not None:
                self.spill.add(_as_root(node), look.since)
            return
        others = self.nodes.get(node.wd)
        self.nodes[node.wd] = (node,) if others is None else (*others, node)
        self._unused.discard(node.wd)
        self.push(node, look, leaf)

    def settle(self, parent: Node, name: str, path: str, as_new: Look, leaf: bool = False) -> Node | None:
        """The node of the directory that is at `path` now, watched; None if there is none.

        A directory that was not known is to be looked at `as_new`. `leaf`: see `is_leaf`.
        """
        kid = parent.kid(name)
        if self.guide is not None and not self.guide.enter(path):
            if kid is not None:
                self.detach(kid)
            return None
        try:
            wd = self.kernel.add(path, TREE)
        except OSError as error:
            wd = self._unwatchable(path, error)
            if path in self.unreadable:
                self._await_permission(parent)
        if kid is not None:
            if kid.wd == wd:
                return kid
            self.detach(kid)
        if wd == GONE or (wd in self.nodes and parent.has_above(wd)):  # a bind mount of a directory above itself
            if self.guide is not None:
                self.guide.left(path)
            return None
        if self.guide is not None and kid is not None:
            self.guide.enter(path)  # again, as it was left
        kid = Node(name, parent, wd)
        if parent.kids is None:
            parent.kids = {}
        parent.kids[name] = kid
        self.plant(kid, as_new, leaf)
        return kid

    def _unwatchable(self, path: str, error: OSError) -> int:
        """What stands for the watch that could not be had."""
        if error.errno in (errno.ENOSPC, errno.ENOMEM):
            self.limited += 1
            return POLLED
        if error.errno in (errno.EACCES, errno.EPERM):
            self.unreadable[path] = None
        return GONE  # ENOENT, ENOTDIR, ELOOP: it went, or is something else by now; an event tells

    def _await_permission(self, node: Node | None) -> None:
        """Something in this directory may not be read: let it tell of attributes too, of all that is in it."""
        while node is not None:
            try:
                self.kernel.add(node.path() or "/", (TREE | IN_ATTRIB) & ~IN_DONT_FOLLOW)
                return
            except OSError:
                node = node.parent

    def detach(self, node: Node, tell: bool = True) -> None:
        """`node` and all below it are no longer there: `tell` so of every file known in them."""
        if node.parent is not None and node.parent.kid(node.name) is node and node.parent.kids is not None:
            del node.parent.kids[node.name]
            if not node.parent.kids:
                node.parent.kids = None
        stack = [(node, node.path())]
        while stack:
            node, path = stack.pop()
            if tell:
                for name in node.known():
                    told = node.told if isinstance(node, FileNode) else f"{path}/{name}"
                    self.outbox.tell(Kind.VANISHED, told, synthesized=True)
            if node.kids:
                stack += [(kid, f"{path}/{kid.name}") for kid in node.kids.values()]
            if node.wd == POLLED:
                self._unspill(node, tell)
            if self.guide is not None and not isinstance(node, FileNode):
                self.guide.left(path)
            self._release(node)

    def _unspill(self, node: Node, tell: bool) -> None:
        known = self.spill.drop(_as_root(node)) if self.spill is not None else []
        if tell:
            for path in known:
                self.outbox.tell(Kind.VANISHED, path, synthesized=True)

    def lose(self, wd: int) -> tuple[Node, ...]:
        """The kernel dropped this watch: the nodes it had. Whether their directories are still there is not known."""
        nodes = self.nodes.pop(wd, ())
        for node in nodes:
            node.wd = LOST
        return nodes

    def _release(self, node: Node) -> None:
        wd, node.wd, node.due = node.wd, GONE, None
        others = tuple(other for other in self.nodes.get(wd, ()) if other is not node)
        if others:
            self.nodes[wd] = others
        elif wd >= 0:
            self.nodes.pop(wd, None)
            self._unused.add(wd)

    def unguard(self, wd: int) -> None:
        """What needed this watch beside the trees needs it no longer."""
        if wd not in self.nodes:
            self._unused.add(wd)

    # -- looking -------------------------------------------------------------------------------------------------

    def look(self, node: Node) -> None:
        """Bring `node` in line with the disk, if it waits for that; its subdirectories will be looked at later."""
        look, node.due = node.due, None
        if look is None:
            return
        if isinstance(node, FileNode):
            self._look_at_file(node, look)
            return
        path = node.path()
        try:
            entries = self._entries(path or "/")
        except OSError as error:
            if error.errno in NO_DESCRIPTOR:
                self.starved = True
                self.push(node, look)
            elif error.errno in (errno.EACCES, errno.EPERM):
                self.unreadable[path] = None
                self._await_permission(node.parent)
            return
        self.interest.listed(path or "/", [entry.name for entry in entries])
        folders = self._look_at_files(node, path, entries, look)
        self._look_at_folders(node, path, folders, look)

    def _entries(self, path: str) -> list[os.DirEntry[str]]:
        with os.scandir(path) as found:
            return list(found)

    def _look_at_files(self, node: Node, path: str, entries: list[os.DirEntry[str]], look: Look) -> _Folders:
        """Tell what is new and what is gone among the files of `node`. The rest: its subdirectories."""
        tell, wants = self.outbox.tell, self.interest.wants_file
        first = not node.listed
        known = set(node.known())  # also before it was ever listed: what events told
        quiet = first or look.quiet
        # No event was lost, so what was told since the watch was set is not told again: by the time a leaf is looked at
        # the command may have been restarted for it.
        heard = known if first and look.quiet else ()
        names, folders = [], []
        for entry in entries:
            name = entry.name
            try:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry)
                    continue
                told = f"{path}/{name}"
                if self.linked is not None and entry.is_symlink() and self.linked(told):
                    continue
                if not wants(told) or not (entry.is_file(follow_symlinks=False) or entry.is_symlink()):
                    continue
                new = look.since == 0 or (not quiet and name not in known)
                if new or (name not in heard and entry.stat(follow_symlinks=False).st_ctime_ns >= look.since):
                    tell(Kind.APPEARED, told, True)
            except OSError:
                continue  # gone since it was listed: an event tells
            names.append(name)
        for name in known.difference(names):
            if wants(f"{path}/{name}"):
                tell(Kind.VANISHED, f"{path}/{name}", True)
        node.set_names(names)
        # What is new in a directory that was known is new altogether; what is new in one never seen before is as
        # new as that.
        return _Folders(folders, look if quiet else AS_NEW)

    def _look_at_folders(self, node: Node, path: str, found: _Folders, look: Look) -> None:
        seen = set()
        touched = look.since and found.entries and mtime_of(path or "/") >= look.since
        for entry in found.entries:
            name = entry.name
            below = f"{path}/{name}"
            if below in self.roots:
                continue
            if not self.interest.wants_directory(below):
                kid = node.kid(name)
                if kid is not None:
                    self.detach(kid, tell=False)
                continue
            kid = node.kid(name)
            # A quiet look comes when no event was lost: what is known has not moved unnoticed.
            moved = touched and (kid is None or not look.quiet) and may_have_moved(entry, look.since, kid is None)
            as_new = AS_NEW if moved else found.as_new
            new = self.settle(node, name, below, as_new, leaf=kid is None and is_leaf(entry))
            if new is None:
                continue
            seen.add(name)
            if new is kid and look.deep:
                self.push(kid, AS_NEW if moved else look)
        if node.kids:
            for kid in [kid for name, kid in node.kids.items() if name not in seen]:
                self.detach(kid)

    def _look_at_file(self, node: FileNode, look: Look) -> None:
        known = bool(node.known())
        quiet = not node.listed or look.quiet
        try:
            info = os.lstat(f"{node.path()}/{node.only}")
        except OSError:
            if known:
                self.outbox.tell(Kind.VANISHED, node.told, synthesized=True)
            node.set_names([])
            return
        node.set_names([node.only])
        if info.st_ctime_ns >= look.since or not (known or quiet):
            self.outbox.tell(Kind.APPEARED, node.told, synthesized=True)

    def tell_everything(self) -> int:
        """Give up finding out what changed: anything may have. How many files that are."""
        count = 0
        for nodes in list(self.nodes.values()):
            for node in nodes:
                for name in node.known():
                    count += 1
                    path = node.told if isinstance(node, FileNode) else f"{node.path()}/{name}"
                    self.outbox.tell(Kind.APPEARED, path, synthesized=True)
        return count


class _Folders:
    """The subdirectories found by a look, and how to look at those that were not known."""

    __slots__ = ("as_new", "entries")

    def __init__(self, entries: list[os.DirEntry[str]], as_new: Look) -> None:
        self.entries = entries
        self.as_new = as_new


def _as_root(node: Node) -> Root:
    return Root(node.told, single=True) if isinstance(node, FileNode) else Root(node.path() or "/")


def mtime_of(path: str) -> int:
    """ns; 0 if there is nothing."""
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def is_leaf(entry: os.DirEntry[str]) -> bool:
    """Is there no directory in this one, it seems?

    On ext4, XFS and tmpfs a directory has a link for each that is in it, and two besides; elsewhere often just one,
    which says nothing. Leaves are watched like all others, but looked at last, as nothing is found there that is to be
    watched: so a large tree is watched in a third of the time. A wrong guess changes the order and nothing else.
    """
    try:
        return entry.stat(follow_symlinks=False).st_nlink == 2
    except OSError:
        return False


def may_have_moved(entry: os.DirEntry[str], since: int, strict: bool) -> bool:
    """May this directory have been moved here at or after `since` (ns)?

    A rename sets its ctime and not its mtime; a new entry in it sets both to the same. `strict`: only if it was
    certainly not the latter, for a directory of which nothing is known yet: a command that writes __pycache__ while
    it starts would else make everything beside it news.
    """
    try:
        info = entry.stat(follow_symlinks=False)
    except OSError:
        return False
    return info.st_ctime_ns >= since and not (strict and info.st_ctime_ns == info.st_mtime_ns)
