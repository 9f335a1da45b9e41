"""Directories that come, go, move, are ignored or not; and git."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from autoreload.core.change import Kind
from autoreload.watch.backend import Root
from autoreload.watch.inotify import InotifyBackend
from tests.kernel.mirror import EVENTED, MAKERS, Everything, Maker, Mirror, Writer, maker, quiet_moment


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
    """Two folders with two files."""
    tree = tmp_path / "tree"
    for name in "a/x.py", "b/c/y.py":
        (tree / name).parent.mkdir(parents=True)
        (tree / name).write_text("old")
    return tree


@pytest.mark.slow
def test_a_file_made_in_the_same_instant_as_its_folders_is_never_missed(evented: Maker, tree: Path) -> None:
    """A thousand of them; what a watch was too late for is found by looking."""
    mirror = Mirror(tree, make=evented)

    def work(start: int) -> None:
        for number in range(start, start + 20):
            folder = tree / f"t{number}" / "b" / "c"
            folder.mkdir(parents=True)
            (folder / "f.py").write_text(str(number))

    for start in range(0, 1000, 20):
        writer = Writer(lambda start=start: work(start))  # type: ignore[misc]
        while not writer.done():
            mirror.read()
    mirror.settle()
    missed = [number for number in range(1000) if f"{tree}/t{number}/b/c/f.py" not in mirror.told]
    assert missed == []
    assert not mirror.wrong()
    mirror.close()


def test_an_empty_directory_says_nothing(make: Maker, tree: Path) -> None:
    """It brings nothing and takes nothing."""
    mirror = Mirror(tree, make=make)
    (tree / "new" / "er").mkdir(parents=True)
    (tree / "new").rename(tree / "newer")
    shutil.rmtree(tree / "newer")
    assert mirror.settle() == []
    mirror.close()


def test_a_renamed_directory_takes_its_files_along(make: Maker, tree: Path) -> None:
    """Each vanishes by its old path and appears by its new one, and is watched there."""
    mirror = Mirror(tree, make=make)
    (tree / "b").rename(tree / "z")
    told = mirror.kinds(mirror.settle())
    assert sorted(told) == [("appeared", "z/c/y.py"), ("vanished", "b/c/y.py")]
    (tree / "z" / "c" / "y.py").write_text("new")
    mirror.settle()
    assert not mirror.wrong()
    mirror.close()


def test_a_directory_moved_out_takes_its_files_and_is_no_longer_watched(make: Maker, tree: Path) -> None:
    """What happens to it elsewhere concerns nobody."""
    mirror = Mirror(tree, make=make)
    away = tree.parent / "away"
    (tree / "b").rename(away)
    assert mirror.kinds(mirror.settle()) == [("vanished", "b/c/y.py")]
    (away / "c" / "y.py").write_text("new")
    assert mirror.settle() == []
    if make is InotifyBackend:
        assert mirror.leaked() == 0
    mirror.close()


def test_a_directory_moved_in_brings_its_files(make: Maker, tree: Path) -> None:
    """However old they are."""
    away = tree.parent / "away"
    (away / "deep").mkdir(parents=True)
    (away / "deep" / "old.py").write_text("x")
    mirror = Mirror(tree, make=make)
    away.rename(tree / "in")
    assert mirror.kinds(mirror.settle()) == [("appeared", "in/deep/old.py")]
    mirror.close()


def test_a_directory_that_was_away_for_a_moment_is_told_again(evented: Maker, tree: Path) -> None:
    """Someone may have looked meanwhile, and found nothing."""
    mirror = Mirror(tree, make=evented)
    (tree / "b").rename(tree.parent / "away")
    (tree.parent / "away").rename(tree / "b")
    assert mirror.kinds(mirror.settle()) == [("appeared", "b/c/y.py")]
    mirror.close()


def test_a_deleted_directory_names_its_files(make: Maker, tree: Path) -> None:
    """Each of them."""
    mirror = Mirror(tree, make=make)
    shutil.rmtree(tree / "b")
    assert mirror.kinds(mirror.settle()) == [("vanished", "b/c/y.py")]
    mirror.close()


def test_a_directory_in_the_place_of_a_file_and_back(make: Maker, tree: Path) -> None:
    """A name may be anything by turns."""
    mirror = Mirror(tree, make=make)
    name = tree / "a" / "x.py"
    name.unlink()
    name.mkdir()
    (name / "inner.py").write_text("x")
    mirror.settle()
    assert not mirror.wrong()
    shutil.rmtree(name)
    name.write_text("file again")
    mirror.settle()
    assert not mirror.wrong()
    mirror.close()


@pytest.mark.slow
def test_copies_and_renames_of_big_trees_by_someone_else(evented: Maker, tree: Path) -> None:
    """While they are going on and thereafter."""
    for number in range(300):
        folder = tree / f"p{number % 30}" / f"q{number % 7}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"f{number}.py").write_text(str(number))
    mirror = Mirror(tree, make=evented)

    def work() -> None:
        for _ in range(4):
            shutil.copytree(tree / "p1", tree / "copy" / "deep")
            shutil.copytree(tree / "p2", tree / "copy" / "deeper" / "still")
            (tree / "copy").rename(tree / "copy2")
            shutil.rmtree(tree / "p1")
            (tree / "copy2" / "deep").rename(tree / "p1")
            shutil.rmtree(tree / "copy2")

    writer = Writer(work)
    while not writer.done():
        mirror.read()
    mirror.settle()
    assert not mirror.wrong()
    if evented is InotifyBackend:
        assert not mirror.unwatched()
    if evented is InotifyBackend:
        assert mirror.leaked() == 0
    mirror.close()


@pytest.mark.slow
@pytest.mark.needs("git")
def test_a_checkout_of_many_files(evented: Maker, tmp_path: Path) -> None:
    """All that git wrote, moved and deleted is known in the end."""
    tree = tmp_path / "repository"
    tree.mkdir()

    def git(*words: str) -> None:
        call = ["git", "-C", str(tree), "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "core.fsync=none"]
        subprocess.run([*call, *words], check=True, capture_output=True)

    git("init", "-q", "-b", "one")
    for branch in "one", "two":
        if branch == "two":
            git("checkout", "-q", "-b", "two")
            git("rm", "-rqf", ".")
        for number in range(600):
            own = branch if number % 2 else "same"
            file = tree / f"{'pkg' if number % 3 else branch}{number % 17}" / f"{own}{number % 7}" / f"f{number}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{branch} {number}")
        git("add", ".")
        git("commit", "-qm", branch)
    mirror = Mirror(tree, interest=Everything(lambda path: path.endswith("/.git")))
    for branch in "one", "two", "one", "two":
        writer = Writer(lambda branch=branch: git("checkout", "-q", branch))  # type: ignore[misc]
        while not writer.done():
            mirror.read()
        mirror.settle()
        assert not mirror.wrong()
    if evented is InotifyBackend:
        assert not mirror.unwatched()
    if evented is InotifyBackend:
        assert mirror.leaked() == 0
    mirror.close()


# -- what happens while it starts ------------------------------------------------------------------------------------


def test_a_file_written_between_the_start_and_the_first_look_is_told(make: Maker, tree: Path) -> None:
    """And none of those that were not."""
    since = quiet_moment()
    (tree / "b" / "c" / "y.py").write_text("new")
    mirror = Mirror(tree, make=make, since=since, settled=False)
    assert mirror.kinds(mirror.settle()) == [("appeared", "b/c/y.py")]
    mirror.close()


def test_old_times_do_not_hide_a_file_written_after_the_start(make: Maker, tree: Path) -> None:
    """The time that counts is the one that nobody can set."""
    since = quiet_moment()
    (tree / "b" / "c" / "y.py").write_text("new")
    os.utime(tree / "b" / "c" / "y.py", (1_000_000_000, 1_000_000_000))
    mirror = Mirror(tree, make=make, since=since, settled=False)
    assert mirror.kinds(mirror.settle()) == [("appeared", "b/c/y.py")]
    mirror.close()


def test_a_directory_moved_in_between_the_start_and_the_first_look_is_told(evented: Maker, tree: Path) -> None:
    """Its files are older than the start, but they were not there."""
    away = tree.parent / "away"
    away.mkdir()
    (away / "old.py").write_text("x")
    since = quiet_moment()
    away.rename(tree / "a" / "in")
    mirror = Mirror(tree, since=since, settled=False, make=evented)
    assert mirror.kinds(mirror.settle()) == [("appeared", "a/in/old.py")]
    mirror.close()


def test_bytecode_written_by_the_command_that_starts_makes_nothing_else_news(make: Maker, tree: Path) -> None:
    """New directories in old ones change the times of those, and of nothing in them."""
    since = quiet_moment()
    for folder in tree, tree / "a", tree / "b" / "c":
        (folder / "__pycache__").mkdir()
        (folder / "__pycache__" / "x.pyc").write_text("")
    ignoring = Everything(lambda path: path.endswith("/__pycache__"))
    mirror = Mirror(tree, make=make, since=since, settled=False, interest=ignoring)
    assert mirror.settle() == []
    mirror.close()


def test_an_event_in_a_directory_not_yet_looked_at_is_told(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events are not held up by an unfinished scan."""
    monkeypatch.setattr("autoreload.watch.inotify.SLICE", 0.0)
    for number in range(50):
        (tree / f"d{number}").mkdir()
    mirror = Mirror(tree, settled=False)
    mirror.read()
    assert mirror.backend.deadline() == 0.0
    (tree / "now.py").write_text("x")
    assert ("written", "now.py") in mirror.kinds(mirror.read())
    assert mirror.backend.deadline() == 0.0
    mirror.settle()
    assert not mirror.unwatched()
    mirror.close()


