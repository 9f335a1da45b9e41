"""A mirror that looks through links, and every backend that follows them."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from autoreload.core.change import Change, Kind
from autoreload.watch.backend import Judge, Linked, Root
from autoreload.watch.combined import CombinedBackend
from autoreload.watch.fanotify import FanotifyBackend
from autoreload.watch.fence import Fence
from autoreload.watch.inotify import InotifyBackend
from autoreload.watch.linked import Inner, LinkedBackend, Sieve
from autoreload.watch.links import MOST
from autoreload.watch.polling import PollingBackend
from tests.kernel.mirror import PATIENCE, Everything, now_ns, quiet_moment

BACKENDS = ("inotify", "fanotify", "polling", "combined", "combined fanotify")
NEAR = 0.2
"""s. What a backend wants to do later than that is the next look of a part that polls."""


def backend(
    name: str, roots: Sequence[Root], interest: Judge, since: int, most: int = MOST, fence: Fence | None = None
) -> LinkedBackend:
    """One that follows links."""

    def make(sieve: Sieve, linked: Linked) -> Inner:
        if name == "inotify":
            return InotifyBackend(roots, sieve, since, linked=linked)
        if name == "fanotify":
            return FanotifyBackend(roots, sieve, since, linked=linked)
        if name == "polling":
            return PollingBackend(roots, sieve, since, linked=linked)
        return CombinedBackend(roots, sieve, since, name.partition(" ")[2] or "auto", linked=linked)

    return LinkedBackend(roots, interest, since, make, polled=name == "polling", most=most, fence=fence)


class Through:
    """What is known of files by hearsay, with what is behind links."""

    def __init__(
        self,
        name: str,
        *roots: str | Path | Root,
        interest: Everything | None = None,
        most: int = MOST,
        reads: bool = True,
        fence: Fence | None = None,
    ) -> None:
        """`reads`: false where there is more than can be read."""
        self.name = name
        self.roots = [root if isinstance(root, Root) else Root(str(root)) for root in roots]
        self.interest = interest or Everything()
        self.backend = backend(name, self.roots, self.interest, now_ns(), most, fence)
        self.told: dict[str, Kind] = {}
        self.all: list[Change] = []
        self.files: dict[str, bytes] = {}
        self._reads = reads
        self._clock = time.monotonic()
        self.settle()
        self.told.clear()
        self.all.clear()
        self.files = self.followed() if reads else {}

    def settle(self) -> dict[str, Kind]:
        """Read until there is nothing to read. What was told last of each file meanwhile."""
        before = len(self.all)
        if self.backend.fileno() < 0:
            quiet_moment()  # what changed just now would be told once more
            for _ in range(2):
                self._look()
        else:
            self._drain()
        return {change.path: change.kind for change in self.all[before:]}

    def _look(self) -> None:
        self._clock += 1000
        while True:
            self.take(self.backend.read(self._clock))
            if (self.backend.deadline() or 0.0) > 0.0:
                break

    def _drain(self) -> None:
        end = time.monotonic() + PATIENCE
        while True:
            deadline = self.backend.deadline()
            wait = max(0.0, deadline - time.monotonic()) if deadline is not None else 0.0
            near = deadline is not None and wait < NEAR
            if not select.select([self.backend.fileno()], [], [], wait if near else 0)[0] and not near:
                return
            self.take(self.backend.read(time.monotonic()))
            assert time.monotonic() < end, "it never settles"

    def take(self, changes: list[Change]) -> None:
        """Believe what is told, and look at each file; but what is behind a link to what has paths of its own is only a
        reason to restart."""
        links = self.backend.links
        for change in changes:
            self.told[change.path] = change.kind
            text = content(change.path) if self._reads and change.kind is not Kind.VANISHED else None
            if text is None or links.is_elsewhere(change.path):
                self.files.pop(change.path, None)
            else:
                self.files[change.path] = text
        self.all += changes

    def read(self) -> None:
        """Once."""
        self.take(self.backend.read(time.monotonic()))

    def followed(self) -> dict[str, bytes]:
        """All files of the roots and of the folders that are followed, by the path they are told of."""
        found = {}
        for root in self.roots:
            for path in [root.path] if root.single else self._below(root.path):
                text = content(path)
                if text is not None:
                    found[path] = text
        return found

    def _below(self, folder: str) -> Iterator[str]:
        """The same of one folder, and of links in it."""
        for entry in os.scandir(folder):
            if os.path.isdir(entry.path):
                beyond = entry.is_symlink() or self.backend.links.follows(folder)
                if self.backend.links.follows(entry.path) if beyond else not self.interest.ignored(entry.path):
                    yield from self._below(entry.path)
            else:
                yield entry.path

    def missed(self) -> set[str]:
        """Files that are behind any link or none, and of which no path is known with what is in it."""
        known = {(os.path.realpath(path), text) for path, text in self.files.items()}
        return {path for path, text in reachable(self.roots, self.interest).items() if (path, text) not in known}

    def stale(self) -> set[str]:
        """Files that are taken for what they are not. What is known by another path is known; and where a link was
        swapped between folders that have paths of their own, what is told is a reason to restart, no more."""
        known = {(os.path.realpath(path), text) for path, text in self.files.items()}
        stale = set()
        for path, text in self.files.items():
            truth = content(path)
            elsewhere = os.path.islink(path) if truth is None else (os.path.realpath(path), truth) in known
            if truth != text and not elsewhere and not self.backend.links.is_elsewhere(path):
                stale.add(path)
        return stale

    def wrong(self) -> set[str]:
        """Of both."""
        return self.missed() | self.stale()

    def close(self) -> None:
        """Close the backend."""
        self.backend.close()


def reachable(roots: Sequence[Root], interest: Everything) -> dict[str, bytes]:
    """By its real path, every file that can be reached: the reference, which knows nothing of who claims what."""
    found: dict[str, bytes] = {}
    seen = set()
    todo = [root.path for root in roots]
    while todo:
        folder = todo.pop(0)
        info = os.stat(folder)
        if (info.st_dev, info.st_ino) in seen:
            continue
        seen.add((info.st_dev, info.st_ino))
        for entry in os.scandir(folder):
            if os.path.isdir(entry.path):
                if not interest.ignored(entry.path):
                    todo.append(os.path.realpath(entry.path) if entry.is_symlink() else entry.path)
            elif (text := content(entry.path)) is not None:
                found[os.path.realpath(entry.path)] = text
    return found


def content(path: str) -> bytes | None:
    """Through links."""
    try:
        return Path(path).read_bytes()
    except OSError:
        return None
