"""`--warm` for whatever ends up in Python: wrappers that execute it, and those that wait for it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.e2e.tool import Project, Tool, autoreload, children
from tests.support import command_line, eventually

pytestmark = pytest.mark.slow
APP = """\
import sys
print("begins", flush=True)
import slow
import leaf
print("up", leaf.value, flush=True)
from signal import pause
while leaf.value < 100:
    pause()
sys.exit(7)
"""
WRAPPER = """\
import os, sys
os.execvp(sys.argv[1], sys.argv[1:])
"""
UV = str(Path(sys.executable).with_name("uv"))
UV_RUN = [UV, "run", "--no-project", "--offline", "--quiet", "--python", sys.executable]
COMMANDS = {
    "env": ["env", "X=1", sys.executable, "app.py"],
    "nice": ["nice", "-n", "1", sys.executable, "app.py"],
    "nohup": ["nohup", sys.executable, "app.py"],
    "setsid": ["setsid", "--wait", sys.executable, "app.py"],
    "exec": [f"X=1; exec {sys.executable} app.py"],
    "a wrapper in Python": [sys.executable, "wrapper.py", sys.executable, "app.py"],
    "a wrapper of a wrapper": [
        sys.executable,
        "wrapper.py",
        sys.executable,
        "wrapper.py",
        "env",
        sys.executable,
        "app.py",
    ],
    "uv run": [*UV_RUN, "python", "app.py"],
    "uv run a script": [*UV_RUN, "app.py"],
    "uv run a module": [*UV_RUN, "-m", "app"],
    "uv run a wrapper": [*UV_RUN, "wrapper.py", "python", "app.py"],
}


def write(project: Project) -> None:
    """A program that takes a moment until it comes to what will change."""
    project.write("app.py", APP)
    project.write("wrapper.py", WRAPPER)
    project.write("slow.py", "import time\ntime.sleep(0.2)\n")
    project.write("leaf.py", "value = 1\n")


def wait_for(project: Project, line: str, times: int = 1) -> None:
    """Until the command has written that so often."""

    def written() -> bool:
        texts = project.stdout.read_text() + project.stderr.read_text()  # nohup
        return texts.splitlines().count(line) >= times

    eventually(written, 20.0, line)


@pytest.mark.parametrize("name", COMMANDS)
def test_an_edit_is_warm_below(project: Project, name: str) -> None:
    """And the end of it all is one."""
    write(project)
    with autoreload(project, "--warm", "--explain", "-v", "--", *COMMANDS[name]) as tool:
        wait_for(project, "up 1")
        tool.watching()
        project.write("leaf.py", "value = 22\n")
        tool.expect("Warm restart from (?:inside app|before leaf).py")
        wait_for(project, "up 22")
        project.write("leaf.py", "value = 33\n")
        tool.expect("Warm restart from (?:inside app|before leaf).py")
        wait_for(project, "up 33")

        assert project.stdout.read_text().splitlines().count("begins") <= 1
        tool.end()
        tool.nothing_left()


def wrapper(tool: Tool) -> int:
    """Pid of `uv run`."""
    return next(pid for pid in children(tool.guard()) if command_line(pid).startswith(UV))


def test_below_uv_run_an_end_of_the_command_is_told_and_repaired(project: Project) -> None:
    """uv itself does not see it: it waits for the first snapshot."""
    write(project)
    with autoreload(project, "--warm", "-v", "--", *UV_RUN, "app.py") as tool:
        wait_for(project, "up 1")
        tool.watching()
        project.write("leaf.py", "value = 100\n")
        tool.expect("Process exited with code 7")

        project.write("leaf.py", "value = 2\n")
        tool.expect("Warm restart from (?:inside app|before leaf).py")
        wait_for(project, "up 2")
        tool.end()


def test_below_uv_run_a_cold_restart_ends_everything(project: Project) -> None:
    """The stop signal goes through uv and all snapshots."""
    write(project)
    project.write("app.py", "import atexit, signal, sys\nsignal.signal(15, lambda *_: sys.exit())\n" + APP)
    with autoreload(project, "--warm", "--explain", "-v", "--", *UV_RUN, "app.py") as tool:
        wait_for(project, "up 1")
        tool.watching()
        first = wrapper(tool)
        project.write("new.py")
        tool.expect("Cold restart: new.py is new")
        wait_for(project, "up 1", times=2)

        assert wrapper(tool) != first
        assert len(children(tool.guard())) == 1
        tool.end()
        tool.nothing_left()


def test_when_uv_run_is_killed_all_below_it_is_ended_and_started_again(project: Project) -> None:
    """The snapshots are orphans then, and the guard inherits them."""
    write(project)
    with autoreload(project, "--warm", "-v", "--", *UV_RUN, "app.py") as tool:
        wait_for(project, "up 1")
        tool.watching()
        os.kill(wrapper(tool), signal.SIGKILL)

        wait_for(project, "up 1", times=2)
        assert len(children(tool.guard())) == 1
        tool.end()
        tool.nothing_left()


def test_when_autoreload_is_killed_nothing_is_left_of_uv_run(project: Project) -> None:
    """Nor of the snapshots below it."""
    write(project)
    with autoreload(project, "--warm", "--", *UV_RUN, "app.py") as tool:
        wait_for(project, "up 1")
        tool.send(signal.SIGKILL)
        tool.process.wait()

        tool.nothing_left()


@pytest.mark.parametrize(
    "command",
    [
        [*UV_RUN, "sh", "-c", "python app.py; echo after"],
        ["sh", "-c", f"{sys.executable} -c 1; {sys.executable} app.py"],
    ],
    ids=["a shell below uv", "a shell that runs two programs"],
)
def test_what_runs_other_programs_stays_cold(project: Project, command: list[str]) -> None:
    """They would not be run again."""
    write(project)
    with autoreload(project, "--warm", "--explain", "--", *command) as tool:
        wait_for(project, "up 1")
        tool.watching()
        project.write("leaf.py", "value = 22\n")
        tool.expect("Cold restart: no snapshot: (another program started|other programs ran before)")
        wait_for(project, "up 22")
        tool.end()
