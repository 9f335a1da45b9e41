"""File systems that others change, and that may not answer: the real command, over FUSE."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.tool import Project, Tool, autoreload, children, comm
from tests.passthrough import Passthrough, passthrough
from tests.support import eventually

pytestmark = pytest.mark.needs("bindfs")


@pytest.fixture
def there(project: Project) -> Iterator[Passthrough]:
    """A mount in the tree, with one file."""
    source = project.base / "server"
    source.mkdir()
    (source / "far.py").write_text("1")
    with passthrough(source, project.tree / "mnt") as it:
        yield it


def known(tool: Tool, files: int) -> None:
    """Wait until the contents are known, so all is watched."""
    tool.expect(f"the content of {files} files is known")


def test_both_sides_of_a_mount_are_noticed(project: Project, there: Passthrough) -> None:
    """What is changed here at once, and what is changed behind it by the next look; each once."""
    project.write("near.py", "1")
    with autoreload(project, "-v", *project.stamp("mnt/far.py")) as tool:
        known(tool, 2)
        (there.source / "far.py").write_text("22")
        project.wait_for_text("mnt/far.py", "22")
        known(tool, 2)
        before = time.monotonic()
        (there.point / "far.py").write_text("333")
        assert project.wait_for_text("mnt/far.py", "333").at - before < 0.9  # a look comes later
        known(tool, 2)
        os.utime(there.source / "far.py")
        os.utime(there.point / "far.py")
        project.write("near.py", "2")
        project.wait_for_start(4)
        assert tool.restarts() == ["mnt/far.py", "mnt/far.py", "near.py"]
        tool.end()


def test_while_a_mount_hangs_all_else_goes_on(project: Project, there: Passthrough) -> None:
    """A line says that it hangs; a local change restarts; when it answers again, what was changed on it is noticed."""
    project.write("near.py", "1")
    (project.tree / "link.py").symlink_to("mnt/far.py")  # follow it, and you hang
    with autoreload(project, "-v", *project.stamp("near.py")) as tool:
        known(tool, 2)
        there.hang()
        project.write("near.py", "2")
        project.wait_for_text("near.py", "2")
        tool.expect(f"{there.point} .fuse.* does not answer: .*; .*unmount it")
        project.write("near.py", "3")
        project.wait_for_text("near.py", "3")
        (there.source / "far.py").write_text("22")
        there.go_on()
        tool.expect(f"{there.point} .* answers again")
        tool.expect("restart process: mnt/far.py")
        tool.end()


@pytest.mark.parametrize(
    ("words", "told"), [([], False), ([], True), (["--poll"], False)], ids=["at-once", "later", "polling"]
)
def test_ctrl_c_ends_it_at_once_while_a_mount_hangs(
    project: Project, there: Passthrough, words: list[str], told: bool
) -> None:
    """Whether that is known already or not; and nothing of it is left."""
    with autoreload(project, "-v", *words, *project.stamp()) as tool:
        known(tool, 1)
        there.hang()
        if told:
            tool.expect("does not answer")
        else:
            eventually(lambda: any(_waits(pid) for pid in children(tool.pid)), what="a process that hangs")
        before = time.monotonic()
        tool.end(signal.SIGINT)
        assert time.monotonic() - before < 1.0


def _waits(pid: int) -> bool:
    """Is it asleep in FUSE?"""
    try:
        return "request" in Path(f"/proc/{pid}/wchan").read_text()
    except OSError:
        return False


def test_a_start_in_a_hung_mount_waits_and_can_be_given_up(project: Project, there: Passthrough) -> None:
    """One line says for what; when it answers, all goes on."""
    there.hang()
    with autoreload(project, "--watch", "mnt", *project.stamp()) as tool:
        tool.expect("autoreload: .*/mnt .fuse.* does not answer: waiting for it; type Ctrl-C to give up")
        tool.send(signal.SIGINT)
        tool.ended(-signal.SIGINT, within=1.0)
    with autoreload(project, "--watch", "mnt", *project.stamp()) as tool:
        eventually(lambda: children(tool.pid), what="a question")
        there.go_on()
        project.wait_for_start(1)
        tool.end()


def test_a_command_that_is_started_in_a_hung_mount_can_be_given_up(project: Project, there: Passthrough) -> None:
    """The guard hangs while it enters the folder: it is not waited for."""
    project.write("near.py", "1")
    words = ["--watch", str(project.tree), *project.stamp()]
    with autoreload(project, "-v", *words, cwd=there.point, environ={"PWD": None}) as tool:
        known(tool, 2)
        guard = tool.guard()
        there.hang()
        project.write("near.py", "2")
        eventually(lambda: _waits(guard), what="a guard that hangs")
        before = time.monotonic()
        tool.end(signal.SIGINT)
        assert time.monotonic() - before < 3.0


def test_what_changed_while_it_was_not_there_is_noticed(project: Project, there: Passthrough) -> None:
    """Its daemon dies, which changes nothing by itself; it is unmounted, so its files are gone; it comes again."""
    project.write("near.py", "1")
    with autoreload(project, "-v", *project.stamp("mnt/far.py")) as tool:
        known(tool, 2)
        there.die()
        tool.expect("does not answer .Transport endpoint is not connected.: ")
        assert len(project.runs()) == 1
        there.unmount()
        tool.expect("restart process: mnt/far.py .deleted.")
        (there.source / "far.py").write_text("22")
        there.mount()
        project.wait_for_text("mnt/far.py", "22")
        tool.end()


def test_a_helper_that_is_killed_is_replaced(project: Project, there: Passthrough) -> None:
    """And what changed meanwhile is noticed."""
    with autoreload(project, "-v", *project.stamp("mnt/far.py")) as tool:
        known(tool, 1)
        guard = tool.guard()
        (helper,) = [pid for pid in children(tool.pid) if pid != guard and "stamp" not in comm(pid)]
        os.kill(helper, signal.SIGKILL)
        (there.source / "far.py").write_text("22")
        project.wait_for_text("mnt/far.py", "22")
        tool.end()


def test_the_guard_is_replaced_while_a_mount_hangs(project: Project, there: Passthrough) -> None:
    """Who hangs for us is not taken for what the command has left."""
    project.write("near.py", "1")
    with autoreload(project, "-v", *project.stamp("near.py")) as tool:
        known(tool, 2)
        there.hang()
        os.kill(tool.guard(), signal.SIGKILL)
        project.wait_for_start(2)
        project.write("near.py", "2")
        project.wait_for_text("near.py", "2")
        tool.end()


def test_an_ignore_file_on_the_other_side_is_heeded(project: Project, there: Passthrough) -> None:
    """It is read where it may be read, also when it changes behind the mount."""
    (there.source / ".gitignore").write_text("generated.py\n")
    with autoreload(project, "-v", "--explain", *project.stamp()) as tool:
        known(tool, 1)
        (there.source / "generated.py").write_text("1")
        tool.expect("No restart for mnt/generated.py.*: .*gitignore:1: generated.py")
        (there.source / ".gitignore").write_text("")
        tool.expect("No restart for mnt/.gitignore")
        (there.source / "generated.py").write_text("22")
        tool.expect("restart process: .*mnt/generated.py")
        tool.end()
