"""Own writes where the kernel itself says who wrote: fanotify, which only root may use."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.tool import Project, Tool, autoreload, children
from tests.kernel.mirror import maker

RENAMES = 'import os, time; open("new", "w").write("own"); os.rename("new", "state.py"); time.sleep(5)'
OBEYS = 'exec 3<>"$ORDERS"; while read -r order <&3; do eval "$order"; done'
"""A shell that does what it is told, line by line. (Opened once, for both: no order gets lost between two.)"""


@contextmanager
def obeying(project: Project, *before: str) -> Iterator[Tool]:
    """autoreload on fanotify, with such a shell as its command."""
    maker("fanotify", str(project.tree))
    os.mkfifo(project.base / "orders")
    command = project.stamp("app.py", "state.py", then=["bash", "-c", OBEYS])
    words = ["--backend", "fanotify", "--explain", "-e", ".py", "--", *command]
    project.write("app.py", "old")
    project.write("state.py", "old")
    with autoreload(project, *words, before=before, environ={"ORDERS": str(project.base / "orders")}) as it:
        project.wait_for_start(1)
        yield it
        for pid in children(it.pid) if before else [it.pid]:  # unshare(1) passes no signal on
            os.kill(pid, signal.SIGTERM)
        it.ended()


def order(project: Project, what: str) -> None:
    """Have the command do this."""
    (project.base / "orders").write_text(what + "\n")


@pytest.mark.parametrize(
    "what",
    [
        "echo own > state.py",
        f"{sys.executable} -S -c '{RENAMES}' &",
        "(echo own > state.py; sleep 5) &",
        "bash -c '(echo own > state.py; sleep 5) &'",
        "setsid bash -c 'exec >/dev/null 2>&1; (sleep 0.1; echo own > state.py; sleep 5) & disown' &",
    ],
    ids=["itself", "by rename", "a child", "an orphan", "a daemon"],
)
def test_whatever_the_commands_tree_writes_restarts_nothing(project: Project, what: str) -> None:
    """One line says so; and what somebody else writes to the same file counts."""
    with obeying(project) as tool:
        order(project, f"cd {project.tree}; {what}")
        tool.expect(r"state\.py was written by the command itself: that does not restart it")
        tool.expect(r"No restart for state\.py, .*: the command itself wrote it")
        order(project, "echo own again > state.py; echo > last.py")
        tool.expect(r"last\.py was written by the command itself")
        assert len(project.runs()) == 1
        project.write("state.py", "by an editor")
        project.wait_for_text("state.py", "by an editor")
        assert tool.text().count("state.py was written by the command itself") == 1
        assert len(project.runs()) == 2


def test_in_a_container_a_writer_outside_of_it_is_a_stranger(project: Project) -> None:
    """Whose pid is 0 there; those inside have the pids that they have there."""
    inside = ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--propagation", "private", "--mount-proc"]
    with obeying(project, *inside) as tool:
        order(project, f"cd {project.tree}; echo own > state.py")
        tool.expect(r"state\.py was written by the command itself: that does not restart it")
        project.write("state.py", "from outside")
        project.wait_for_text("state.py", "from outside")
