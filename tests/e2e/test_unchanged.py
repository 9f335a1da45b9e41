"""A change that changed nothing restarts nothing, and `--explain` says so; its counterpart that did restarts."""

from __future__ import annotations

import mmap
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.tool import Project, Tool, autoreload, later

Change = Callable[[Path], None]
LARGE = "x" * ((1 << 20) + 1)
SAME = "its content is what it was"


@pytest.fixture
def tool(project: Project) -> Iterator[Tool]:
    """autoreload, with the content of all files known."""
    project.write("app.py", "old")
    project.write("models/partner.py", "old")
    project.write("large.py", LARGE)
    project.write("cookie.py", "old")
    project.write("release/one.py", "old")
    os.symlink("../release/one.py", project.tree / "models" / "link.py")
    words = ["-v", "--explain", "-e", ".py", "--", *project.stamp("app.py", "cookie.py")]
    with autoreload(project, *words) as it:
        project.wait_for_start(1)
        it.watching()
        it.expect("the content of 6 files is known")
        yield it


def touch(tree: Path) -> None:
    """touch(1)."""
    subprocess.run(["touch", "app.py"], cwd=tree, check=True)


def rewrite(tree: Path) -> None:
    """A save without a change."""
    (tree / "app.py").write_text("old")


def atomic_rewrite(tree: Path) -> None:
    """The same, as many editors do it."""
    (tree / ".app.py.tmp").write_text("old")
    os.rename(tree / ".app.py.tmp", tree / "app.py")


def rewrite_with_a_backup(tree: Path) -> None:
    """As others do it: for a moment it is not there."""
    os.rename(tree / "app.py", tree / "app.py~")
    (tree / "app.py").write_text("old")


def there_and_back(tree: Path) -> None:
    """Two saves within a settle."""
    (tree / "app.py").write_text("new")
    (tree / "app.py").write_text("old")


def restored_with_its_time(tree: Path) -> None:
    """As by `cp -p` or `rsync -t`."""
    shutil.copy2(tree / "app.py", tree.parent / "copy")
    (tree / "app.py").unlink()
    shutil.copy2(tree.parent / "copy", tree / "app.py")


def made_and_removed(tree: Path) -> None:
    """A file that was not there before is not there after."""
    (tree / "probe.py").write_text("new")
    (tree / "probe.py").unlink()


def a_folder_made_and_removed(tree: Path) -> None:
    """With a file in it that was complete."""
    (tree / "folder").mkdir()
    (tree / "folder" / "probe.py").write_text("new")
    shutil.rmtree(tree / "folder")


def a_folder_moved_in_and_out(tree: Path) -> None:
    """The same, made elsewhere."""
    (tree.parent / "folder").mkdir()
    (tree.parent / "folder" / "probe.py").write_text("new")
    os.rename(tree.parent / "folder", tree / "folder")
    os.rename(tree / "folder", tree.parent / "folder")


def a_folder_moved_away_and_back(tree: Path) -> None:
    """What is in it is what it was."""
    os.rename(tree / "models", tree / "elsewhere")
    os.rename(tree / "elsewhere", tree / "models")


def opened_for_writing(tree: Path) -> None:
    """And closed, without a write."""
    with open(tree / "app.py", "a"):
        pass


def a_large_one_opened_for_writing(tree: Path) -> None:
    """Its times are what they were."""
    with open(tree / "large.py", "a"):
        pass


def mapped_and_unmapped(tree: Path) -> None:
    """With a write of what was there before: mmap(2)."""
    with open(tree / "app.py", "r+b") as file, mmap.mmap(file.fileno(), 3) as view:
        view[:] = b"old"


def a_link_made_again(tree: Path) -> None:
    """To the same file."""
    os.symlink("../release/one.py", tree / "models" / "new")
    os.rename(tree / "models" / "new", tree / "models" / "link.py")


def several_rewritten(tree: Path) -> None:
    """A formatter that finds nothing to do."""
    for name in ("app.py", "models/partner.py", "release/one.py"):
        (tree / name).write_text("old")


UNCHANGED: dict[Change, str] = {
    touch: "app.py",
    rewrite: "app.py",
    atomic_rewrite: "app.py",
    rewrite_with_a_backup: "app.py",
    there_and_back: "app.py",
    restored_with_its_time: "app.py",
    made_and_removed: "probe.py",
    a_folder_moved_away_and_back: "models/partner.py",
    opened_for_writing: "app.py",
    a_large_one_opened_for_writing: "large.py",
    mapped_and_unmapped: "app.py",
    a_link_made_again: "models/link.py",
    several_rewritten: "release/one.py",
}


@pytest.mark.parametrize("change", [a_folder_made_and_removed, a_folder_moved_in_and_out], ids=lambda c: c.__name__)
def test_what_leaves_no_trace_restarts_nothing(change: Change, tool: Tool) -> None:
    """Perhaps it was gone before anybody looked: then there is nothing to explain."""
    change(tool.project.tree)
    later(0.3)
    tool.project.write("cookie.py", "new")
    tool.project.wait_for_text("cookie.py", "new")
    assert tool.restarts() == ["cookie.py"]
    tool.end()


