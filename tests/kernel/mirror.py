"""A copy of a tree that is told of changes by a backend alone: equal to the disk in the end if nothing was missed."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Protocol

import pytest

from autoreload.core.change import Change, Kind
from autoreload.linux.fanotify import Fanotify
from autoreload.watch.backend import Backend, Judge, Root
from autoreload.watch.choose import open_backend
from autoreload.watch.cover import MASK
from autoreload.watch.fanotify import FanotifyBackend
from autoreload.watch.inotify import InotifyBackend
from autoreload.watch.polling import PollingBackend

Maker = Callable[[list[Root], Judge, int], Backend]
MAKERS: dict[str, Maker] = {
    "inotify": InotifyBackend,
    "fanotify": FanotifyBackend,
    "polling": PollingBackend,
    "auto": open_backend,
}
EVENTED = ("inotify", "fanotify")
"""Those to which the kernel tells, so that what they say in between can be tested as well."""
PATIENCE = 30.0
"""s until a test that waits gives up."""


def maker(name: str, place: str | None = None) -> Maker:
    """That of this backend; skips the test where it is not permitted, or does not cover this place."""
    if name == "fanotify":
        try:
            kernel = Fanotify()
            kernel.mark(place or tempfile.gettempdir(), MASK)
            kernel.close()
        except OSError as error:
            pytest.skip(f"needs fanotify: {error.strerror}")
    return MAKERS[name]


class Everything:
    """Wants every file, and every folder but those of which `ignored` says yes."""

    def __init__(self, ignored: Callable[[str], bool] = lambda path: False) -> None:
        self.ignored = ignored
        self.told: list[str] = []

    def wants_directory(self, path: str) -> bool:
        """All but the ignored."""
        assert os.path.dirname(path) in self.told, f"{path} is judged before its folder was listed"
        return not self.ignored(path)

    def wants_file(self, path: str) -> bool:
        """All."""
        return True

    def counts(self, path: str) -> bool:
        """All."""
        return True

    def listed(self, directory: str, names: Collection[str]) -> None:
        """Remember that it was."""
        self.told.append(directory)


def now_ns() -> int:
    """CLOCK_REALTIME_COARSE, the clock of file times."""
    return time.clock_gettime_ns(5)


def wait_for(true: Callable[[], object], what: str) -> None:
    """Until it is, or fail."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.001)


def quiet_moment() -> int:
    """The time of files from now on (ns): later than that of all that has happened so far."""
    before = time.time_ns()
    wait_for(lambda: now_ns() > before, "the next tick")
    return now_ns()


