"""Polling where the kernel does not say what is there, and where others tell of the same files."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autoreload.core.change import Change, Kind
from autoreload.watch.backend import Root
from autoreload.watch.known import Known
from autoreload.watch.polling import PollingBackend
from tests.kernel.mirror import Everything, quiet_moment

OTHERS = "acdefghijklm"
BROKEN = [errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOTCONN]


class Poll:
    """A tree that is polled, by a clock that is ahead."""

    def __init__(self, tree: Path) -> None:
        self.backend = PollingBackend([Root(str(tree))], Everything(), 1 << 62)
        self.clock = time.monotonic()
        self.look()

    def look(self) -> set[tuple[Kind, str]]:
        """Look at everything once; what is told."""
        self.clock += 1000
        told = self.backend.read(self.clock)
        while self.backend.deadline() == 0.0:
            told += self.backend.read(self.clock)
        return {(change.kind, change.path) for change in told}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Some folders, one of them in another."""
    for name in (*(f"{each}/f" for each in OTHERS), "b/f", "b/deep/f"):
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_text("old")
    return tmp_path / "tree"


@pytest.fixture
def fail(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets no folder at one of these paths be listed any more."""
    scandir = os.scandir

    def make(code: int, *paths: Path) -> None:
        def failing(path: Any) -> Any:
            if path in {str(each) for each in paths}:
                raise OSError(code, os.strerror(code), path)
            return scandir(path)

        monkeypatch.setattr(os, "scandir", failing)

    return make


@pytest.mark.parametrize("code", BROKEN, ids=errno.errorcode.get)
def test_what_cannot_be_looked_at_is_not_taken_for_gone(code: int, tree: Path, fail: Callable[..., None]) -> None:
    """Neither it nor what is below; all else is looked at. Nothing is certain until it can be looked at again."""
    poll = Poll(tree)
    certain = poll.backend.told_until()
    quiet_moment()
    fail(code, tree / "b")
    for name in (*OTHERS, "b", "b/deep"):
        (tree / name / "f").unlink()

    assert poll.look() == {(Kind.VANISHED, str(tree / name / "f")) for name in OTHERS}
    assert poll.backend.told_until() == certain
    fail(code)
    assert poll.look() == {(Kind.VANISHED, str(tree / name / "f")) for name in ("b", "b/deep")}
    assert poll.backend.told_until() > certain


def test_a_root_that_cannot_be_looked_at_is_not_taken_for_gone(tree: Path, fail: Callable[..., None]) -> None:
    """Not a file of it."""
    poll = Poll(tree)
    fail(errno.EMFILE, tree)
    assert poll.look() == set()
    fail(errno.EMFILE)
    (tree / "b" / "f").unlink()
    assert poll.look() == {(Kind.VANISHED, str(tree / "b" / "f"))}


def test_of_a_large_folder_thousands_of_changes_are_noted_at_once(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What others tell of is no news any more; to note that takes a time that grows with their number only."""
    for number in range(5000):
        (tree / "a" / str(number)).touch()
    poll = Poll(tree)
    told = []
    for number in range(5000):
        (tree / "a" / str(number)).write_text("new")
        told.append(Change(Kind.WRITTEN, str(tree / "a" / str(number))))
    (tree / "a" / "0").unlink()
    told.append(Change(Kind.VANISHED, str(tree / "a" / "0")))
    unpacked: list[str] = []
    get = Known.get

    def counted(known: Known[Any], path: str) -> Any:
        unpacked.append(path)
        return get(known, path)

    monkeypatch.setattr(Known, "get", counted)
    poll.backend.note(told)

    assert unpacked == [str(tree / "a")]
    assert poll.look() == set()
