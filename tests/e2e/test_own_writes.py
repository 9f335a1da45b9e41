"""A file that the command's own tree wrote does not restart it, if it is known who wrote it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.tool import Project, Tool, autoreload, later

KNOWING = (sys.executable, str(Path(__file__).with_name("with_pids.py")))


def writer(project: Project, pid: int, *names: str) -> None:
    """From here on it is this process that changes these files."""
    new = project.base / "new"
    new.write_text("".join(f"{pid} {name}\n" for name in names))
    os.rename(new, project.base / "writers")


@pytest.fixture
def tool(project: Project) -> Iterator[Tool]:
    """autoreload with a backend that knows who wrote what."""
    project.write("app.py", "old")
    writer(project, 0)
    environ = {"WRITERS": str(project.base / "writers")}
    words = ["--explain", "-e", ".py", "--", *project.stamp("app.py", "state.py")]
    with autoreload(project, *words, environ=environ, tool=KNOWING) as it:
        project.wait_for_start(1)
        it.watching()
        yield it
        it.end()


def test_what_the_command_writes_restarts_nothing_and_is_said_once(tool: Tool) -> None:
    """For each file one line; somebody else's write of the same file counts."""
    project = tool.project
    writer(project, project.runs()[0].pid, "state.py", "more.py")
    for number in range(5):
        project.write("state.py", str(number))
        later(0.05)
    project.write("more.py", "1")
    tool.expect(r"state\.py was written by the command itself: that does not restart it")
    tool.expect(r"No restart for state\.py, written: the command itself wrote it")
    tool.expect(r"more\.py was written by the command itself")
    later(0.1)
    assert len(project.runs()) == 1
    assert tool.text().count("state.py was written") == 1

    writer(project, os.getpid(), "state.py")
    project.write("state.py", "by somebody else")
    project.wait_for_text("state.py", "by somebody else")
    assert tool.restarts() == ["state.py"]


def test_a_writer_that_is_unknown_or_gone_restarts(tool: Tool) -> None:
    """Nothing is held on suspicion."""
    project = tool.project
    project.write("state.py", "by nobody knows who")
    project.wait_for_start(2)
    with subprocess.Popen(["true"]) as gone:
        pass
    writer(project, gone.pid, "state.py")
    project.write("state.py", "by one who is gone")
    project.wait_for_start(3)
    writer(project, project.runs()[0].pid, "state.py")
    project.write("state.py", "by the command before the last")
    project.wait_for_start(4)
