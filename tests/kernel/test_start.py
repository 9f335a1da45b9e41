"""In which order a tree is looked at when it is watched first: directories with nothing below them come last."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from autoreload.core.change import Change
from autoreload.watch import inotify
from autoreload.watch.backend import Root
from autoreload.watch.inotify import InotifyBackend
from tests.kernel.mirror import Everything, now_ns, quiet_moment

TOPS, LEAVES = 10, 20


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Ten folders, and twenty in each of them, with a file each."""
    for top in range(TOPS):
        for leaf in range(LEAVES):
            folder = tmp_path / f"top{top}" / f"leaf{leaf}"
            folder.mkdir(parents=True)
            (folder / "file.py").write_text("old")
    return tmp_path


@pytest.fixture(autouse=True)
def one_directory_a_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a test can act between any two of them."""
    monkeypatch.setattr(inotify, "SLICE", 0.0)


def read(backend: InotifyBackend, count: int) -> list[Change]:
    """So many times."""
    return [change for _ in range(count) for change in backend.read(time.monotonic())]


def heard(changes: list[Change]) -> set[str]:
    """The files that events told of."""
    return {change.path for change in changes if not change.synthesized}


def found(changes: list[Change]) -> set[str]:
    """The files of which looking told."""
    return {change.path for change in changes if change.synthesized}


def test_all_directories_are_watched_before_the_leaves_are_looked_at(tree: Path) -> None:
    """So in a large tree a save is noticed long before all of it has been looked at."""
    if os.stat(tree / "top0" / "leaf0").st_nlink != 2:
        return  # this file system does not tell leaves: they are watched all the same, a little later
    backend = InotifyBackend([Root(str(tree))], Everything(), quiet_moment())
    assert read(backend, 1 + TOPS) == []
    files = {str(tree / f"top{top}" / f"leaf{leaf}" / "file.py") for top in range(TOPS) for leaf in range(LEAVES)}
    for file in files:
        Path(file).write_text("new")

    assert heard(read(backend, 1)) == files
    assert backend.told_until() == 0  # the leaves are still to be looked at
    backend.close()


def test_a_file_saved_before_its_folder_is_looked_at_is_told_once(tree: Path) -> None:
    """Its event did: to tell it again when the folder is found to hold it would be a restart in vain."""
    backend = InotifyBackend([Root(str(tree))], Everything(), quiet_moment())
    read(backend, 1 + TOPS)
    file = tree / "top3" / "leaf7" / "file.py"
    file.write_text("new")
    assert heard(read(backend, 1)) == {str(file)}

    assert read(backend, TOPS * LEAVES) == []
    assert backend.told_until() > 0
    backend.close()


def test_a_file_saved_before_its_folder_is_watched_is_found_by_looking(tree: Path) -> None:
    """In a leaf too, though that is looked at last; but not one beside it that an event told of."""
    backend = InotifyBackend([Root(str(tree))], Everything(), now_ns())
    early, late = tree / "top3" / "leaf7" / "file.py", tree / "top3" / "leaf7" / "other.py"
    early.write_text("new")
    told = read(backend, 1 + TOPS)
    late.write_text("new")

    told += read(backend, 1 + TOPS * LEAVES)
    assert str(late) in heard(told)
    assert str(early) in found(told)
    assert str(late) not in found(told)
    backend.close()
