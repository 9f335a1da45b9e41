"""Whatever the command is like and however autoreload ends: nothing is left, and never two run at once."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.screen import CTRL_C, Screen, terminal
from tests.e2e.tool import AUTORELOAD, PYTHON, Project, Tool, autoreload, children, watched
from tests.process.unruly import KINDS, LEAVE_SOMETHING, is_quiet
from tests.support import command_line, end_all, eventually, state, survivors

UNRULY = str(Path(__file__).parents[1] / "process" / "unruly.py")
HELD = 75
"""Exit code of the command if it finds the lock of its predecessor held."""


class Case:
    """One kind of command under autoreload."""

    def __init__(self, project: Project, kind: str) -> None:
        self.project = project
        self.kind = kind
        self.ready = project.base / "ready"
        self.ready.write_text("")
        project.write("watched.py")
        # Locked by the first instruction, in C, 1 ms after the start; all descendants inherit the lock.
        lock = ["flock", "--no-fork", "--nonblock", "-E", str(HELD), str(project.base / "lock")]
        then = [*PYTHON, UNRULY, kind, str(self.ready)]
        self.words = ["-e", ".py", "--stop-timeout", "0.2", "--", *lock, *project.stamp(then=then)]

    def up(self) -> None:
        """Wait until all its processes are there."""
        eventually(self.ready.read_text, what=f"{self.kind} to be up")
        assert len(survivors(self.project.mark)) >= 2 + KINDS[self.kind] - (self.kind == "comet")

    def restart(self) -> None:
        """Change a file, and wait until the next one is up."""
        before = len(self.project.runs())
        self.ready.write_text("")
        self.project.write("watched.py", str(before))
        self.project.wait_for_start(before + 1)
        self.up()

    def gone(self, *but: int) -> None:
        """Nothing is left."""
        eventually(lambda: set(survivors(self.project.mark)) <= set(but), what="an empty tree")
        eventually(lambda: is_quiet(self.ready), what="an end of the comet")


def restarted(tool: Tool, case: Case) -> None:
    """Three starts, and then SIGTERM."""
    tool.watching()
    case.restart()
    case.restart()
    assert len(case.project.runs()) == 3
    assert f"code {HELD}" not in tool.text()
    tool.end()


def terminated(tool: Tool, case: Case) -> None:
    """As by a supervisor."""
    tool.end(signal.SIGTERM)


def hung_up(tool: Tool, case: Case) -> None:
    """As by a connection that is lost."""
    tool.end(signal.SIGHUP)


def killed(tool: Tool, case: Case) -> None:
    """It has no chance to do anything."""
    tool.end(signal.SIGKILL, -signal.SIGKILL)


def guard_killed(tool: Tool, case: Case) -> None:
    """autoreload ends what the guard leaves, has a new one, and starts the command again."""
    guard = tool.guard()
    case.ready.write_text("")
    os.kill(guard, signal.SIGKILL)
    tool.expect("guards the command was killed, restart process")
    case.project.wait_for_start(2)
    case.up()
    assert tool.guard() != guard
    assert f"code {HELD}" not in tool.text()
    tool.end()


def killed_by_name(tool: Tool, case: Case) -> None:
    """`pkill -9 -f autoreload`, among the processes of this test."""
    named = [pid for pid in survivors(case.project.mark) if "autoreload" in command_line(pid)]
    assert tool.pid in named
    for pid in named:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    tool.ended(-signal.SIGKILL)


WAYS = (restarted, terminated, hung_up, killed, guard_killed, killed_by_name)


@pytest.mark.needs("flock")
@pytest.mark.parametrize("end", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left(kind: str, end: Callable[[Tool, Case], None], project: Project) -> None:
    """A command of that kind is gone, with all its descendants, when autoreload ends in that way."""
    case = Case(project, kind)
    with autoreload(project, *case.words) as tool:
        case.up()
        end(tool, case)
        case.gone()


def interrupted(screen: Screen) -> None:
    """Ctrl-C goes to the whole foreground."""
    screen.type(CTRL_C)
    screen.expect("SHELL DONE 0")


def window_closed(screen: Screen) -> None:
    """The shell is hung up as well, so is its foreground job."""
    screen.close()


@pytest.mark.needs("flock")
@pytest.mark.parametrize("end", [interrupted, window_closed], ids=lambda way: way.__name__)
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left_of_a_terminal(kind: str, end: Callable[[Screen], None], project: Project) -> None:
    """The same in a terminal, below a shell."""
    case = Case(project, kind)
    with terminal(project, *case.words) as screen:
        case.up()
        end(screen)
        case.gone(screen.leader)


@pytest.mark.parametrize("kind", LEAVE_SOMETHING)
def test_without_autoreload_something_is_left(kind: str, project: Project) -> None:
    """The control: these kinds leave processes behind when the command alone is ended."""
    ready = project.base / "ready"
    ready.write_text("")
    process = subprocess.Popen([*PYTHON, UNRULY, kind, str(ready)], env=project.environ)
    try:
        eventually(ready.read_text)
        process.kill()
        process.wait()
        lived_on = ready.stat().st_mtime_ns
        assert eventually(lambda: survivors(project.mark) or ready.stat().st_mtime_ns > lived_on)
    finally:
        ready.unlink()
        end_all(project.mark)


# -- as PID 1 --------------------------------------------------------------------------------------------------------
UNSHARE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")


@pytest.fixture
def namespace() -> tuple[str, ...]:
    """What to put before a command that is to be PID 1."""
    for more in ((), ("--user", "--map-root-user")):
        done = subprocess.run([*UNSHARE, *more, "true"], capture_output=True, text=True)
        if done.returncode == 0:
            return (*UNSHARE, *more)
    pytest.skip(f"needs a PID namespace: {done.stderr.strip()}")


def inside(tool: Tool) -> int:
    """The pid, as seen from here, of the autoreload that is PID 1 in there."""
    return eventually(lambda: next((p for p in survivors(tool.project.mark) if "NSpid" in status(p, 1)), 0))


def status(pid: int, own: int) -> str:
    """The line on its pids if it is `own` in a namespace below ours."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return ""
    line = next((line for line in lines if line.startswith("NSpid:")), "")
    words = line.split()
    return line if len(words) > 2 and words[-1] == str(own) else ""


