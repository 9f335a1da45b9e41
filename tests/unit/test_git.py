"""Is Git at work? From what it leaves on the disk, and how old that is."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from autoreload.git import BETWEEN, JUST, LEFT_BEHIND, NOT_AT_WORK, QUIET_JUST, QUIET_LOCKED, AtWork, at_work


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository with a file in a folder."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "file.py").touch()
    return tmp_path


def asked(tree: Path, later: int = 0, of: Path | None = None) -> AtWork:
    """About a change of that file, so many ns from now, or after the last change of `of`."""
    now = os.lstat(of).st_ctime_ns if of else time.time_ns()
    return at_work([str(tree / "deep" / "er" / "file.py")], now + later)


def test_without_a_lock_it_is_not(tree: Path) -> None:
    """Nor without a repository."""
    assert asked(tree) == NOT_AT_WORK
    assert at_work(["/proc/self/nothing.py"], time.time_ns()) == NOT_AT_WORK


def test_while_it_holds_its_lock_it_is_until_the_lock_is_old(tree: Path) -> None:
    """Half a minute: it was left behind by a crash, or waits for a person."""
    lock = tree / ".git" / "index.lock"
    lock.touch()

    assert asked(tree, of=lock) == (QUIET_LOCKED, str(lock))
    assert asked(tree, LEFT_BEHIND - 1, lock) == (QUIET_LOCKED, str(lock))
    assert asked(tree, LEFT_BEHIND, lock) == NOT_AT_WORK


def test_just_after_it_wrote_its_index_another_of_its_commands_may_follow(tree: Path) -> None:
    """As in `git stash`; a tenth of a second later it is over."""
    index = tree / ".git" / "index"
    index.touch()

    assert asked(tree, JUST - 1, index) == AtWork(QUIET_JUST)
    assert asked(tree, JUST, index) == NOT_AT_WORK


@pytest.mark.parametrize("name", ["rebase-merge", "rebase-apply", "sequencer"])
def test_between_two_commits_of_a_rebase_it_is_and_when_that_stopped_it_is_not(name: str, tree: Path) -> None:
    """The folder alone says nothing: it stays until the user has solved the conflict."""
    index = tree / ".git" / "index"
    index.touch()
    (tree / ".git" / name).mkdir()

    assert asked(tree, BETWEEN - 1, index) == (QUIET_LOCKED, str(tree / ".git" / name))
    assert asked(tree, BETWEEN, index) == NOT_AT_WORK


@pytest.mark.parametrize("relative", [True, False])
def test_a_file_that_says_where_its_folder_is(relative: bool, tree: Path) -> None:
    """Of a linked work tree or a submodule; the repository around it is asked as well."""
    elsewhere = tree / ".git" / "modules" / "deep"
    elsewhere.mkdir(parents=True)
    place = "../.git/modules/deep" if relative else str(elsewhere)
    (tree / "deep" / ".git").write_text(f"gitdir: {place}\n")
    (elsewhere / "index.lock").touch()
    assert os.path.samefile(asked(tree).sign, elsewhere / "index.lock")

    (elsewhere / "index.lock").unlink()
    (tree / ".git" / "index.lock").touch()
    assert asked(tree).sign == str(tree / ".git" / "index.lock")


def test_what_is_no_repository_is_passed_over(tree: Path) -> None:
    """A file of that name with anything in it."""
    (tree / "deep" / ".git").write_bytes(b"\xff\xfe what is that\n")
    (tree / "deep" / "er" / ".git").symlink_to("nowhere")
    assert asked(tree) == NOT_AT_WORK
    (tree / "deep" / ".git").write_bytes(b"gitdir: no\0where\n")
    assert asked(tree) == NOT_AT_WORK


def test_many_changed_folders_are_not_all_asked_about(tree: Path) -> None:
    """A burst of ten thousand folders costs no more than one of some."""
    (tree / ".git" / "index.lock").touch()
    paths = [f"/nowhere/{number}/file.py" for number in range(10_000)]
    began = time.monotonic()
    assert at_work([*paths, str(tree / "file.py")], time.time_ns()) == NOT_AT_WORK
    assert time.monotonic() < began + 0.1


def test_what_is_called_git_and_is_none_is_not_waited_for(tmp_path: Path) -> None:
    """A pipe would have to be written to by somebody."""
    os.mkfifo(tmp_path / ".git")

    assert at_work([str(tmp_path / "app.py")], time.time_ns()) == NOT_AT_WORK


def test_nobody_looks_beyond(tmp_path: Path) -> None:
    """The repository of a work tree may be on a file system that does not answer."""
    far = tmp_path / "far" / "repository"
    far.mkdir(parents=True)
    (far / "index.lock").touch()
    (tmp_path / ".git").write_text(f"gitdir: {far}\n")
    paths = [str(tmp_path / "app.py")]

    assert at_work(paths, time.time_ns()).sign == str(far / "index.lock")
    assert at_work(paths, time.time_ns(), lambda path: path.startswith(str(tmp_path / "far"))) == NOT_AT_WORK
    assert at_work(paths, time.time_ns(), lambda path: path == str(tmp_path / ".git")) == NOT_AT_WORK
