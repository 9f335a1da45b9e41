"""Real Git changes many files, with pauses: one restart for each of its operations. Its lock alone blocks nothing."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.tool import Project, Tool, autoreload, later

pytestmark = pytest.mark.needs("git")


def git(tree: Path, *words: str, check: bool = True) -> None:
    """A git that knows nothing of whoever runs the tests."""
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "core.hooksPath=/dev/null"]
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_EDITOR": "true"}
    call = ["git", *identity, "-c", "init.defaultBranch=main", "-c", "gc.auto=0", "-c", "protocol.file.allow=always"]
    subprocess.run([*call, *words], cwd=tree, check=check, env=environ, capture_output=True)


def repository(project: Project) -> None:
    """Branches `main` and `other`, with six commits each that the other has not; on `main`."""
    tree = project.tree
    git(tree, "init", "-q")
    for number in range(30):
        project.write(f"f{number}.py", "base")
    project.write("cookie.py", "base")
    commit(tree, "base")
    git(tree, "branch", "other")
    for branch, names in (("main", range(6)), ("other", range(10, 16))):
        git(tree, "checkout", "-q", branch)
        for number in names:
            project.write(f"f{number}.py", branch)
            project.write(f"{branch}/f{number}.py", branch)
            commit(tree, f"{branch} {number}")
    git(tree, "checkout", "-q", "main")


def commit(tree: Path, message: str) -> None:
    """All that there is."""
    git(tree, "add", "-A")
    git(tree, "commit", "-q", "-m", message)


@pytest.fixture
def tool(project: Project) -> Iterator[Tool]:
    """autoreload in the repository."""
    repository(project)
    words = ["-v", "-e", ".py", "--", *project.stamp("f0.py", "f15.py", "cookie.py")]
    with autoreload(project, *words) as it:
        project.wait_for_start(1)
        it.watching()
        it.expect("the content of .* is known")
        yield it
        it.end()


def one_restart(tool: Tool, operation: Callable[[], None], text: str) -> None:
    """For the operation; the next one is for the file that is saved then."""
    project = tool.project
    before = len(project.runs())
    operation()
    run = project.wait_for_start(before + 1)
    assert run.texts["f15.py"] == text, tool.text()
    tool.expect("the content of .* is known")
    later(0.15)
    mark = str(time.monotonic())
    project.write("cookie.py", mark)
    project.wait_for_text("cookie.py", mark)
    assert tool.restarts()[before:] == ["cookie.py"], tool.text()
    git(project.tree, "checkout", "cookie.py")
    project.wait_for_start(before + 3)
    tool.expect("the content of .* is known")


def test_a_checkout_a_merge_and_a_rebase_are_one_restart_each(tool: Tool) -> None:
    """And so are the ways back."""
    tree = tool.project.tree
    one_restart(tool, lambda: git(tree, "checkout", "-q", "other"), "other")
    one_restart(tool, lambda: git(tree, "checkout", "-q", "main"), "base")
    one_restart(tool, lambda: git(tree, "merge", "-q", "--no-edit", "other"), "other")
    one_restart(tool, lambda: git(tree, "reset", "-q", "--hard", "HEAD~1"), "base")
    one_restart(tool, lambda: git(tree, "rebase", "-q", "other"), "other")
    one_restart(tool, lambda: git(tree, "reset", "-q", "--hard", "ORIG_HEAD"), "base")
    one_restart(tool, lambda: git(tree, "cherry-pick", "main..other"), "other")


def test_a_stash_and_its_return_are_one_restart_each(tool: Tool) -> None:
    """With files that Git did not know, which are removed and made again by a command of their own."""
    tree, project = tool.project.tree, tool.project
    for name in ("f15.py", "f16.py", "new.py"):
        project.write(name, "mine")
    project.wait_for_text("f15.py", "mine")
    later(0.3)
    tool.expect("the content of .* is known")
    one_restart(tool, lambda: git(tree, "stash", "-q", "-u"), "base")
    one_restart(tool, lambda: git(tree, "stash", "pop", "-q"), "mine")


def test_there_and_back_is_none(tool: Tool) -> None:
    """Another branch and back, while Git is waited for."""
    tree = tool.project.tree
    (tree / ".git" / "index.lock").touch()  # as if it were one operation
    environ = {"GIT_INDEX_FILE": str(tree / ".git" / "other-index")}
    for branch in ("other", "main"):
        words = ["git", "read-tree", "--reset", "-u", branch]
        subprocess.run(words, cwd=tree, check=True, env={**os.environ, **environ})
    (tree / ".git" / "index.lock").unlink()
    later(0.5)
    tool.project.write("cookie.py", "next")
    tool.project.wait_for_text("cookie.py", "next")
    assert tool.restarts() == ["cookie.py"]
    assert len(tool.project.runs()) == 2


def test_a_conflict_is_no_restart_and_saves_are_as_quick_as_ever_then(tool: Tool) -> None:
    """A file with the marks of a conflict does not compile. A rebase that stopped for its user keeps its folder, and
    blocks nothing."""
    project, tree = tool.project, tool.project.tree
    git(tree, "checkout", "-q", "-b", "mine")
    project.write("f15.py", "mine")
    commit(tree, "mine")
    project.wait_for_text("f15.py", "mine")
    later(0.7)
    before = len(project.runs())
    git(tree, "rebase", "-q", "other", check=False)
    assert (tree / ".git" / "rebase-merge").is_dir()
    tool.expect("^SyntaxError: ")
    tool.expect("^f15.py does not compile: the old code goes on running$")
    later(1.0)
    assert len(project.runs()) == before
    saved = time.monotonic()
    project.write("f15.py", "solved")
    assert project.wait_for_text("f15.py", "solved").at < saved + 0.3


@pytest.mark.parametrize("where", ["repository", "work tree", "submodule", "repository around"])
def test_while_the_lock_is_held_changes_half_a_second_apart_are_one_restart(where: str, project: Project) -> None:
    """One that is never released delays a save by as much, no more; a line says what a longer wait is for."""
    tree = project.tree
    project.write("a.py", "base")
    git(tree, "init", "-q")
    commit(tree, "base")
    cwd, folder = tree, tree / ".git"
    if where == "work tree":
        git(tree, "worktree", "add", "-q", "-b", "second", "../second")
        cwd, folder = project.base / "second", tree / ".git" / "worktrees" / "second"
    elif where == "submodule":
        git(project.base, "clone", "-q", "tree", "upstream")
        git(tree, "submodule", "add", "-q", "../upstream", "sub")
        cwd, folder = tree / "sub", tree / ".git" / "modules" / "sub"
    elif where == "repository around":
        cwd = tree / "deep" / "er"
        cwd.mkdir(parents=True)
        (cwd / "a.py").write_text("base")
    assert folder.is_dir()
    with autoreload(project, "-v", "-e", ".py", "--", *project.stamp("a.py"), cwd=cwd) as it:
        project.wait_for_start(1)
        it.expect("the content of .* is known")
        lock = folder / "index.lock"
        lock.touch()
        for number in range(1, 9):
            (cwd / f"{number % 3}.py").write_text(str(number))
            later(0.2)
        (cwd / "a.py").write_text("last")
        saved = time.monotonic()
        run = project.wait_for_start(2)
        assert run.texts["a.py"] == "last"
        assert 0.45 < run.at - saved < 1.0
        it.expect(r"Git is at work \(.*index\.lock\): the restart waits until it has finished")
        it.expect("restart process: .* and 3 more")
        it.expect("the content of .* is known")

        saved = time.monotonic()
        (cwd / "a.py").write_text("again")
        assert 0.45 < project.wait_for_text("a.py", "again").at - saved < 1.0
        it.expect("the content of .* is known")

        (cwd / "a.py").write_text("released")
        later(0.1)
        released = time.monotonic()
        lock.unlink()
        assert project.wait_for_text("a.py", "released").at < released + 0.3
        assert len(project.runs()) == 4
        assert it.text().count("Git is at work") == 1

        saved = time.monotonic()
        (cwd / "a.py").write_text("free")
        assert project.wait_for_text("a.py", "free").at - saved < 0.3
        it.end()
