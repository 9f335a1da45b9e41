"""`--warm`: a Python command goes on from just before what changed."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from tests.e2e.tool import Project, Tool, autoreload, children
from tests.support import eventually

pytestmark = pytest.mark.slow
APP = """\
import sys
print("begins", flush=True)
import slow
import leaf
print("up", leaf.value, flush=True)
from signal import pause
while True:
    pause()
"""
SLOW = "import time\ntime.sleep(0.2)\n"


def write(project: Project) -> None:
    """A program that takes a moment until it comes to what will change."""
    project.write("app.py", APP)
    project.write("slow.py", SLOW)
    project.write("leaf.py", "value = 1\n")


def wait_for(project: Project, line: str, times: int = 1) -> None:
    """Until the command has written that so often."""
    eventually(lambda: project.stdout.read_text().splitlines().count(line) >= times, 15.0, line)


@pytest.mark.parametrize(
    "words",
    [["app.py"], ["-m", "app"], ["-m", "package"], ["-c", "import app"], ["-u", "-X", "dev", "app.py"], ["serve"]],
)
def test_an_edit_is_live_without_what_came_before(project: Project, words: list[str]) -> None:
    """However Python is called; `serve` is a script as pip installs them."""
    write(project)
    project.write("package/__init__.py")
    project.write("package/__main__.py", "import app\n")
    command = [sys.executable, *words]
    if words == ["serve"]:
        path = project.write("serve", f"#!{sys.executable}\nimport sys\nsys.path.insert(0, '.')\nimport app\n")
        path.chmod(0o755)
        command = ["./serve"]
    with autoreload(project, "--warm", "-v", "--", *command) as tool:
        wait_for(project, "up 1")
        tool.watching()
        project.write("leaf.py", "value = 22\n")
        tool.expect("restart process: leaf.py")
        tool.expect(r"Warm restart from (inside app|before leaf).py, resumed in \d+ ms")
        wait_for(project, "up 22")

        project.write("leaf.py", "value = 33\n")
        wait_for(project, "up 33")

        assert project.stdout.read_text().splitlines().count("begins") == 1
        tool.end()


def test_an_edit_below_the_imports_of_the_script_is_warm_the_first_time(project: Project) -> None:
    """It is the file that the program begins with. So is the next one."""
    write(project)
    with autoreload(project, "--warm", "-v", sys.executable, "app.py") as tool:
        wait_for(project, "up 1")
        tool.watching()
        project.write("app.py", APP.replace("up", "second"))
        tool.expect("Warm restart from inside app.py")
        wait_for(project, "second 1")

        project.write("app.py", APP.replace("up", "third"))
        tool.expect("Warm restart from inside app.py")
        wait_for(project, "third 1")

        assert project.stdout.read_text().splitlines().count("begins") == 1
        tool.end()


def test_a_crash_is_repaired_warm(project: Project) -> None:
    """Its end is told as that of any command."""
    write(project)
    with autoreload(project, "--warm", "-v", sys.executable, "app.py") as tool:
        wait_for(project, "up 1")
        tool.watching()
        project.write("leaf.py", "import sys\nsys.exit(3)\n")
        tool.expect("Process exited with code 3 after .*; waiting for a change")

        project.write("leaf.py", "value = 4444\n")
        tool.expect("Warm restart from inside app.py")
        wait_for(project, "up 4444")
        tool.end()


def test_a_command_that_is_killed_is_told_of(project: Project) -> None:
    """It is a grandchild now; the signal is told all the same."""
    write(project)
    with autoreload(project, "--warm", sys.executable, "app.py") as tool:
        wait_for(project, "up 1")
        os.kill(program(tool), signal.SIGKILL)

        tool.expect("Process was killed by SIGKILL")
        tool.end()


def program(tool: Tool) -> int:
    """Pid of the last of the chain."""
    pid = tool.guard()
    while below := children(pid):
        pid = below[0]
    return pid


def test_why_a_restart_is_cold_is_said_with_explain(project: Project) -> None:
    """For each reason one line."""
    write(project)
    with autoreload(project, "--warm", "--explain", "-v", sys.executable, "app.py") as tool:
        wait_for(project, "up 1")
        tool.watching()
        project.write("new.py")
        tool.expect("Cold restart: new.py is new")
        wait_for(project, "begins", times=2)

        (project.tree / "new.py").unlink()
        tool.expect("Cold restart: new.py is gone")
        wait_for(project, "begins", times=3)
        tool.end()


def test_a_python_that_lets_nobody_in_restarts_cold(project: Project) -> None:
    """And says so."""
    write(project)
    with autoreload(project, "--warm", "--explain", sys.executable, "-E", "app.py") as tool:
        wait_for(project, "up 1")
        tool.watching()
        project.write("leaf.py", "value = 22\n")
        tool.expect("Cold restart: no CPython 3.9 to 3.13 was seen to start")
        wait_for(project, "up 22")
        tool.end()


def test_another_command_is_left_alone(project: Project) -> None:
    """A shell with a Python in it: what it does next would not be done again."""
    write(project)
    command = f"{sys.executable} app.py; echo after"
    with autoreload(project, "--warm", "--explain", command) as tool:
        wait_for(project, "up 1")
        tool.watching()
        project.write("leaf.py", "value = 22\n")
        tool.expect("Cold restart: no snapshot: another program started Python")
        wait_for(project, "up 22")
        tool.end()


def test_the_exit_code_of_the_command_is_handed_on(project: Project) -> None:
    """`--on-exit quit`."""
    project.write("app.py", "raise SystemExit(7)\n")
    with autoreload(project, "--warm", "--on-exit", "quit", sys.executable, "app.py") as tool:
        tool.ended(7)


def test_nothing_is_left_when_autoreload_is_killed(project: Project) -> None:
    """The snapshots end with it."""
    write(project)
    with autoreload(project, "--warm", sys.executable, "app.py") as tool:
        wait_for(project, "up 1")
        tool.send(signal.SIGKILL)
        tool.process.wait()

        tool.nothing_left()


def test_a_snapshot_that_is_killed_costs_a_new_start(project: Project) -> None:
    """One line, and the command runs."""
    write(project)
    with autoreload(project, "--warm", sys.executable, "app.py") as tool:
        wait_for(project, "up 1")
        os.kill(children(tool.guard())[0], signal.SIGKILL)

        tool.expect("was killed, restart process")
        wait_for(project, "up 1", times=2)
        tool.end()


def test_the_program_is_asked_to_end_and_has_its_time(project: Project) -> None:
    """As in a cold restart: what it does at its end is done before the new one begins."""
    write(project)
    end = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(print('cleaned up', flush=True)))\n"
    project.write("app.py", end + APP)
    with autoreload(project, "--warm", sys.executable, "app.py") as tool:
        wait_for(project, "up 1")
        tool.watching()
        project.write("leaf.py", "value = 22\n")
        wait_for(project, "up 22")

        assert project.stdout.read_text().splitlines() == ["begins", "up 1", "cleaned up", "up 22"]
        tool.end()
    assert project.stdout.read_text().splitlines()[-1] == "cleaned up"
