"""Whatever the command is like and however autoreload ends: nothing is left, and never two run at once."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.process.helpers import Tool, environment, tool, unruly
from tests.process.unruly import KINDS, LEAVE_SOMETHING, is_quiet
from tests.support import command_line, end_all, eventually, survivors

GRACE = 0.2


def restart(tool: Tool, ready: Path) -> None:
    """End the tree and start it again, twice: the old one is gone before the new one is asked for."""
    for run in (2, 3):
        tool.stop(grace=GRACE)
        assert set(survivors(tool.mark)) <= {tool.process.pid, tool.guard}
        ready.write_text("")
        tool.start(run)
        eventually(ready.read_text)
    tool.stop(grace=GRACE)
    assert set(survivors(tool.mark)) <= {tool.process.pid, tool.guard}
    tool.process.terminate()


def terminate(tool: Tool, ready: Path) -> None:
    """SIGTERM to the tool, as by a supervisor."""
    tool.process.terminate()


def kill_tool(tool: Tool, ready: Path) -> None:
    """The tool has no chance to do anything."""
    tool.process.kill()


def kill_guard(tool: Tool, ready: Path) -> None:
    """The tool ends what the guard has left, and has a new guard for the next command."""
    os.kill(tool.guard, signal.SIGKILL)
    tool.expect("GuardLost")
    tool.ask("guard")
    new = int(tool.expect("Guard")[1])
    assert new != tool.guard
    assert set(survivors(tool.mark)) <= {tool.process.pid, new}
    ready.write_text("")
    tool.start(2)
    eventually(ready.read_text)
    tool.process.terminate()


def kill_all_called_autoreload(tool: Tool, ready: Path) -> None:
    """`pkill -9 -f autoreload`, among the processes of this test."""
    named = [pid for pid in survivors(tool.mark) if "autoreload" in command_line(pid)]
    assert tool.process.pid in named
    for pid in named:
        os.kill(pid, signal.SIGKILL)


WAYS = (restart, terminate, kill_tool, kill_guard, kill_all_called_autoreload)


@pytest.mark.slow
@pytest.mark.parametrize("end", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left(kind: str, end: Callable[[Tool, Path], None], ready: Path) -> None:
    """A command of that kind is gone, with all its descendants, when autoreload ends in that way."""
    mark = f"matrix-{os.getpid()}-{kind}-{end.__name__}-"
    with tool(unruly(kind, ready), mark) as it:
        it.start()
        eventually(ready.read_text)
        assert len(survivors(mark)) >= 2 + KINDS[kind] - (kind == "comet")
        end(it, ready)
        it.process.wait(10)
        eventually(lambda: not survivors(mark), what="an empty tree")
        eventually(lambda: is_quiet(ready), what="an end of the comet")


@pytest.mark.parametrize("kind", LEAVE_SOMETHING)
def test_without_a_guard_something_is_left(kind: str, ready: Path) -> None:
    """The control: if the command alone is ended, as by other tools, these kinds leave processes behind."""
    mark = f"control-{os.getpid()}-{kind}-"
    process = subprocess.Popen(unruly(kind, ready), env=environment(mark))
    try:
        eventually(ready.read_text)
        process.terminate()
        try:
            process.wait(0.2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        lived_on = ready.stat().st_mtime
        assert eventually(lambda: survivors(mark) or ready.stat().st_mtime > lived_on)
    finally:
        ready.unlink()
        end_all(mark)
