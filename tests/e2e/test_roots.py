"""What is watched comes, goes, moves, cannot be read or has a strange name: the command is started where it then is."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoreload.core.lifecycle import RETRY_FOR
from tests.e2e.tool import Project, Tool, autoreload, later

USER = ("unshare", "--user", "--map-root-user")


def modern(project: Project, *files: str) -> list[str]:
    """The words of a call in the other form, which watches the directory it is called in."""
    return ["-e", ".py", "--", *project.stamp(*files)]


class TestTheRootIsReplaced:
    """Each start enters the start directory by its path."""

    @pytest.fixture
    def tool(self, project: Project) -> Iterator[Tool]:
        """Started and watching in a root that holds app.py."""
        project.write("app.py", "old")
        with autoreload(project, *modern(project, "app.py"), environ={"PWD": str(project.tree)}) as it:
            project.wait_for_start(1)
            it.watching()
            yield it
            it.end()

    def test_deleted_and_made_again(self, tool: Tool) -> None:
        """`rm -rf` and a new checkout at the same path."""
        project = tool.project
        shutil.rmtree(project.tree)
        tool.expect(r"restart process: app\.py \(deleted\)")
        tool.expect(f"Cannot enter {project.tree}: .*; waiting for it")
        project.write("app.py", "new")
        run = project.wait_for_text("app.py", "new")
        assert run.folder == project.tree.stat().st_ino
        project.write("app.py", "newer")
        project.wait_for_text("app.py", "newer")

    def test_deleted_and_made_again_at_once(self, tool: Tool) -> None:
        """No moment between the two."""
        project = tool.project
        for number in range(3):
            shutil.rmtree(project.tree)
            project.write("app.py", f"new {number}")
            run = project.wait_for_text("app.py", f"new {number}")
            assert run.folder == project.tree.stat().st_ino

    def test_renamed_away_and_back(self, tool: Tool) -> None:
        """What is saved where it is meanwhile does not count; its return does."""
        project = tool.project
        away = project.base / "away"
        inode = project.tree.stat().st_ino
        os.rename(project.tree, away)
        tool.expect(f"Cannot enter {project.tree}: .*; waiting for it")
        (away / "app.py").write_text("changed away")
        later(RETRY_FOR + 0.2)  # trying again and again is over by then
        os.rename(away, project.tree)
        assert project.wait_for_text("app.py", "changed away").folder == inode
        project.write("app.py", "changed back")
        project.wait_for_text("app.py", "changed back")

    def test_replaced_by_another(self, tool: Tool) -> None:
        """A rename over an empty moment: old away, new in its place."""
        project = tool.project
        new = project.base / "new"
        new.mkdir()
        (new / "app.py").write_text("of another")
        os.rename(project.tree, project.base / "away")
        os.rename(new, project.tree)
        assert project.wait_for_text("app.py", "of another").folder == project.tree.stat().st_ino
        (project.base / "away" / "app.py").write_text("elsewhere")
        project.write("app.py", "here")
        project.wait_for_text("app.py", "here")


def test_a_link_that_is_swapped(project: Project) -> None:
    """`current -> releases/1` becomes `current -> releases/2`, by a rename over it: started in the new release, by each
    way of naming the link."""
    for release in "12":
        project.write(f"releases/{release}/app.py", f"release {release}")
    current = project.tree / "current"
    os.symlink("releases/1", current)
    words = modern(project, "app.py")
    with autoreload(project, *words, cwd=current, environ={"PWD": str(current)}) as it:
        project.wait_for_start(1)
        it.watching(project.tree / "releases" / "1")
        os.symlink("releases/2", project.tree / "new")
        os.rename(project.tree / "new", current)
        run = project.wait_for_text("app.py", "release 2")
        assert run.folder == (project.tree / "releases" / "2").stat().st_ino
        project.write("releases/2/app.py", "release 2b")
        project.wait_for_text("app.py", "release 2b")
        assert [run.texts["app.py"] for run in project.runs()] == ["release 1", "release 2", "release 2b"]
        it.end()


def test_a_link_to_watch_that_is_swapped(project: Project) -> None:
    """The same for a root that is not the start directory."""
    for release in "12":
        project.write(f"releases/{release}/app.py", f"release {release}")
    os.symlink("releases/1", project.tree / "current")
    with autoreload(project, "current", ".py", shlex.join(project.stamp("current/app.py"))) as it:
        project.wait_for_start(1)
        it.watching(project.tree / "releases" / "1")
        os.symlink("releases/2", project.tree / "new")
        os.rename(project.tree / "new", project.tree / "current")
        project.wait_for_text("current/app.py", "release 2")
        project.write("releases/2/app.py", "release 2b")
        project.wait_for_text("current/app.py", "release 2b")
        it.end()


def test_a_read_only_tree(project: Project) -> None:
    """Nothing is written into the tree: a read-only mount is watched as any other, and changes through another mount
    of it are noticed."""
    project.write("app.py", "old")
    view = project.base / "view"
    view.mkdir()
    mount = f'mount --bind {project.tree} {view} && mount -o remount,ro,bind {view} && cd {view} && exec "$@"'
    before = ["unshare", "--mount", *([] if os.getuid() == 0 else USER[1:]), "sh", "-c", mount, "sh"]
    if subprocess.run([*before, "true"], capture_output=True).returncode:
        pytest.skip("needs a mount namespace")
    with autoreload(project, *modern(project, "app.py"), before=before) as it:
        project.wait_for_start(1)
        it.watching()
        project.write("app.py", "new")
        project.wait_for_text("app.py", "new")
        it.end()
        assert it.restarts() == ["app.py"]


def test_a_folder_that_vanishes(project: Project) -> None:
    """One restart for all that was in it; one of that name that comes later is watched again."""
    project.write("app.py", "old")
    for number in range(30):
        project.write(f"part/d{number}/f.py")
    with autoreload(project, *modern(project, "app.py")) as it:
        project.wait_for_start(1)
        it.watching()
        shutil.rmtree(project.tree / "part")
        it.expect(r"restart process: part/\S+ \(deleted\)")
        project.wait_for_start(2)
        project.write("part/d1/f.py")
        it.expect(r"restart process: part/d1/f\.py$")
        project.wait_for_start(3)
        it.end()


@pytest.mark.needs("unshare")
def test_a_folder_that_may_not_be_read(project: Project) -> None:
    """It is named in one line, and the rest is watched. (Not as root, who may read everything.)"""
    project.write("app.py", "old")
    secret = project.tree / "secret"
    secret.mkdir()
    words: list[str] = []
    if os.getuid() == 0:
        # Without capabilities root is an owner like any other; and not the owner of this one.
        os.chown(secret, 12345, 12345)
        words = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
        if shutil.which("setpriv") is None:
            pytest.skip("needs setpriv: not on PATH")
    secret.chmod(0o700 if words else 0)
    with autoreload(project, *modern(project, "app.py"), before=words) as it:
        project.wait_for_start(1)
        it.expect("cannot read .*secret: not watched")
        project.write("app.py", "new")
        project.wait_for_text("app.py", "new")
        it.end()
    secret.chmod(0o700)


def test_names_that_are_not_utf_8(project: Project) -> None:
    """They are watched as any other, and shown with escapes."""
    folder = os.fsencode(project.tree) + b"/caf\xe9"
    os.mkdir(folder)
    name = folder + b"/m\xfcll\n.py"
    Path(os.fsdecode(name)).write_text("old")
    with autoreload(project, *modern(project, os.fsdecode(name))) as it:
        project.wait_for_start(1)
        it.watching()
        Path(os.fsdecode(name)).write_text("new")
        project.wait_for_text(os.fsdecode(name), "new")
        it.expect(r"restart process: caf\\xe9/m\\xfcll\\n\.py$")
        it.end()


@pytest.mark.parametrize("how", ["write", "replace"])
def test_a_single_file(how: str, project: Project) -> None:
    """Its neighbours do not count, whatever the way it is saved in; nor does an extension have to be given."""
    project.write("conf/server.weird", "old")
    words = ["--watch", "conf/server.weird", "--", *project.stamp("conf/server.weird")]
    with autoreload(project, *words) as it:
        project.wait_for_start(1)
        it.watching(project.tree / "conf")
        for number in range(3):
            project.write("conf/neighbour.py", str(number))
            if how == "write":
                project.write("conf/server.weird", str(number))
            else:
                project.write("conf/new", str(number))
                os.rename(project.tree / "conf" / "new", project.tree / "conf" / "server.weird")
            project.wait_for_text("conf/server.weird", str(number))
        assert it.restarts() == ["conf/server.weird"] * 3
        it.end()


def test_nested_and_overlapping_roots(project: Project) -> None:
    """One restart for a file that is below several roots; an ignored folder that is a root of its own is watched."""
    project.write("lib/inner/a.py", "old")
    project.write("node_modules/own/b.py", "old")
    project.write("node_modules/other/c.py", "old")
    roots = [".", "lib", "lib/inner", "lib", "./lib/../lib", "node_modules/own"]
    words = [word for root in roots for word in ("--watch", root)]
    with autoreload(project, *words, *modern(project, "lib/inner/a.py", "node_modules/own/b.py")) as it:
        project.wait_for_start(1)
        it.watching(project.tree / "lib" / "inner", project.tree / "node_modules" / "own")
        project.write("node_modules/other/c.py", "new")
        project.write("lib/inner/a.py", "new")
        project.wait_for_text("lib/inner/a.py", "new")
        project.write("node_modules/own/b.py", "new")
        project.wait_for_text("node_modules/own/b.py", "new")
        assert it.restarts() == ["lib/inner/a.py", "node_modules/own/b.py"]
        it.end()


def test_an_ignore_file_that_changes(project: Project) -> None:
    """What it names no longer counts from then on; what it no longer names does.

    The command does not name that file in its arguments: then no ignore file could take it away.
    """
    project.write("app.py", "old")
    project.write("generated/out.py", "old")
    with autoreload(project, *modern(project, "app.py")) as it:
        project.wait_for_start(1)
        it.watching()
        project.write("generated/out.py", "1")
        project.wait_for_start(2)
        project.write(".gitignore", "generated/\n")
        project.write("app.py", "2")
        project.wait_for_text("app.py", "2")
        project.write("generated/out.py", "2")
        project.write("app.py", "3")
        project.wait_for_text("app.py", "3")
        assert it.restarts() == ["generated/out.py", "app.py", "app.py"]
        project.write(".gitignore", "")
        project.write("app.py", "4")
        project.wait_for_text("app.py", "4")
        it.watching()
        project.write("generated/out.py", "4")
        project.wait_for_start(6)
        assert it.restarts()[3:] == ["app.py", "generated/out.py"]
        it.end()


def test_a_configuration_file_that_an_ignore_file_names(project: Project) -> None:
    """The command's own arguments name it, so it counts; so does `.env`."""
    project.write("app.py", "old")
    project.write("odoo.conf", "old")
    project.write(".gitignore", "*.conf\n.env\n")
    with autoreload(project, "--", *project.stamp("app.py", "odoo.conf", ".env")) as it:
        project.wait_for_start(1)
        it.watching()
        project.write("odoo.conf", "new")
        project.wait_for_text("odoo.conf", "new")
        project.write(".env", "new")
        project.wait_for_text(".env", "new")
        assert it.restarts() == ["odoo.conf", ".env"]
        it.end()