# -- what is ignored -------------------------------------------------------------------------------------------------


def test_an_ignored_directory_is_neither_watched_nor_looked_into(make: Maker, tree: Path) -> None:
    """Not when it is there at the start, and not when it comes later."""
    (tree / "node_modules" / "deep").mkdir(parents=True)
    interest = Everything(lambda path: path.endswith("/node_modules"))
    mirror = Mirror(tree, make=make, interest=interest)
    (tree / "a" / "node_modules" / "deep").mkdir(parents=True)
    for folder in tree, tree / "a":
        (folder / "node_modules" / "deep" / "f.js").write_text("x")
    assert mirror.settle() == []
    assert not [path for path in interest.told if "node_modules" in path]
    if make is InotifyBackend:
        assert not mirror.unwatched()
    mirror.close()


def test_a_directory_renamed_to_an_ignored_name_vanishes_and_comes_back(make: Maker, tree: Path) -> None:
    """Watches come and go with the name."""
    mirror = Mirror(tree, make=make, interest=Everything(lambda path: path.endswith("/node_modules")))
    (tree / "b").rename(tree / "node_modules")
    assert mirror.kinds(mirror.settle()) == [("vanished", "b/c/y.py")]
    if make is InotifyBackend:
        assert mirror.leaked() == 0
    (tree / "node_modules").rename(tree / "b")
    assert mirror.kinds(mirror.settle()) == [("appeared", "b/c/y.py")]
    mirror.close()


