"""What is on a file system that may not answer is not looked at here: `watch/aside.py` has a process look, and answer
soon or never. Elsewhere is what everything else asks that would touch the disk.

What is not answered is unknown, and what is unknown counts as changed.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from autoreload import content, git, scope
from autoreload.core.change import Change
from autoreload.core.filter import IGNORE_FILE
from autoreload.process import bytecode
from autoreload.warm import disk as warm
from autoreload.watch.aside import Aside
from autoreload.watch.backend import Backend, Judge, Root
from autoreload.watch.choose import POLLING, open_backend
from autoreload.watch.helper import Helper
from autoreload.watch.mounted import real_path


class Elsewhere(content.Disk, scope.Disk, warm.Disk):
    """The disk, wherever it is. It is also what the helpers know of autoreload: see `watch.farside.Near`."""

    told_names = (IGNORE_FILE, "pyvenv.cfg")
    interest: scope.Scope

    def __init__(self, backend: str, interval: float | None, born: Callable[[int], None] = lambda pid: None) -> None:
        """`backend`, `interval`: as asked for, see `open_backend`. `born` is told the pid of each helper."""
        self.born = born
        self._backend = backend if backend == POLLING else "auto"
        self._interval = interval
        self.aside = Aside(self, lambda: self.interest.outline())
        self.services = {
            "lines": scope.lines_of,
            "exists": os.path.exists,
            "inode": content.inode,
            "read": lambda *arguments: tuple(content.read(*arguments)),
            "scan": _scanned,
            "signatures": warm.signatures,
            "head": warm.head,
            "at_work": lambda *arguments: tuple(git.at_work(*arguments)),
            "remove_stale": lambda *arguments: [tuple(failure) for failure in bytecode.remove_stale(*arguments)],
        }

    # -- for whoever looks at the disk -------------------------------------------------------------------------------

    def lines(self, path: str) -> list[str] | None:
        """See `scope.Disk`."""
        helper = self.aside.of(path)
        if helper is not None:
            return helper.call("lines", path, default=None)
        return None if self.aside.is_beyond(path) else scope.lines_of(path)

    def exists(self, path: str) -> bool:
        """See `scope.Disk`."""
        helper = self.aside.of(path)
        if helper is not None:
            return helper.call("exists", path, default=False)
        return not self.aside.is_beyond(path) and os.path.exists(path)

    def inode(self, path: str) -> tuple[int, int] | None:
        """See `content.Disk`. It may be of a path that nobody watches."""
        helper = self.aside.of(path)
        if helper is not None:
            return helper.call("inode", path, default=None)
        return None if self.aside.is_beyond(path) else content.inode(path)

    def read(self, path: str, by_content: bool = True, expected: bytes = b"") -> content.Reading:
        """See `content.Disk`."""
        helper = self.aside.of(path)
        if helper is None:
            return content.read(path, by_content, expected, self.aside.is_beyond)
        found: Any = helper.call("read", path, by_content, expected, default=content.UNREADABLE)
        return content.Reading(*found)

    def scan(self, folder: str) -> Iterator[content.Entry] | None:
        """See `content.Disk`."""
        helper = self.aside.of(folder)
        if helper is None:
            return content.scan(folder, self.aside.is_beyond)
        found: Any = helper.call("scan", folder, default=None)
        return None if found is None else iter(found)

    def at_work(self, paths: Iterable[str], now: int) -> git.AtWork:
        """See `git.at_work`."""
        if not self.aside.helpers:
            return git.at_work(paths, now, self.aside.is_beyond)
        longest = git.NOT_AT_WORK
        for helper, some in _shared_out(paths, self.aside.of):
            if helper is None:
                longest = max(longest, git.at_work(some, now, self.aside.is_beyond))
            else:
                found: Any = helper.call("at_work", some[: git.MOST_FOLDERS], now, default=git.NOT_AT_WORK)
                longest = max(longest, git.AtWork(*found))
        return longest

    def remove_stale(
        self, sources: Iterable[str], environ: Mapping[str, str], directory: str
    ) -> Sequence[bytecode.Failure]:
        """See `process.bytecode.remove_stale`."""
        if not self.aside.points:
            return bytecode.remove_stale(sources, environ, directory)
        failures: list[bytecode.Failure] = []
        near, far = self._told_apart(sources)
        failures += bytecode.remove_stale(near, environ, directory, self.aside.is_beyond)
        for helper, some in _shared_out(far, self.aside.behind):
            if helper is None:
                failures += [bytecode.Failure(path, errno.ETIMEDOUT) for path in some]
                continue
            silence = [(path, errno.ETIMEDOUT) for path in some[:1]]
            said: Any = helper.call("remove_stale", some, dict(environ), directory, default=silence)
            failures += [bytecode.Failure(*failure) for failure in said]
        return failures

    def signatures(self, paths: Sequence[str]) -> Mapping[str, warm.Signature | None]:
        """See `warm.disk.Disk`."""
        if not self.aside.points:
            return warm.signatures(paths)
        near, far = self._told_apart(paths)
        found = warm.signatures(near)
        found.update(dict.fromkeys(far, warm.UNKNOWN))
        whose: dict[str, Helper | None] = {}
        for folder in {os.path.dirname(path) for path in far}:
            whose[folder] = self.aside.behind(folder)
        for helper, some in _shared_out(far, lambda path: whose[os.path.dirname(path)]):
            if helper is not None:
                said: Any = helper.call("signatures", some, default={})
                found.update(said)
        return found

    def head(self, path: str, most: int) -> bytes | None:
        """See `warm.disk.Disk`."""
        helper = self.aside.behind(path)
        if helper is not None:
            return helper.call("head", path, most, default=None)
        return None if self.aside.is_beyond(path) else warm.head(path, most)

    def real(self, path: str) -> str:
        """See `warm.disk.Disk`."""
        return real_path(path, self.aside.points) if self.aside.points else os.path.realpath(path)

    def is_beyond(self, path: str) -> bool:
        """See `warm.disk.Disk`."""
        return self.aside.is_beyond(path)

    def _told_apart(self, paths: Iterable[str]) -> tuple[list[str], list[str]]:
        """Those that may be looked at here, and those that lead to where nobody should look."""
        near: list[str] = []
        far: list[str] = []
        beyond: dict[str, bool] = {}
        for path in paths:
            folder = os.path.dirname(path)
            if folder not in beyond:  # a checkout may change thousands of files in one
                beyond[folder] = self.aside.is_beyond(folder)
            is_far = beyond[folder] or (os.path.islink(path) and self.aside.is_beyond(path))
            (far if is_far else near).append(path)
        return near, far

    # -- for the helpers ---------------------------------------------------------------------------------------------

    def forked(self) -> None:
        """See `Near`."""
        self.aside.helpers.clear()
        self.aside.points.clear()

    def heard(self, changes: Sequence[Change]) -> bool:
        """See `Near`."""
        reread = [self.interest.reread(change.path) for change in changes]
        return any(reread) or bool(self.interest.unsure and self.interest.recheck())

    def adopt(self, outline: Any) -> None:
        """See `Near`."""
        self.interest.adopt(outline)

    def open(self, roots: Sequence[Root], interest: Judge, since: int) -> Backend:
        """See `Near`."""
        return open_backend(roots, interest, since, self._backend, self._interval)


def _shared_out(paths: Iterable[str], whose: Callable[[str], Helper | None]) -> list[tuple[Helper | None, list[str]]]:
    shares: dict[Helper | None, list[str]] = {}
    for path in paths:
        shares.setdefault(whose(path), []).append(path)
    return list(shares.items())


def _scanned(folder: str) -> list[content.Entry] | None:
    try:
        return list(content.scan(folder))
    except NotADirectoryError:
        return []  # a single file: it is read when it has changed
    except OSError:
        return None