class Mirror:
    """What is known of the files below some roots, by hearsay."""

    def __init__(
        self,
        *roots: str | Path | Root,
        make: Maker = InotifyBackend,
        interest: Judge | None = None,
        since: int | None = None,
        settled: bool = True,
    ) -> None:
        self.roots = [root if isinstance(root, Root) else Root(str(root)) for root in roots]
        self.interest = interest or Everything()
        self.since = now_ns() if since is None else since
        self.backend = make(self.roots, self.interest, self.since)
        self.files = self.disk()
        self.told: dict[str, Kind] = {}
        self.all: list[Change] = []
        self.clock = time.monotonic()
        self.settled = settled
        if settled:
            self.settle()
            self.all.clear()
            self.told.clear()

    def disk(self) -> dict[str, bytes | str]:
        """The truth: path -> content (of a link: where it leads)."""
        found = {}
        for root in self.roots:
            for path in [root.path] if root.single else _walk(root.path, self._ignored):
                content = _content(path)
                if content is not None:
                    found[path] = content
        return found

    def _ignored(self, path: str) -> bool:
        return isinstance(self.interest, Everything) and self.interest.ignored(path)

    def read(self) -> list[Change]:
        """One `read` of the backend, and a look at every file that it tells of."""
        changes = self.backend.read(time.monotonic())
        self._take(changes)
        return changes

    def _take(self, changes: list[Change]) -> None:
        for change in changes:
            self.told[change.path] = change.kind
            content = None if change.kind is Kind.VANISHED else _content(change.path)
            if content is None:
                self.files.pop(change.path, None)
            else:
                self.files[change.path] = content
        self.all += changes

    def settle(self) -> list[Change]:
        """Read until there is nothing to read. Events are in the queue when the call that caused them returns."""
        before = len(self.all)
        if self.backend.fileno() < 0:
            self._poll()
        else:
            begin, end = quiet_moment(), time.monotonic() + PATIENCE
            while self._readable() and not self._has_told_until(begin):
                self.read()
                assert time.monotonic() < end, "it never settles"
        return self.all[before:]

    def _has_told_until(self, moment: int) -> bool:
        """Everything from before it? For fanotify, to which the whole file system is never silent."""
        return self.backend.deadline() is None and self.backend.told_until() > moment

    def _readable(self) -> bool:
        deadline = self.backend.deadline()
        if deadline is not None and not isinstance(self.backend, InotifyBackend | FanotifyBackend):
            deadline = deadline if deadline == 0.0 else None  # the next look of a polling part is far away
        wait = 0.0 if deadline is None else max(0.0, deadline - time.monotonic())
        return bool(select.select([self.backend.fileno()], [], [], wait)[0]) or deadline is not None

    def _poll(self) -> None:
        """A whole look, and one more, whatever the clock says."""
        quiet_moment()  # what changed just now would be told once more
        for _ in range(2):
            self.look()

    def look(self) -> None:
        """One whole look of a backend that polls, whatever the clock says."""
        self.clock += 1000
        while True:
            self._take(self.backend.read(self.clock))
            if (self.backend.deadline() or 0.0) > 0.0:
                break

    def wrong(self) -> set[str]:
        """Files of which it has another idea than the disk, or was told last that they are (not) there, wrongly.

        Two things are forgiven before directories were looked at first. What vanished has no name to be told by. And
        an old file in a directory that was moved, and then given a new entry, which makes its times those of any other.
        """
        truth = self.disk()
        if not self.settled:
            for path in self.files.keys() - truth.keys() - self.told.keys():
                del self.files[path]
            for path in truth.keys() - self.files.keys() - self.told.keys():
                if os.lstat(path).st_ctime_ns < self.since:
                    del truth[path]
        wrong = {path for path in truth.keys() | self.files.keys() if truth.get(path) != self.files.get(path)}
        return wrong | {path for path, kind in self.told.items() if (kind is not Kind.VANISHED) != (path in truth)}

    def why(self, path: str) -> str:
        """What is known of a file, and what is true."""
        last = [f"{change.kind.value}{' (found)' * change.synthesized}" for change in self.all if change.path == path]
        return f"{self.files.get(path)!r}, in truth {_content(path)!r}, told {last[-6:]}"

    def kinds(self, changes: list[Change] | None = None) -> list[tuple[str, str]]:
        """(kind, path below the first root) of these, or of all so far."""
        top = len(self.roots[0].path) + 1
        return [(change.kind.value, change.path[top:]) for change in (self.all if changes is None else changes)]

    def unwatched(self) -> set[str]:
        """Directories on the disk without a node, and nodes that are not on the disk."""
        backend = self.backend
        assert isinstance(backend, InotifyBackend)
        nodes = {node.path() for nodes in backend._forest.nodes.values() for node in nodes}
        disk: set[str] = set()
        for root in self.roots:
            _walk(root.path, self._ignored, disk)
        return nodes ^ disk

    def leaked(self) -> int:
        """Watches that the kernel has, and that nothing needs, by asking the kernel: proc_pid_fdinfo(5)."""
        backend = self.backend
        assert isinstance(backend, InotifyBackend)
        with open(f"/proc/self/fdinfo/{backend.fileno()}") as lines:
            have = sum(line.startswith("inotify") for line in lines)
        needed = backend._forest.nodes.keys() | backend._anchors._guards.keys()
        return have - len(needed)

    def close(self) -> None:
        """Close the backend."""
        self.backend.close()


def _walk(root: str, ignored: Callable[[str], bool], folders: set[str] | None = None) -> list[str]:
    files, todo = [], [root]
    while todo:
        folder = todo.pop()
        try:
            entries = list(os.scandir(folder))
        except OSError:
            continue
        if folders is not None:
            folders.add(folder)
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                files.append(entry.path)
            elif not ignored(entry.path):
                todo.append(entry.path)
    return files


def _content(path: str) -> bytes | str | None:
    try:
        return os.readlink(path) if os.path.islink(path) else Path(path).read_bytes()
    except OSError:
        return None


class Stoppable(Protocol):
    """What has an end."""

    def done(self) -> bool:
        """Has it come?"""


class Writer:
    """A process of its own that does something to the disk."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.pid = os.fork()
        self.status: int | None = None
        if self.pid == 0:
            try:
                work()
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            sys.stderr.flush()
            os._exit(0)

    def done(self) -> bool:
        """Has it ended? Fails if it did not end well."""
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = status if pid else None
        assert not self.status, "the writer failed"
        return self.status == 0

    def stop(self) -> None:
        """End it, whatever it does."""
        if self.status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, 9)
            os.waitpid(self.pid, 0)
            self.status = 0