def test_what_is_ignored_from_now_on_is_forgotten_in_silence(make: Maker, tree: Path) -> None:
    """An ignore file is no deletion."""
    ignored: set[str] = set()
    mirror = Mirror(tree, make=make, interest=Everything(ignored.__contains__))
    ignored.add(f"{tree}/b")
    quiet_moment()
    mirror.read()
    mirror.backend.rejudge()
    assert mirror.settle() == []
    (tree / "b" / "c" / "y.py").write_text("new")
    assert mirror.settle() == []
    if make is InotifyBackend:
        assert not mirror.unwatched()
        assert mirror.leaked() == 0
    mirror.close()


def test_what_is_ignored_no_longer_is_watched_from_now_on(make: Maker, tree: Path) -> None:
    """What was in it is no news, what changes in it is."""
    ignored = {f"{tree}/b"}
    mirror = Mirror(tree, make=make, interest=Everything(ignored.__contains__))
    ignored.clear()
    quiet_moment()
    mirror.read()
    mirror.backend.rejudge()
    assert mirror.settle() == []
    (tree / "b" / "c" / "y.py").write_text("new")
    assert mirror.kinds(mirror.settle())[-1][1] == "b/c/y.py"
    mirror.close()


# -- several roots ---------------------------------------------------------------------------------------------------


