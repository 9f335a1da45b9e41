"""Roots that vanish, return, are replaced, or are reached through links that are swapped."""

from __future__ import annotations

import os
import random
import select
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from autoreload.core.change import Kind
from autoreload.linux.inotify import Inotify
from autoreload.watch.inotify import PAUSE, InotifyBackend
from tests.kernel.mirror import EVENTED, MAKERS, Maker, Mirror, Writer, maker


@pytest.fixture(params=MAKERS)
def make(request: pytest.FixtureRequest) -> Maker:
    """Each backend."""
    return maker(request.param)


@pytest.fixture(params=EVENTED)
def evented(request: pytest.FixtureRequest) -> Maker:
    """Each backend to which the kernel tells."""
    return maker(request.param)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A root two folders below what the test may do anything with."""
    tree = tmp_path / "up" / "tree"
    (tree / "a").mkdir(parents=True)
    (tree / "a" / "f.py").write_text("old")
    return tree


def silent(mirror: Mirror) -> bool:
    """Nothing is waiting to be read."""
    return not select.select([mirror.backend.fileno()], [], [], 0)[0] and mirror.backend.deadline() is None


def test_a_deleted_root_takes_its_files_and_brings_them_when_it_is_made_again(make: Maker, tree: Path) -> None:
    """And it is watched as before."""
    mirror = Mirror(tree, make=make)
    shutil.rmtree(tree)
    mirror.settle()
    assert mirror.told == {f"{tree}/a/f.py": Kind.VANISHED}
    (tree / "a").mkdir(parents=True)
    (tree / "a" / "f.py").write_text("new")
    mirror.settle()
    assert not mirror.wrong()
    (tree / "a" / "f.py").write_text("newer")
    mirror.settle()
    assert not mirror.wrong()
    mirror.close()


@pytest.mark.parametrize("what", [".", ".."], ids=["root", "parent"])
def test_a_root_moved_away_and_back_is_told_both_times(make: Maker, tree: Path, what: str) -> None:
    """Itself or the folder it is in."""
    moved = Path(os.path.normpath(tree / what))
    away = tree.parents[1] / "away"
    mirror = Mirror(tree, make=make)
    moved.rename(away)
    assert mirror.kinds(mirror.settle()) == [("vanished", "a/f.py")]
    away.rename(moved)
    assert mirror.kinds(mirror.settle()) == [("appeared", "a/f.py")]
    (tree / "a" / "f.py").write_text("new")
    mirror.settle()
    assert not mirror.wrong()
    mirror.close()


@pytest.mark.parametrize("what", [".", ".."], ids=["root", "parent"])
def test_a_root_that_was_away_for_a_moment_is_told_again(evented: Maker, tree: Path, what: str) -> None:
    """Someone may have looked meanwhile."""
    moved = Path(os.path.normpath(tree / what))
    away = tree.parents[1] / "away"
    mirror = Mirror(tree, make=evented)
    moved.rename(away)
    away.rename(moved)
    assert ("appeared", "a/f.py") in mirror.kinds(mirror.settle())
    mirror.close()


def test_a_root_exchanged_for_another_is_entered_anew(make: Maker, tree: Path) -> None:
    """By two renames without a pause."""
    other = tree.with_name("other")
    other.mkdir()
    (other / "g.py").write_text("other")
    mirror = Mirror(tree, make=make)
    tree.rename(tree.with_name("old"))
    other.rename(tree)
    assert sorted(mirror.kinds(mirror.settle())) == [("appeared", "g.py"), ("vanished", "a/f.py")]
    (tree / "g.py").write_text("new")
    mirror.settle()
    assert not mirror.wrong()
    mirror.close()


def test_a_root_that_is_missing_at_the_start_is_awaited(make: Maker, tmp_path: Path) -> None:
    """However many of its folders are missing."""
    tree = tmp_path / "not" / "yet" / "there"
    mirror = Mirror(tree, make=make)
    tree.mkdir(parents=True)
    (tree / "f.py").write_text("x")
    mirror.settle()
    assert f"{tree}/f.py" in mirror.told
    assert not mirror.wrong()
    mirror.close()


@pytest.mark.parametrize("filled", [True, False], ids=["with files", "empty"])
def test_a_root_that_is_a_current_directory_may_be_deleted_and_made_again(
    evented: Maker, tree: Path, filled: bool
) -> None:
    """The kernel does not tell of its deletion as long as a process lives in it, as the command does."""
    if not filled:
        shutil.rmtree(tree / "a")
    mirror = Mirror(tree, make=evented)
    held = os.open(tree, os.O_PATH)
    shutil.rmtree(tree)
    mirror.settle()
    tree.mkdir()
    (tree / "new.py").write_text("x")
    mirror.settle()
    assert f"{tree}/new.py" in mirror.told
    shutil.rmtree(tree)
    tree.mkdir()
    (tree / "newer.py").write_text("x")
    mirror.settle()
    assert not mirror.wrong()
    os.close(held)
    mirror.close()


@pytest.mark.parametrize("atomic", [True, False], ids=["renamed over", "unlinked and made"])
def test_a_link_on_the_way_that_is_swapped_leads_to_another_tree(make: Maker, tmp_path: Path, atomic: bool) -> None:
    """`current -> releases/42`, as deployments have it; paths stay as they were given."""
    for release in "41", "42":
        (tmp_path / "releases" / release / "src").mkdir(parents=True)
        (tmp_path / "releases" / release / "src" / f"only{release}.py").write_text(release)
        (tmp_path / "releases" / release / "src" / "both.py").write_text(release)
    current = tmp_path / "current"
    current.symlink_to("releases/41")
    mirror = Mirror(current / "src", make=make)
    if atomic:
        (tmp_path / "next").symlink_to("releases/42")
        (tmp_path / "next").rename(current)
    else:
        current.unlink()
        current.symlink_to(tmp_path / "releases" / "42")
    mirror.settle()
    assert not mirror.wrong()
    assert mirror.told == {
        f"{current}/src/only41.py": Kind.VANISHED,
        f"{current}/src/only42.py": Kind.APPEARED,
        f"{current}/src/both.py": Kind.APPEARED,
    }
    (tmp_path / "releases" / "42" / "src" / "both.py").write_text("new")
    mirror.settle()
    assert not mirror.wrong()
    (tmp_path / "releases" / "41" / "src" / "both.py").write_text("nobody's business")
    assert mirror.settle() == []
    mirror.close()


def test_a_link_that_is_itself_the_root_may_be_swapped(make: Maker, tmp_path: Path) -> None:
    """The same with the last name."""
    for name in "one", "two":
        (tmp_path / name).mkdir()
        (tmp_path / name / "f.py").write_text(name)
    link = tmp_path / "link"
    link.symlink_to("one")
    mirror = Mirror(link, make=make)
    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").rename(link)
    mirror.settle()
    assert not mirror.wrong()
    link.unlink()
    mirror.settle()
    assert mirror.told == {f"{link}/f.py": Kind.VANISHED}
    mirror.close()


def test_a_link_that_leads_nowhere_or_in_a_circle_is_awaited(make: Maker, tmp_path: Path) -> None:
    """Until it leads somewhere."""
    link = tmp_path / "link"
    link.symlink_to("link")
    mirror = Mirror(link, make=make)
    link.unlink()
    link.symlink_to("later")
    mirror.settle()
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "f.py").write_text("x")
    mirror.settle()
    assert f"{link}/f.py" in mirror.told
    mirror.close()


def test_files_beside_the_root_wake_nobody(tree: Path) -> None:
    """Nor files beside its parent; also after it was away, and in a link's folder only the link counts."""
    beside = [tree.with_name("noise"), tree.parents[1] / "noise"]
    mirror = Mirror(tree)
    assert silent(mirror)
    for _ in range(2):
        for file in beside:
            file.write_text("x")
            file.rename(file.with_name("moved"))
            file.with_name("moved").unlink()
        assert silent(mirror)
        tree.rename(tree.with_name("away"))
        mirror.settle()
        tree.with_name("away").rename(tree)
        mirror.settle()
        assert silent(mirror)
    mirror.close()


