"""Is Git at work on these files? It says so by a lock on its index, which it holds while it changes the files.

The lock alone does not mean much: `git commit -a` holds it as long as the editor is open, and a Git that crashed leaves
it for ever. A rebase releases it between two commits, and one that stopped for its user leaves its folder. So the
answer is only how long to wait for the next change.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from typing import NamedTuple

QUIET_LOCKED = 0.5
"""Seconds without a change after which Git, though it seems to be at work, is waited for no longer."""
QUIET_JUST = 0.05
"""The same just after it was at work: several of its commands may follow each other, as in `git stash`."""
JUST = 100_000_000
"""ns since its index was written."""
BETWEEN = 500_000_000
"""ns between two commits of a rebase, at most."""
LEFT_BEHIND = 30_000_000_000
"""A lock that has been there for so many ns was left behind, or waits for a person."""
MOST_FOLDERS = 32
"""In the repositories around so many of the changed folders Git is looked for."""
_STEPS = ("rebase-merge", "rebase-apply", "sequencer")
"""What is in the folder of Git while it makes several commits: rebase; am; cherry-pick, revert."""


class AtWork(NamedTuple):
    """How long to wait, and for what."""

    quiet: float = 0.0
    sign: str = ""
    """The path of what shows it; empty if it is over."""


NOT_AT_WORK = AtWork()


def at_work(paths: Iterable[str], now: int, is_beyond: Callable[[str], bool] = lambda path: False) -> AtWork:
    """Is Git at work in a repository around one of the changed `paths`? `now`: CLOCK_REALTIME, ns. `is_beyond`: what
    leads to where nobody should look."""
    seen: set[str] = set()
    longest = NOT_AT_WORK
    for number, path in enumerate(paths):
        if number >= MOST_FOLDERS:
            break
        for repository in _repositories(path, seen, is_beyond):
            longest = max(longest, _at_work(repository, now))
    return longest


def _repositories(path: str, seen: set[str], is_beyond: Callable[[str], bool]) -> Iterable[str]:
    """The folders of Git that belong to the work trees around `path`: a submodule is in that of another."""
    folder = os.path.dirname(path)
    while folder not in seen:
        seen.add(folder)
        found = os.path.join(folder, ".git")
        repository = None if is_beyond(found) else _repository(found)
        if repository is not None and not is_beyond(repository):
            yield repository
        folder = os.path.dirname(folder)


def _repository(path: str) -> str | None:
    """The folder of Git that this `.git` is, or (in a linked work tree, a submodule) names: gitrepository-layout(5)."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)  # a pipe is not waited for
    except OSError:
        return None
    try:
        mode = os.fstat(fd).st_mode
        if stat.S_ISDIR(mode):
            return path
        line = os.fsdecode(os.read(fd, 4096)).partition("\n")[0] if stat.S_ISREG(mode) else ""
    except OSError:
        return None
    finally:
        os.close(fd)
    word, _, elsewhere = line.partition(": ")
    return os.path.join(os.path.dirname(path), elsewhere) if word == "gitdir" else None


def _at_work(repository: str, now: int) -> AtWork:
    lock = os.path.join(repository, "index.lock")
    locked = _time(lock)
    if locked and now < locked + LEFT_BEHIND:
        return AtWork(QUIET_LOCKED, lock)
    written = _time(os.path.join(repository, "index"))
    if not written or now >= written + BETWEEN:
        return NOT_AT_WORK
    for name in _STEPS:
        steps = os.path.join(repository, name)
        if os.path.lexists(steps):
            return AtWork(QUIET_LOCKED, steps)
    return AtWork(QUIET_JUST) if now < written + JUST else NOT_AT_WORK


def _time(path: str) -> int:
    """When it was changed last; 0 if it is not there."""
    try:
        return os.lstat(path).st_ctime_ns
    except (OSError, ValueError):  # a path with a zero byte, from a `.git` that is no file of Git's
        return 0
