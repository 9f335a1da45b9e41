"""The call of old, `autoreload PATH EXTENSIONS COMMAND`, and every way in which a file changes: one restart for each
that counts, none for any other."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.tool import Project, Tool, autoreload

Change = Callable[[Path], None]
"""Changes something in the tree, and may use the folder beside it."""


@pytest.fixture
def tool(project: Project) -> Iterator[Tool]:
    """autoreload in a tree with some files of each sort, watched."""
    project.write("app.py", "old")
    project.write("models/partner.py", "old")
    project.write("models/views/form.xml", "old")
    project.write("notes.txt", "old")
    project.write("cookie.py")
    for folder in ("__pycache__", ".git", "models/__pycache__", "empty"):
        (project.tree / folder).mkdir()
    command = shlex.join(project.stamp("app.py", "models/partner.py", "cookie.py"))
    with autoreload(project, ".", ".py,.xml", command) as it:
        project.wait_for_start(1)
        it.watching(*(project.tree / folder for folder in (".", "models", "models/views", "empty")))
        yield it


def write(tree: Path) -> None:
    """As most editors."""
    (tree / "app.py").write_text("new")


def atomic_save(tree: Path) -> None:
    """A temporary file in the same folder, then a rename."""
    (tree / ".app.py.tmp1234").write_text("new")
    os.rename(tree / ".app.py.tmp1234", tree / "app.py")


def save_with_backup(tree: Path) -> None:
    """The old one becomes a backup, a new one is written."""
    os.rename(tree / "app.py", tree / "app.py~")
    (tree / "app.py").write_text("new")


def swap_of_a_hard_link(tree: Path) -> None:
    """As Emacs with backup-by-copying-when-linked unset, and some synchronisers: complete at once, never closed."""
    (tree.parent / "elsewhere").write_text("new")
    os.unlink(tree / "app.py")
    os.link(tree.parent / "elsewhere", tree / "app.py")


def truncate_and_pieces(tree: Path) -> None:
    """Half a file is nothing to start with."""
    with open(tree / "app.py", "w") as file:
        for piece in "new":
            file.write(piece)
            file.flush()
            os.fsync(file.fileno())


def vim(tree: Path) -> None:
    """The real one, with its swap and backup files and its 4913."""
    call = ["vim", "-u", "NONE", "-es", "-c", "set backup writebackup swapfile", "-c", "%s/old/new/", "-c", "wq"]
    subprocess.run([*call, "app.py"], cwd=tree, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def rename(tree: Path) -> None:
    """Within the tree."""
    os.rename(tree / "app.py", tree / "main.py")


def delete(tree: Path) -> None:
    """It is gone."""
    os.unlink(tree / "app.py")


def new_file_in_a_fresh_deep_folder(tree: Path) -> None:
    """Folders that were never watched before."""
    (tree / "a" / "b" / "c" / "d").mkdir(parents=True)
    (tree / "a" / "b" / "c" / "d" / "new.py").write_text("new")


def tree_moved_in(tree: Path) -> None:
    """A folder with files in it."""
    (tree.parent / "addon" / "models").mkdir(parents=True)
    (tree.parent / "addon" / "models" / "new.py").write_text("new")
    os.rename(tree.parent / "addon", tree / "addon")


def tree_moved_out(tree: Path) -> None:
    """A folder with files in it."""
    os.rename(tree / "models", tree.parent / "models")


def tree_removed(tree: Path) -> None:
    """A folder with files in it."""
    shutil.rmtree(tree / "models")


def other_extension_of_the_list(tree: Path) -> None:
    """It is `.py,.xml`."""
    (tree / "models" / "views" / "form.xml").write_text("new")


NEW, OLD = "new", "old"
COUNTS: dict[Change, tuple[str, str | None]] = {
    write: (r"app\.py", NEW),
    atomic_save: (r"app\.py", NEW),
    save_with_backup: (r"app\.py", NEW),
    swap_of_a_hard_link: (r"app\.py", NEW),
    truncate_and_pieces: (r"app\.py", NEW),
    rename: (r"(app\.py \(deleted\)|main\.py) and 1 more", None),
    delete: (r"app\.py \(deleted\)", None),
    new_file_in_a_fresh_deep_folder: (r"a/b/c/d/new\.py", OLD),
    tree_moved_in: (r"addon/models/new\.py", OLD),
    tree_moved_out: (r"models/(partner\.py|views/form\.xml) \(deleted\) and 1 more", OLD),
    tree_removed: (r"models/(partner\.py|views/form\.xml) \(deleted\) and 1 more", OLD),
    other_extension_of_the_list: (r"models/views/form\.xml", OLD),
}
"""Each change, with what the line about it says, and what the command then reads in app.py."""


def once(tool: Tool, change: Change, line: str, text: str | None) -> None:
    """The change restarts the command once: the restart after it is for another file alone."""
    project = tool.project
    change(project.tree)
    tool.expect(f"Modification detected, restart process: {line}$")
    run = project.wait_for_start(2)
    assert run.texts["app.py"] == text, tool.text()
    project.write("cookie.py", "next")
    run = project.wait_for_text("cookie.py", "next")
    assert tool.restarts()[1:] == ["cookie.py"], tool.text()
    assert project.runs()[2:] == [run]
    tool.end()


@pytest.mark.parametrize("change", COUNTS, ids=lambda change: change.__name__)
def test_what_counts_restarts_once(change: Change, tool: Tool) -> None:
    """Whatever way the file changes in, the command is started once, and reads the new content."""
    once(tool, change, *COUNTS[change])


@pytest.mark.needs("vim")
def test_a_save_by_vim_restarts_once(tool: Tool) -> None:
    """Its swap files, backups and trial files do not count."""
    once(tool, vim, r"app\.py", "new\n")


def other_extension(tree: Path) -> None:
    """It is not in the list."""
    (tree / "notes.txt").write_text("new")


def read(tree: Path) -> None:
    """By anyone."""
    for path in tree.rglob("*.py"):
        path.read_text()


def chmod(tree: Path) -> None:
    """The content stays."""
    os.chmod(tree / "app.py", 0o755)


def times(tree: Path) -> None:
    """utime(2), as `Path.touch` of a file that is there."""
    os.utime(tree / "app.py")


def bytecode(tree: Path) -> None:
    """Even by a name that would match."""
    (tree / "__pycache__" / "app.cpython-312.pyc").write_text("new")
    (tree / "models" / "__pycache__" / "x.py").write_text("new")
    (tree / "empty" / "__pycache__").mkdir()
    (tree / "empty" / "__pycache__" / "x.py").write_text("new")


def version_control(tree: Path) -> None:
    """Even by a name that would match."""
    (tree / ".git" / "index.lock").write_text("new")
    (tree / ".git" / "hook.py").write_text("new")


def swap_files(tree: Path) -> None:
    """Of Vim, Emacs and PyCharm."""
    for name in (".app.py.swp", "app.py~", "#app.py#", "4913", "app.py___jb_tmp___", "app.py.bak"):
        (tree / name).write_text("new")
    os.symlink("me@host.1234", tree / ".#app.py")
    for name in (".app.py.swp", "4913", "app.py___jb_tmp___", ".#app.py"):
        (tree / name).unlink()


def empty_folder(tree: Path) -> None:
    """Made, renamed, removed, and one that was there."""
    (tree / "fresh").mkdir()
    (tree / "fresh").rename(tree / "fresh2")
    (tree / "fresh2").rmdir()
    (tree / "empty").rename(tree / "hollow")


def opened_for_writing_elsewhere(tree: Path) -> None:
    """A file beside the root."""
    (tree.parent / "beside.py").write_text("new")


NOTHING: tuple[Change, ...] = (
    other_extension,
    read,
    chmod,
    times,
    bytecode,
    version_control,
    swap_files,
    empty_folder,
    opened_for_writing_elsewhere,
)


@pytest.mark.parametrize("change", NOTHING, ids=lambda change: change.__name__)
def test_what_does_not_count_restarts_nothing(change: Change, tool: Tool) -> None:
    """The first restart is for the file that is saved after it, and for that alone."""
    change(tool.project.tree)
    tool.project.write("cookie.py", "next")
    tool.project.wait_for_text("cookie.py", "next")
    assert tool.restarts() == ["cookie.py"]
    assert len(tool.project.runs()) == 2
    tool.end()


def test_all_at_once_is_said_in_one_line(tool: Tool) -> None:
    """Changes of several kinds in one burst: one restart, which names the first file and how many more there are."""
    tree = tool.project.tree
    (tree / "app.py").write_text("new")
    os.unlink(tree / "models" / "partner.py")
    (tree / "models" / "views" / "form.xml").write_text("new")
    tool.expect(r"restart process: app\.py and 2 more$")
    assert tool.project.wait_for_start(2).texts["app.py"] == "new"
    tool.project.write("cookie.py", "next")
    tool.project.wait_for_text("cookie.py", "next")
    assert tool.restarts()[1:] == ["cookie.py"]


def test_a_change_while_the_command_starts_is_not_lost(project: Project) -> None:
    """Saved before anything is watched, at the moment the first start shows: it is started again."""
    project.write("app.py", "old")
    for number in range(40):
        project.write(f"d{number}/e/f.py")
    with autoreload(project, ".", ".py", shlex.join(project.stamp("app.py"))) as it:
        project.wait_for_start(1)
        project.write("app.py", "new")
        project.wait_for_text("app.py", "new")
        it.end()