@pytest.mark.parametrize("change", UNCHANGED, ids=lambda change: change.__name__)
def test_what_changes_nothing_restarts_nothing(change: Change, tool: Tool) -> None:
    """It is explained, and the first restart is for the file that is saved after it, and for that alone."""
    change(tool.project.tree)
    tool.expect(f"No restart for {UNCHANGED[change]}, .*: ({SAME}|it was not there before either)$")
    tool.project.write("cookie.py", "new")
    tool.project.wait_for_text("cookie.py", "new")
    assert tool.restarts() == ["cookie.py"]
    assert len(tool.project.runs()) == 2
    tool.end()


def same_size(tree: Path) -> None:
    """Another content of the same length."""
    (tree / "app.py").write_text("new")


def same_size_and_time(tree: Path) -> None:
    """And the time set back, as by `cp -p` of an older release."""
    info = (tree / "app.py").stat()
    (tree / "app.py").write_text("new")
    os.utime(tree / "app.py", ns=(info.st_atime_ns, info.st_mtime_ns))


def there_and_not_quite_back(tree: Path) -> None:
    """Two saves within a settle."""
    (tree / "app.py").write_text("new")
    (tree / "app.py").write_text("Old")


def a_large_one_rewritten(tree: Path) -> None:
    """It is too large to be read: its time stands for its content."""
    (tree / "large.py").write_text(LARGE)


def a_link_to_another(tree: Path) -> None:
    """Of the same content: whoever asks where it leads gets another answer."""
    os.symlink("../app.py", tree / "models" / "new")
    os.rename(tree / "models" / "new", tree / "models" / "link.py")


def one_of_several(tree: Path) -> None:
    """The others are as they were."""
    for name, text in (("models/partner.py", "old"), ("app.py", "new"), ("release/one.py", "old")):
        (tree / name).write_text(text)


def made(tree: Path) -> None:
    """An empty one."""
    (tree / "probe.py").touch()


def removed(tree: Path) -> None:
    """It does not come back."""
    (tree / "app.py").unlink()


CHANGED: dict[Change, str] = {
    same_size: r"app\.py",
    same_size_and_time: r"app\.py",
    there_and_not_quite_back: r"app\.py",
    a_large_one_rewritten: r"large\.py",
    a_link_to_another: r"models/link\.py",
    one_of_several: r"app\.py( and 1 more)?",
    made: r"probe\.py",
    removed: r"app\.py \(deleted\)",
}


@pytest.mark.parametrize("change", CHANGED, ids=lambda change: change.__name__)
def test_what_changes_something_restarts(change: Change, tool: Tool) -> None:
    """The counterparts."""
    change(tool.project.tree)
    tool.expect(f"Modification detected, restart process: {CHANGED[change]}$")
    tool.project.wait_for_start(2)
    tool.end()


def test_after_a_restart_the_new_content_is_what_counts(tool: Tool) -> None:
    """The same again is nothing; what it was before is a change."""
    project = tool.project
    for number in range(2, 6):
        text = f"text_{number}"
        project.write("app.py", text)
        project.wait_for_start(number)
        tool.expect("the content of 6 files is known")
        project.write("app.py", text)
        tool.expect(f"No restart for app.py, written: {SAME}")
    project.write("app.py", "old")
    assert project.wait_for_start(6).texts["app.py"] == "old"
    tool.end()


def test_a_deleted_file_that_comes_back_as_it_was(tool: Tool) -> None:
    """After the restart for its deletion: the command that runs has not seen it."""
    project = tool.project
    (project.tree / "app.py").unlink()
    assert project.wait_for_start(2).texts["app.py"] is None
    tool.expect("the content of 5 files is known")
    project.write("app.py", "old")
    assert project.wait_for_start(3).texts["app.py"] == "old"
    tool.end()


def test_a_root_that_is_replaced_by_one_of_the_same_content(tool: Tool) -> None:
    """The command would be left in a folder that is no longer there."""
    project = tool.project
    shutil.copytree(project.tree, project.base / "copy", symlinks=True)
    os.rename(project.tree, project.base / "away")
    os.rename(project.base / "copy", project.tree)
    assert project.wait_for_start(2).folder == project.tree.stat().st_ino
    tool.end()