def test_a_root_inside_another_is_told_once(make: Maker, tree: Path) -> None:
    """Whichever comes first."""
    for roots in [tree, tree / "b"], [tree / "b", tree], [tree, tree]:
        mirror = Mirror(*roots, make=make)
        (tree / "b" / "c" / "new.py").write_text("x")
        (tree / "a" / "new.py").write_text("x")
        told = [change for change in mirror.settle() if change.kind in (Kind.WRITTEN, Kind.APPEARED)]
        assert sorted({change.path for change in told}) == [f"{tree}/a/new.py", f"{tree}/b/c/new.py"]
        if make is InotifyBackend:
            assert len(told) == 2
        for change in told:
            os.unlink(change.path)
        mirror.settle()
        assert not mirror.wrong()
        mirror.close()


def test_a_root_inside_an_ignored_directory_is_watched(make: Maker, tree: Path) -> None:
    """What is named is meant."""
    inner = tree / "node_modules" / "mine"
    inner.mkdir(parents=True)
    interest = Everything(lambda path: path.endswith("/node_modules"))
    mirror = Mirror(tree, inner, make=make, interest=interest)
    (inner / "f.js").write_text("x")
    assert {change.path for change in mirror.settle()} == {f"{inner}/f.js"}
    mirror.close()


def test_a_root_reached_by_two_paths_is_told_by_both(make: Maker, tree: Path) -> None:
    """One inode has one watch, and each path that leads to it is told."""
    link = tree.parent / "link"
    link.symlink_to(tree / "b")
    mirror = Mirror(tree, link, make=make)
    (tree / "b" / "c" / "y.py").write_text("new")
    assert {change.path for change in mirror.settle()} == {f"{tree}/b/c/y.py", f"{link}/c/y.py"}
    mirror.close()


def test_of_a_single_file_only_its_own_name_counts(make: Maker, tree: Path) -> None:
    """Not what is beside it, nor below."""
    mirror = Mirror(Root(f"{tree}/a/x.py", single=True), make=make)
    (tree / "a" / "beside.py").write_text("x")
    (tree / "a" / "deep").mkdir()
    (tree / "a" / "deep" / "x.py").write_text("x")
    assert mirror.settle() == []
    (tree / "a" / "x.py").write_text("new")
    assert {change.path for change in mirror.settle()} == {f"{tree}/a/x.py"}
    shutil.rmtree(tree / "a")
    mirror.settle()
    assert mirror.told[f"{tree}/a/x.py"] is Kind.VANISHED
    (tree / "a").mkdir()
    (tree / "a" / "x.py").write_text("again")
    mirror.settle()
    assert not mirror.wrong()
    mirror.close()


def test_a_single_file_behind_a_link_changes_with_what_the_link_leads_to(make: Maker, tree: Path) -> None:
    """Written there, or the link swapped: it is told by the path that was given."""
    link = tree / "config.py"
    link.symlink_to("a/x.py")
    mirror = Mirror(Root(str(link), single=True), make=make)
    (tree / "a" / "x.py").write_text("new")
    assert {change.path for change in mirror.settle()} == {str(link)}
    (tree / "other").symlink_to("b/c/y.py")
    (tree / "other").rename(link)
    assert {change.path for change in mirror.settle()} == {str(link)}
    (tree / "b" / "c" / "y.py").write_text("newer still")
    assert {change.path for change in mirror.settle()} == {str(link)}
    mirror.close()
