"""The queue of the kernel overflows: what the lost events would have told is found by looking."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from autoreload.core.change import Kind
from autoreload.watch import inotify
from autoreload.watch.inotify import InotifyBackend
from autoreload.watch.rescue import Rescue
from tests.kernel.mirror import Mirror, Writer, quiet_moment

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def little_slack(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files made by the test itself before it begins are old."""
    monkeypatch.setattr(inotify, "SLACK", 10_000_000)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Twenty folders with five files each."""
    for number in range(20):
        folder = tmp_path / "tree" / f"d{number}" / "sub"
        folder.mkdir(parents=True)
        for file in range(5):
            (folder / f"f{file}.py").write_text("old")
    return tmp_path / "tree"


def overflow(tree: Path, count: int = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text()) + 1000) -> None:
    """Fill the queue, with events that the kernel cannot merge, and that say nothing."""
    (tree / "x").touch()
    (tree / "y").touch()
    for _ in range(count // 2):
        for name in "xy":
            os.close(os.open(tree / name, os.O_WRONLY))


def started(tree: Path) -> Mirror:
    """A mirror for which all that has happened so far is old."""
    mirror = Mirror(tree)
    time.sleep(inotify.SLACK / 1e9)
    quiet_moment()
    mirror.read()
    return mirror


def overflows(mirror: Mirror) -> int:
    """How often."""
    assert isinstance(mirror.backend, InotifyBackend)
    return mirror.backend.overflows


def test_what_changed_unheard_is_told_and_what_did_not_is_not(tree: Path) -> None:
    """Writes, also with their times set back, renames, deletions by name, directories that came, went, moved."""
    mirror = started(tree)
    overflow(tree)
    (tree / "d0/sub/f0.py").write_text("new")
    (tree / "d1/sub/f0.py").write_text("new")
    os.utime(tree / "d1/sub/f0.py", (1_000_000_000, 1_000_000_000))
    (tree / "d2/sub/f0.py").unlink()
    (tree / "d3/sub/f0.py").rename(tree / "d3/sub/renamed.py")
    (tree / "d4").rename(tree / "moved")
    shutil.rmtree(tree / "d5")
    shutil.rmtree(tree / "d6/sub")
    (tree / "d6/sub/deeper").mkdir(parents=True)
    (tree / "d6/sub/deeper/f.py").write_text("new")
    mirror.settle()
    assert overflows(mirror) == 1
    assert not mirror.wrong()
    assert not mirror.unwatched()
    assert mirror.leaked() == 0
    told = {path[len(str(tree)) + 1 :]: kind for path, kind in mirror.told.items()}
    del told["x"], told["y"]
    gone = ["d2/sub/f0.py", "d3/sub/f0.py", *(f"{d}/sub/f{k}.py" for d in ("d4", "d5", "d6") for k in range(5))]
    here = ["d0/sub/f0.py", "d1/sub/f0.py", "d3/sub/renamed.py", "d6/sub/deeper/f.py"]
    here += [f"moved/sub/f{k}.py" for k in range(5)]
    assert told == dict.fromkeys(gone, Kind.VANISHED) | dict.fromkeys(here, Kind.APPEARED)
    mirror.close()


def test_a_tree_that_was_away_while_nobody_heard_is_told_again(tree: Path) -> None:
    """It is the same, but someone may have looked meanwhile."""
    mirror = started(tree)
    overflow(tree)
    (tree / "d0").rename(tree.parent / "away")
    (tree.parent / "away").rename(tree / "d0")
    told = mirror.kinds(mirror.settle())
    assert {path for kind, path in told if kind == "appeared"} >= {f"d0/sub/f{k}.py" for k in range(5)}
    mirror.close()


def test_a_root_that_was_replaced_while_nobody_heard_is_entered_anew(tree: Path) -> None:
    """Its coming and going may be among what was lost."""
    mirror = started(tree)
    overflow(tree)
    tree.rename(tree.with_name("old"))
    tree.mkdir()
    (tree / "f.py").write_text("new")
    mirror.settle()
    assert not mirror.wrong()
    assert not mirror.unwatched()
    mirror.close()


def test_a_write_that_was_closed_unheard_is_told(tree: Path) -> None:
    """It began before the queue overflowed."""
    mirror = started(tree)
    file = tree / "d7/sub/f3.py"
    with file.open("w") as out:
        out.write("new")
        out.flush()
        mirror.settle()
        overflow(tree)
    mirror.settle()
    assert mirror.told[str(file)] is Kind.APPEARED
    mirror.close()


@pytest.mark.parametrize("there", [True, False])
def test_events_older_than_the_lost_ones_are_not_believed(
    tree: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    """Some are queued behind the event that tells of the overflow, and read when the disk was looked at already."""
    file = tree / "d8/sub/f0.py"
    mirror = started(tree)
    overflow(tree)
    monkeypatch.setattr(inotify, "BATCH", 4096)
    for _ in range(4):
        mirror.read()  # makes room for 512 events
    overflow(tree, 300)
    if there:
        file.unlink()
    else:
        file.write_text("gone soon")
    overflow(tree)
    if there:
        file.write_text("new")
    else:
        file.unlink()
    mirror.settle()
    assert not mirror.wrong()
    mirror.close()


def test_a_flood_that_goes_on_while_it_looks_leaves_nothing_stale(tree: Path) -> None:
    """It looks again until nothing was lost meanwhile."""
    for number in range(500):
        (tree / f"more{number}").mkdir()
    mirror = started(tree)

    def work(name: str) -> None:
        end, number = time.monotonic() + 1.0, 0
        while time.monotonic() < end:
            os.close(os.open(tree / f"more{number % 500}" / name, os.O_WRONLY | os.O_CREAT))
            number += 1
        (tree / "more7" / "new").mkdir(exist_ok=True)
        (tree / "more7" / "new" / name).write_text("last")

    writers = [Writer(lambda name=name: work(name)) for name in ("a.py", "b.py")]  # type: ignore[misc]
    overflow(tree)  # however few they get to write
    while any(not writer.done() for writer in writers):
        mirror.read()
    mirror.settle()
    assert overflows(mirror) > 0
    assert not mirror.wrong()
    assert not mirror.unwatched()
    mirror.close()


def test_a_flood_without_end_is_not_suffered_in_silence(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After some rounds every file counts as changed, a notice says so, and it goes on looking until it succeeds."""
    monkeypatch.setattr(inotify, "ROUNDS", 2)
    monkeypatch.setattr(inotify, "PAUSE", 0.01)
    mirror = started(tree)
    backend = mirror.backend
    assert isinstance(backend, InotifyBackend)
    overflow(tree)
    begin_round = backend._begin_round

    def begin_and_lose(rescue: Rescue) -> None:
        begin_round(rescue)
        rescue.again = rescue.rounds < 4

    monkeypatch.setattr(backend, "_begin_round", begin_and_lose)
    mirror.settle()
    assert {f"{tree}/d{d}/sub/f{k}.py" for d in range(20) for k in range(5)} <= mirror.told.keys()
    notices = [notice.what for notice in backend.notices()]
    assert notices == ["changes come faster than they can be read: taking all 102 watched files as changed"]
    assert backend._rescue is None
    assert backend.deadline() is None
    mirror.close()