def test_a_save_at_any_moment_of_a_start_is_never_taken_for_none(project: Project) -> None:
    """Saves before, during and after the reading of the contents; the last run has read the last one."""
    texts = ["one", "two"]
    project.write("app.py", texts[0])
    with autoreload(project, "-e", ".py", "--", *project.stamp("app.py")) as it:
        project.wait_for_start(1)
        it.watching()
        for number in range(1, 60):
            project.write("app.py", texts[number % 2])
            later(0.001 * (number % 25))
            project.write("app.py", texts[(number + number // 7) % 2])
            later(0.0007 * (number % 30))
        project.write("app.py", "last")
        project.wait_for_text("app.py", "last")
        for number in range(40):
            text = f"{number % 2}"
            project.write("app.py", text)
            project.wait_for_start(len(project.runs()))
            later(0.002 * (number % 20))
        later(0.5)
        assert project.runs()[-1].texts["app.py"] == text
        it.end()


def test_without_the_check_every_write_restarts(project: Project) -> None:
    """`--no-content-check`."""
    project.write("app.py", "old")
    with autoreload(project, "--no-content-check", "-e", ".py", "--", *project.stamp()) as it:
        project.wait_for_start(1)
        it.watching()
        for number in (2, 3):
            later(0.1)
            touch(project.tree)
            project.wait_for_start(number)
        it.end()


def test_a_command_that_could_not_be_started_is_tried_again_by_a_touch(project: Project) -> None:
    """There is no running command that can have read anything."""
    project.write("app.py", "old")
    with autoreload(project, "-v", "-e", ".py", "--", "./missing") as it:
        it.expect("Cannot start ./missing: ")
        it.watching()
        touch(project.tree)
        it.expect(r"restart process: app\.py")
        it.end()


@pytest.mark.parametrize("flag", [[], ["-B"]], ids=["with bytecode", "without"])
def test_imports_are_known_also_where_the_first_run_makes_pycache(flag: list[str], project: Project) -> None:
    """A folder that got a new entry since the start is no reason to know nothing of what is in it."""
    project.write("app.py", "import greeting, signal\nsignal.pause()\n")
    project.write("greeting.py", "X = 1\n")
    with autoreload(project, "-v", "--explain", "-e", ".py", "--", sys.executable, *flag, "app.py") as it:
        it.expect("the content of 2 files is known")
        later(0.3)
        assert (project.tree / "__pycache__").exists() is (not flag)
        project.write("greeting.py", "X = 1\n")
        it.expect(f"No restart for greeting.py, written: {SAME}")
        project.write("greeting.py", "X = 2\n")
        it.expect(r"restart process: greeting\.py$")
        it.end()


def ends(project: Project, code: int) -> list[str]:
    """The words of a command that ends by itself."""
    project.write("app.py", "old")
    return ["-v", "--explain", "-e", ".py", "--", *project.stamp("app.py", then=["sh", "-c", f"exit {code}"])]


def test_after_a_crash_any_save_tries_again(project: Project) -> None:
    """A person saves again when what was in the way is gone."""
    with autoreload(project, *ends(project, 1)) as tool:
        for run in (2, 3, 4):
            tool.expect("exited with code 1")
            tool.watching()
            project.write("app.py", "old")
            project.wait_for_start(run)
        tool.end()


def test_after_an_orderly_end_a_save_without_a_change_is_no_reason(project: Project) -> None:
    """What the command had to do, it has done."""
    with autoreload(project, *ends(project, 0)) as tool:
        tool.expect("the content of .* files is known")
        project.write("app.py", "old")
        tool.expect(rf"No restart for app\.py, .*: {SAME}$")
        project.write("app.py", "new")
        project.wait_for_start(2)
        tool.end()


LOADS = """
import os, sys, time
while not os.path.exists(sys.argv[1]):  # it works, and reads its files at any time
    pass
time.sleep(1000)
"""


def test_what_changes_while_the_command_loads_counts_even_if_it_is_undone(project: Project) -> None:
    """I1: it may have been read in between. Once the command is at rest the same is nothing."""
    enough = project.base / "enough"
    project.write("late.py", "old")
    load = project.base / "load.py"
    load.write_text(LOADS)
    command = [sys.executable, "-S", "-E", str(load), str(enough)]
    with autoreload(project, "-v", "--explain", "-e", ".py", "--", *command) as tool:
        tool.expect("Process .* started")
        tool.watching()
        project.write("late.py", "new")
        project.write("late.py", "old")
        tool.expect("restart process: late.py")
        enough.touch()
        tool.expect("the command is at rest")

        project.write("late.py", "new")
        project.write("late.py", "old")
        tool.expect(rf"No restart for late\.py, .*: {SAME}$")
        assert tool.restarts() == ["late.py"]
        tool.end()


def test_the_files_of_a_folder_that_came_to_be_a_package_were_there_all_the_time(project: Project) -> None:
    """`build/` is not watched until it is a package: what is in it then, and was not heard of, can be removed."""
    project.write("app.py", "old")
    project.write("build/old.py", "old")
    words = ["-v", "--explain", "-e", ".py", "--", *project.stamp("app.py", "build/old.py")]
    with autoreload(project, *words) as tool:
        project.wait_for_start(1)
        tool.expect("the content of 1 files is known")
        project.write("build/__init__.py")
        project.write("app.py", "new")
        project.wait_for_start(2)
        tool.watching(project.tree, project.tree / "build")
        tool.expect("the content of [0-9] files is known")

        (project.tree / "build" / "old.py").unlink()
        project.wait_for_text("build/old.py", None)
