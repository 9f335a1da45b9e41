"""`--warm` while the old program takes its time to end: the next one is imported meanwhile, and does nothing yet."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from tests.e2e.test_warm import SLOW, program, wait_for
from tests.e2e.tool import Project, Tool, autoreload, children
from tests.support import eventually, state, survivors

pytestmark = pytest.mark.slow
APP = """\
import atexit, os, signal, sys, time
def end():
    print("ends", flush=True)
    while not os.path.exists("../go"):
        time.sleep(0.01)
    print("gone", flush=True)
def stop(*_):
    sys.exit()
atexit.register(end)
signal.signal(signal.SIGTERM, stop)
import slow
import leaf
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
print("up", leaf.value, flush=True)
while True:
    signal.pause()
"""


@pytest.fixture
def slow_to_end(project: Project) -> Project:
    """A program that ends when it is let go."""
    project.write("app.py", APP)
    project.write("slow.py", SLOW)
    project.write("leaf.py", "value = 1\n")
    return project


def let_go(project: Project) -> None:
    """It may end."""
    (project.base / "go").write_text("")


def prepared(tool: Tool, but: int = 0) -> int:
    """Wait for one that has been prepared, and waits: its pid. `but`: is not meant."""

    def found() -> int:
        parents = [tool.guard()]
        while parents:
            below = children(parents.pop())
            for pid in below:
                if pid != but and len(below) > 1 and ignores(pid, signal.SIGUSR1) and state(pid) == "S":
                    return pid
            parents += below
        return 0

    # The old one ignores that signal as well, and is an only child or the first.
    return eventually(found, what="one that is prepared")


def ignores(pid: int, number: int) -> bool:
    """Does that process ignore the signal? proc(5)"""
    try:
        with open(f"/proc/{pid}/status") as status:
            mask = next(line for line in status if line.startswith("SigIgn"))
    except OSError:
        return False
    return bool(int(mask.split()[1], 16) >> (number - 1) & 1)


def lines(project: Project) -> list[str]:
    """What the command has written."""
    return project.stdout.read_text().splitlines()


def test_the_next_one_waits_where_it_would_be_noticed(slow_to_end: Project) -> None:
    """Then it is there at once."""
    project = slow_to_end
    with autoreload(project, "--warm", "-v", sys.executable, "app.py") as tool:
        wait_for(project, "up 1")
        tool.watching()
        old = program(tool)
        project.write("leaf.py", "value = 22\n")
        wait_for(project, "ends")

        new = prepared(tool, but=old)
        assert lines(project) == ["up 1", "ends"]
        let_go(project)

        tool.expect(
            "Warm restart from (?:inside app|before leaf).py, prepared while the old process ended, released in"
        )
        tool.expect(f"Process {new} started")
        wait_for(project, "up 22")
        assert lines(project) == ["up 1", "ends", "gone", "up 22"]
        tool.end()


def test_a_save_in_the_meantime_is_not_lost(slow_to_end: Project) -> None:
    """What was prepared for the one before is thrown away, and another one prepared."""
    project = slow_to_end
    with autoreload(project, "--warm", "-v", sys.executable, "app.py") as tool:
        wait_for(project, "up 1")
        tool.watching()
        old = program(tool)
        project.write("leaf.py", "value = 22\n")
        first = prepared(tool, but=old)

        project.write("leaf.py", "value = 33\n")
        eventually(lambda: state(first) in ("", "Z"), what="the end of what was prepared")
        prepared(tool, but=old)
        let_go(project)

        tool.expect("prepared while the old process ended")
        wait_for(project, "up 33")
        assert "up 22" not in lines(project)
        tool.end()


def test_a_save_just_before_the_end_is_not_lost(slow_to_end: Project) -> None:
    """There is no time to prepare another one."""
    project = slow_to_end
    with autoreload(project, "--warm", sys.executable, "app.py") as tool:
        wait_for(project, "up 1")
        tool.watching()
        old = program(tool)
        project.write("leaf.py", "value = 22\n")
        prepared(tool, but=old)

        project.write("leaf.py", "value = 33\n")
        let_go(project)

        wait_for(project, "up 33")
        assert "up 22" not in lines(project)
        tool.end()


@pytest.mark.parametrize("where", ["tree", "base"])
def test_a_module_that_the_old_one_writes_as_it_ends_is_not_missed(slow_to_end: Project, where: str) -> None:
    """Watched or not: the next one may have imported it before that."""
    project = slow_to_end
    folder = project.tree if where == "tree" else project.base
    (folder / "generated.py").write_text("value = 1\n")
    write = f"    with open({str(folder / 'generated.py')!r}, 'w') as file: file.write('value = 2222\\n')\n"
    text = APP.replace('    print("gone"', f'{write}    print("gone"').replace("import leaf", "import leaf, generated")
    text = text.replace("leaf.value", "leaf.value, generated.value")
    project.write("app.py", f"import sys\nsys.path.append({str(folder)!r})\n{text}")
    with autoreload(project, "--warm", "-v", sys.executable, "app.py") as tool:
        wait_for(project, "up 1 1")
        tool.watching()
        old = program(tool)
        project.write("leaf.py", "value = 22\n")
        prepared(tool, but=old)
        let_go(project)

        wait_for(project, "up 22 2222")
        assert "up 22 1" not in lines(project)
        tool.end()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_when_autoreload_is_ended_meanwhile(slow_to_end: Project, number: int) -> None:
    """What is prepared is never seen."""
    project = slow_to_end
    with autoreload(project, "--warm", sys.executable, "app.py") as tool:
        wait_for(project, "up 1")
        tool.watching()
        old = program(tool)
        project.write("leaf.py", "value = 22\n")
        prepared(tool, but=old)

        tool.process.send_signal(number)
        let_go(project)

        assert tool.process.wait(10) == 0
        assert not survivors(project.mark)
        assert lines(project) == ["up 1", "ends", "gone"]


@pytest.mark.parametrize("whom", ["the new one", "its snapshot", "the old one", "autoreload"])
def test_whoever_is_killed_meanwhile(slow_to_end: Project, whom: str) -> None:
    """There is one program in the end, the new one; or none, where autoreload was killed."""
    project = slow_to_end
    with autoreload(project, "--warm", sys.executable, "app.py") as tool:
        wait_for(project, "up 1")
        tool.watching()
        old = program(tool)
        project.write("leaf.py", "value = 22\n")
        new = prepared(tool, but=old)

        os.kill({"the new one": new, "the old one": old, "autoreload": tool.process.pid}.get(whom) or parent(new), 9)
        let_go(project)

        if whom == "autoreload":
            eventually(lambda: not survivors(project.mark), what="an empty tree")
            return
        wait_for(project, "up 22")
        eventually(lambda: not os.path.exists(f"/proc/{old}"), what="the end of the old one")
        assert lines(project).count("up 22") == 1
        tool.end()


def parent(pid: int) -> int:
    """Of a process; see proc(5)."""
    with open(f"/proc/{pid}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[1])


def test_why_nothing_is_prepared_is_said_with_explain(slow_to_end: Project) -> None:
    """Once for each restart."""
    project = slow_to_end
    project.write("slow.py", f"{SLOW}import ctypes\nkept = ctypes.CDLL(None)\n")
    with autoreload(project, "--warm", "--explain", sys.executable, "app.py") as tool:
        wait_for(project, "up 1")
        tool.watching()
        project.write("leaf.py", "value = 22\n")

        tool.expect("Nothing is prepared meanwhile: it calls C code by ctypes")
        let_go(project)

        wait_for(project, "up 22")
        tool.end()