def test_an_idle_backend_is_never_woken(tree: Path) -> None:
    """Nothing to read, and no deadline: not one wake-up a day."""
    mirror = Mirror(tree)
    assert silent(mirror)
    assert mirror.read() == []
    assert silent(mirror)
    mirror.close()


def test_closing_lets_go_of_every_descriptor(evented: Maker, tree: Path) -> None:
    """As many as before."""
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        mirror = Mirror(tree, make=evented)
        shutil.rmtree(tree / "a")
        (tree / "a").mkdir()
        (tree / "a" / "f.py").write_text("x")
        mirror.settle()
        mirror.close()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.slow
def test_whatever_happens_to_a_root_and_its_parent_nothing_is_missed(evented: Maker, tmp_path: Path) -> None:
    """Deleted, moved away, moved back, made again, in any order, by someone else."""
    for seed in range(30):
        base = tmp_path / str(seed)
        tree = base / "up" / "tree"
        (tree / "a" / "b").mkdir(parents=True)
        mirror = Mirror(tree, make=evented)
        writer = Writer(lambda seed=seed, base=base: ill_treat(random.Random(seed), base))  # type: ignore[misc]
        while not writer.done():
            mirror.read()
            time.sleep(0.0005)
        mirror.settle()
        assert not mirror.wrong(), seed
        if evented is InotifyBackend:
            assert not mirror.unwatched(), seed
        if evented is InotifyBackend:
            assert mirror.leaked() == 0, seed
        mirror.close()