@pytest.mark.needs("unshare", "flock")
@pytest.mark.parametrize("kind", KINDS)
def test_as_pid_1(kind: str, project: Project, namespace: tuple[str, ...]) -> None:
    """As the only program of a container: it restarts, and ends, leaving nothing, and with exit code 0."""
    case = Case(project, kind)
    with ExitStack() as stack:
        tool = stack.enter_context(autoreload(project, *case.words, before=namespace))
        case.up()
        first = inside(tool)
        eventually(lambda: project.tree.stat().st_ino in watched(first))
        case.restart()
        assert f"code {HELD}" not in tool.text()
        os.kill(first, signal.SIGTERM)
        tool.ended()
        case.gone()
        assert "Cannot end" not in tool.text()


@pytest.mark.needs("unshare")
def test_pid_1_reaps_strangers_and_leaves_what_it_inherited(project: Project, namespace: tuple[str, ...]) -> None:
    """An entry point of `helper & exec autoreload ...`: the helper lives on through a restart, and whose parent died
    is reaped, though it is no descendant of the command."""
    project.write("watched.py")
    entry = [*PYTHON, "-c", ENTRY_POINT, str(project.base / "helper"), *AUTORELOAD]
    words = ["-e", ".py", "--", *project.stamp()]
    with autoreload(project, *words, before=namespace, tool=entry) as tool:
        project.wait_for_start(1)
        first = inside(tool)
        helper = eventually(lambda: next((p for p in survivors(project.mark) if status(p, 2)), 0))
        eventually(lambda: project.tree.stat().st_ino in watched(first))
        project.write("watched.py", "2")
        project.wait_for_start(2)
        assert state(helper) == "S"
        (project.base / "helper").touch()  # it has a child that outlives its own parent, and dies
        eventually(lambda: (project.base / "helper.done").exists())
        eventually(lambda: all(state(pid) != "Z" for pid in everyone(first)), what="no zombie")
        assert state(helper) == "S"
        os.kill(first, signal.SIGTERM)
        tool.ended()


ENTRY_POINT = """
import os, signal, sys, time
asked = sys.argv[1]
if not os.fork():
    while not os.path.exists(asked):
        time.sleep(0.01)
    if not os.fork():
        if not os.fork():
            while os.getppid() != 1:
                time.sleep(0.005)
            open(asked + ".done", "w").close()
            os._exit(0)
        os._exit(0)
    os.wait()
    while True:
        signal.pause()
os.execv(sys.argv[2], sys.argv[2:])
"""


def everyone(pid: int) -> list[int]:
    """The processes in the PID namespace of this one."""
    wanted = os.readlink(f"/proc/{pid}/ns/pid")
    found = []
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and os.readlink(f"/proc/{name}/ns/pid") == wanted:
                found.append(int(name))
        except OSError:
            pass  # a zombie has none any more: see `state` of those that are children of PID 1
    return [*found, *children(pid)]
