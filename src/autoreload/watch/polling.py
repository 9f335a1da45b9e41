"""The backend that looks at everything again and again: for where the kernel does not tell."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence

from autoreload.core.change import Change, Kind
from autoreload.linux.clock import file_time
from autoreload.linux.mounts import is_below
from autoreload.watch.backend import Interest, Linked, Notice, Root
from autoreload.watch.forest import Guide
from autoreload.watch.mounted import is_beyond
from autoreload.watch.notices import unreadable_notice
from autoreload.watch.outbox import Outbox
from autoreload.watch.polled import UNKNOWN, Away, Folder, Tree, identity, keep, unless_away
from autoreload.watch.signature import TICK, Signature, compared, fresh, signature, step
from autoreload.watch.way import trace

SLICE = 0.005
"""s of looking in one `read`."""
INTERVAL = 1.0
"""s from one look to the next at least."""
SHARE = 50
"""And so many times what a look takes: at most 2 % of a core."""
WAITED = 0.1
"""s that a slice counts for at most if it took longer without any work: it waited for a file system that did not answer
for a while, and when that is over nobody wants to wait 50 times as long."""
LIVELY = 30.0
"""s after a change in which it looks more often, as the next one is likely to come soon."""
LIVELY_INTERVAL = 0.25
LIVELY_SHARE = 10


class PollingBackend:
    """Watches by comparing times, sizes and inodes: see `Backend` for the contract."""

    def __init__(
        self,
        roots: Sequence[Root],
        interest: Interest,
        since: int,
        interval: float | None = None,
        linked: Linked | None = None,
        guide: Guide | None = None,
        fences: Collection[str] = (),
    ) -> None:
        """`since`: CLOCK_REALTIME_COARSE, ns. `interval`: s between two looks, whatever they take; None: as above.
        `linked`, `guide`: see `Forest`. `fences`: mount points beyond which nothing is looked at.
        """
        self._linked = linked
        self._guide = guide
        self._fences = fences
        self._interval = interval
        self._lively_until = 0.0
        self._interest = interest
        self._outbox = Outbox()
        self._trees: dict[Root, Tree] = {}
        self._unreadable: dict[str, None] = {}
        self._unreadable_told: set[str] = set()
        self._next = 0.0
        self._took = 0.0
        self._pass: Iterator[None] | None = None
        self._rejudged = 0
        self._began = self._told = 0
        for root in roots:
            self.add(root, since)

    # -- the protocol --------------------------------------------------------------------------------------------

    def fileno(self) -> int:
        """None: nothing becomes readable."""
        return -1

    def deadline(self) -> float | None:
        """When the next slice is due, or the next look."""
        if not self._trees:
            return None
        return 0.0 if self._pass is not None else self._next

    def read(self, now: float) -> list[Change]:
        """Look for a slice of time, if it is time to look."""
        if self._pass is None:
            if now < self._next or not self._trees:
                return self._outbox.take()
            self._pass, self._took = self._look_at_all(), 0.0
            self._began = file_time()
        began, worked = time.monotonic(), time.thread_time()
        for _ in self._pass:
            if time.monotonic() - began >= SLICE:
                break
        else:
            self._pass = None
        self._took += max(time.thread_time() - worked, min(time.monotonic() - began, WAITED))
        if self._pass is None:
            if not any(tree.away for tree in self._trees.values()):
                self._told = self._began
            if all(tree.since is None or tree.away for tree in self._trees.values()):  # else some were added meanwhile
                self._next = now + self._pause(now)
        changes = self._outbox.take()
        if changes:
            self._lively_until = now + LIVELY
        return changes

    def _pause(self, now: float) -> float:
        if self._interval is not None:
            return self._interval
        if now < self._lively_until:
            return max(LIVELY_INTERVAL, LIVELY_SHARE * self._took)
        return max(INTERVAL, SHARE * self._took) - self._took

    def told_until(self) -> int:
        """When the last look at everything began."""
        return self._told if self._trees else file_time()

    def rejudge(self) -> None:
        """Start anew; what is found in folders that were ignored so far is no news if it is older than this."""
        self._rejudged = file_time()
        self._pass, self._next = None, 0.0

    def clock_set_back(self, by: int) -> None:
        """What is known is compared by !=; but not what is looked at for the first time."""
        self._told = max(0, self._told - by)
        self._began -= by
        self._rejudged = max(0, self._rejudged - by)
        for tree in self._trees.values():
            if tree.since:
                tree.since = max(0, tree.since - by)
        self._pass, self._next = None, 0.0

    def notices(self) -> list[Notice]:
        """What could not be read, each folder once."""
        fresh = [path for path in self._unreadable if path not in self._unreadable_told]
        self._unreadable_told.update(fresh)
        self._unreadable.clear()
        return [unreadable_notice(fresh)] if fresh else []

    def close(self) -> None:
        """Nothing is held."""

    # -- what it looks after -------------------------------------------------------------------------------------

    @property
    def complete(self) -> bool:
        """Has all been looked at once?"""
        return self._pass is None and all(tree.since is None for tree in self._trees.values())

    @property
    def directories(self) -> int:
        """How many it looks at."""
        return sum(len(tree.folders) for tree in self._trees.values())

    def directories_of(self, others: Collection[Root]) -> int:
        """How many, without those of the `others`."""
        return sum(len(tree.folders) for root, tree in self._trees.items() if root not in others)

    def add(self, root: Root, since: int) -> None:
        """Look after it. Files found there are news if their ctime is at or after `since` (ns)."""
        self._trees[root] = Tree(since)
        self._next, self._told = 0.0, 0

    def look_up(self, root: Root, since: int) -> None:
        """See whether it is where it was; if it is not looked after yet, do so from now on."""
        if root in self._trees:
            self._next = 0.0
        else:
            self.add(root, since)

    def drop(self, root: Root) -> list[str]:
        """No longer. The paths of all files that were known in it."""
        tree = self._trees.pop(root, None)
        return [f"{path}/{name}" for path, files in tree.folders.items() for name in files] if tree is not None else []

    def mounted(self, path: str) -> None:
        """A fence has come to be at this path, or is no longer there: the next look will see."""

    def drop_all(self, but: Collection[Root]) -> None:
        """No longer look after anything but these."""
        self._trees = {root: tree for root, tree in self._trees.items() if root in but}

    def note(self, changes: Iterable[Change]) -> None:
        """These have been told by someone else: as the files are now, they are no news."""
        folders: dict[str, dict[str, bool]] = {}
        for change in changes:
            folder, _, name = change.path.rpartition("/")
            folders.setdefault(folder, {})[name] = change.kind is not Kind.VANISHED
        for root, tree in self._trees.items():
            for folder, names in folders.items():
                if root.single:
                    names = {name: there for name, there in names.items() if f"{folder}/{name}" == root.path}
                if names if root.single else is_below(folder or "/", root.path):
                    files = tree.folders.get(folder) or {}
                    for name, there in names.items():
                        self._note(files, f"{folder}/{name}", there, root)
                    tree.folders[folder] = files

    def _note(self, files: dict[str, Signature], path: str, there: bool, root: Root) -> None:
        name = path[path.rfind("/") + 1 :]
        try:
            info = os.stat(path, follow_symlinks=root.single) if there else None
        except OSError:
            info = None
        if info is None:
            files.pop(name, None)
        elif step(info.st_ctime_ns) * 1e9 > TICK:
            files[name] = fresh(path, info, time.monotonic())
        else:
            files[name] = signature(info)

    # -- looking -------------------------------------------------------------------------------------------------

    def _look_at_all(self) -> Iterator[None]:
        """One look at everything, in small steps."""
        rejudged, self._rejudged = self._rejudged, 0
        looks = deque((tree, self._look_at_root(root, tree, rejudged)) for root, tree in self._trees.items())
        while looks:
            tree, look = looks.popleft()
            for _ in look:
                yield
                if self._guide is not None:  # in turns, so that little behind one link does not wait for much elsewhere
                    looks.append((tree, look))
                    break

    def _look_at_root(self, root: Root, tree: Tree, rejudged: int) -> Iterator[None]:
        tree.away = False
        tree.kept.clear()
        try:
            if is_beyond(root.path, self._fences):
                self._forget(tree)
            elif not self._is_followed(root, tree):
                return
            elif tree.single if self._guide is not None else root.single:
                self._look_at_file(root, tree)
                yield
            else:
                yield from self._look_at_tree(root, tree, rejudged)
        except Away:
            tree.away = True
        else:
            tree.since = None

    def _is_followed(self, root: Root, tree: Tree) -> bool:
        """Of what is behind a link: where does it lead now, and is that watched under its path?"""
        guide = self._guide
        if guide is None or not guide.has(root.path):
            return True
        found = guide.judge(root.path, trace(root.path, lambda folder: 0, guide.may_look, self._fences))
        if not guide.has(root.path):
            self._trees.pop(root, None)
        if found is None or found.single is not tree.single:
            self._forget(tree)
        if found is None:
            tree.since = None
            return False
        tree.single = found.single
        return True

    def _forget(self, tree: Tree) -> None:
        """What was known is told to be gone."""
        for path, files in tree.folders.items():
            self._vanished(path, files)
        tree.folders.clear()

    def _look_at_file(self, root: Root, tree: Tree) -> None:
        folder, _, name = root.path.rpartition("/")
        old = tree.folders.get(folder) or {}
        try:
            info = os.stat(root.path)
        except OSError as error:
            unless_away(error)
            if old:
                self._vanished(folder, old)
            tree.folders[folder] = {}
            return
        new, news = self._compare(root.path, info, old.get(name), tree.since or 0)
        if news:
            self._outbox.tell(Kind.APPEARED, root.path, synthesized=True)
        tree.folders[folder] = {name: new}

    def _compare(self, path: str, info: os.stat_result, known: Signature | None, since: int) -> tuple[Signature, bool]:
        """What the file looks like now; is that news? One that was not known is if it changed at `since` (ns)."""
        now = time.monotonic()
        if known is not None:
            return compared(path, info, known, now)
        news = info.st_ctime_ns >= since
        recent = abs(file_time() - info.st_ctime_ns) < step(info.st_ctime_ns) * 1e9
        return fresh(path, info, now) if recent else signature(info), news

    def _look_at_tree(self, root: Root, tree: Tree, rejudged: int) -> Iterator[None]:
        """`rejudged`: folders not known so far are no news, only what changed in them since (ns); 0: they are."""
        todo = [Folder(root.path.rstrip("/"), None, None)]
        seen = set()
        while todo:
            folder = todo.pop() if self._guide is None else todo.pop(0)
            if self._trees.get(root) is not tree:
                return  # dropped meanwhile
            try:
                key = identity(folder.path or "/", follow=folder.above is None)
                if key is None or folder.is_below(key):  # gone, or a bind mount of a folder above it
                    continue
                inner = self._look_at(folder, root, tree, rejudged)
            except Away:
                if folder.above is None:
                    raise
                keep(folder.path, root, tree)
                continue
            if inner is not None:
                seen.add(folder.path)
                todo += [Folder(path, key, folder) for path in inner if self._may_enter(path)]
            yield
        judged: dict[str, bool] = {}
        for path in [path for path in tree.folders if path not in seen]:
            if any(is_below(path, kept) for kept in tree.kept):
                continue
            files = tree.folders.pop(path)
            if self._guide is not None:
                self._guide.left(path)
            if self._is_wanted(path, root, judged):
                self._vanished(path, files)

    def _may_enter(self, folder: str) -> bool:
        return Root(folder) not in self._trees and (self._guide is None or self._guide.enter(folder))

    def _look_at(self, folder: Folder, root: Root, tree: Tree, rejudged: int) -> list[str] | None:
        """Tell what changed in this folder. The folders to look at in it; None: it cannot be looked at."""
        path = folder.path
        try:
            with os.scandir(path or "/") as found:
                entries = list(found)
        except OSError as error:
            unless_away(error)
            if isinstance(error, PermissionError):
                self._unreadable[path] = None
                return []
            return None
        self._interest.listed(path or "/", [entry.name for entry in entries])
        old = tree.folders.get(path)
        since = tree.since if tree.since is not None else rejudged if old is None else 0
        new: dict[str, Signature] = {}
        inner = []
        # Whoever was wanted before is not judged again, but for one in 64: the interest may have something else to do.
        judge = rejudged or old is None
        for number, entry in enumerate(entries):
            name = entry.name
            below = f"{path}/{name}"
            known = old.get(name) if old is not None else None
            try:
                if entry.is_dir(follow_symlinks=False):
                    if (not judge and below in tree.folders) or self._interest.wants_directory(below):
                        inner.append(below)
                    continue
                if self._linked is not None and entry.is_symlink() and self._linked(below):
                    continue
                if (judge or known is None or not number & 63) and not self._interest.wants_file(below):
                    continue
                if not (entry.is_file(follow_symlinks=False) or entry.is_symlink()):
                    continue
                info = entry.stat(follow_symlinks=False)
            except OSError as error:
                if error.errno in UNKNOWN:
                    keep(below, root, tree)
                    if known is not None:
                        new[name] = known
                elif isinstance(error, PermissionError):
                    self._unreadable[path] = None
                continue
            if known == (info.st_mtime_ns, info.st_ctime_ns, info.st_size, info.st_ino, None):
                new[name] = known
                continue
            new[name], news = self._compare(below, info, known, since)
            if news:
                self._outbox.tell(Kind.APPEARED, below, synthesized=True)
        if old:
            self._vanished(path, old.keys() - new.keys())
        tree.folders[path] = new
        return inner

    def _vanished(self, path: str, names: Iterable[str]) -> None:
        for name in names:
            self._outbox.tell(Kind.VANISHED, f"{path}/{name}", synthesized=True)

    def _is_wanted(self, path: str, root: Root, judged: dict[str, bool]) -> bool:
        """Is a folder that was not seen gone, not ignored by now (itself, or one above it)?"""
        if len(path) <= len(root.path.rstrip("/")):
            return True
        if path not in judged:
            above = path.rpartition("/")[0]
            judged[path] = self._is_wanted(above, root, judged) and self._interest.wants_directory(path)
        return judged[path]