def ill_treat(rng: random.Random, base: Path) -> None:
    """Random operations on a root and the folder it is in; in the end it is there."""
    tree = base / "up" / "tree"
    outs = [base / "out0", base / "out1"]
    ways: list[Callable[[], object]] = [
        lambda: shutil.rmtree(tree),
        lambda: tree.rename(rng.choice(outs)),
        lambda: rng.choice(outs).rename(tree),
        lambda: (base / "up").rename(base / "up2"),
        lambda: (base / "up2").rename(base / "up"),
        lambda: (tree / "a" / "c").mkdir(parents=True),
    ]
    for number in range(12):
        try:
            rng.choice(ways)()
            (tree / "a" / f"f{number}.py").write_text(str(number))
        except OSError:
            pass
        if rng.random() < 0.3:
            time.sleep(rng.random() * 0.004)
    (tree / "a" / "last").mkdir(parents=True, exist_ok=True)
    (tree / "a" / "last" / "f.py").write_text("last")


def test_an_unreadable_directory_is_left_out_with_a_notice(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest is watched."""
    backend = Mirror(tree).backend
    assert isinstance(backend, InotifyBackend)
    kernel_add = backend._kernel.add

    def add(path: str, mask: int) -> int:
        if path.endswith("/secret"):
            raise PermissionError(13, "Permission denied", path)
        return kernel_add(path, mask)

    monkeypatch.setattr(backend._forest, "kernel", SimpleNamespace(add=add, remove=backend._kernel.remove))
    for name in "secret", "public":
        (tree / name).mkdir()
        (tree / name / "f.py").write_text("x")
    told = backend.read(time.monotonic())
    assert [change.path for change in told] == [f"{tree}/public/f.py"]
    notices = backend.notices()
    assert [notice.what for notice in notices] == [f"cannot read {tree}/secret: not watched"]
    assert backend.notices() == []
    backend.close()


def test_a_root_inside_another_goes_with_the_folder_it_is_in(evented: Maker, tree: Path) -> None:
    """And comes back with it; each of its files is told of once."""
    inner = tree / "b" / "inner"
    inner.mkdir(parents=True)
    (inner / "f.py").write_text("x")
    mirror = Mirror(tree, inner, make=evented)
    (tree / "b").rename(tree / "c")
    assert sorted(mirror.kinds(mirror.settle())) == [("appeared", "c/inner/f.py"), ("vanished", "b/inner/f.py")]
    (tree / "c").rename(tree / "b")
    assert sorted(mirror.kinds(mirror.settle())) == [("appeared", "b/inner/f.py"), ("vanished", "c/inner/f.py")]
    shutil.rmtree(inner)
    mirror.settle()
    inner.mkdir()
    (inner / "f.py").write_text("y")
    mirror.settle()
    assert not mirror.wrong()
    if evented is InotifyBackend:
        assert mirror.leaked() == 0
    mirror.close()


def test_where_a_folder_on_the_way_cannot_be_watched_the_root_is_looked_up_each_second(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a home directory of someone else: its coming and going is noticed a little later."""
    real_add = Inotify.add

    def add(self: Inotify, path: str, mask: int) -> int:
        if path == str(tree.parent):
            raise PermissionError(13, "Permission denied", path)
        return real_add(self, path, mask)

    monkeypatch.setattr(Inotify, "add", add)
    shutil.rmtree(tree)
    mirror = Mirror(tree, settled=False)
    backend = mirror.backend
    assert backend.read(0.0) == []
    tree.mkdir()
    (tree / "f.py").write_text("x")
    assert backend.deadline() == PAUSE
    assert backend.read(PAUSE / 2) == []
    assert [change.path for change in backend.read(PAUSE)] == [f"{tree}/f.py"]
    assert backend.deadline() == 2 * PAUSE
    mirror.close()
