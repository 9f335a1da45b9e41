"""`kill -9` of whatever belongs to a warm command, at any moment: it comes back as what the files are now, and nothing
survives the end of autoreload. And a day of edits: nothing grows."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.tool import Project, Tool, autoreload, children
from tests.support import eventually, survivors

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
ROUNDS = int(os.environ.get("AUTORELOAD_KILLS", "6"))
EDITS = int(os.environ.get("AUTORELOAD_WARM_EDITS", "40"))
APP = """\
import os, signal, sys, time
def end(*_):
    time.sleep(0.05)
    sys.exit()
signal.signal(signal.SIGTERM, end)
import slow0, middle
import slow1, leaf
print("up", middle.value, leaf.value, os.getpid(), flush=True)
while True:
    signal.pause()
"""
SLOW = "import time\ntime.sleep(0.17)\n"
WITHIN = 20.0


def write(project: Project) -> None:
    """A program with three snapshots: the first, before `middle`, before `leaf`."""
    project.write("app.py", APP)
    for name in ("slow0", "slow1"):
        project.write(f"{name}.py", SLOW)
    for name in ("middle", "leaf"):
        project.write(f"{name}.py", "value = 0\n")


class Program:
    """What runs under a tool, and what it is to be."""

    def __init__(self, project: Project, tool: Tool) -> None:
        self._project = project
        self._tool = tool
        self._values = {"middle": 0, "leaf": 0}

    def chain(self) -> list[int]:
        """The guard, the snapshots from the first to the last, the program."""
        found, pid = [], next((pid for pid in children(self._tool.pid) if "reload-guard" in _name(pid)), 0)
        while pid:
            found.append(pid)
            pid = next(iter(children(pid)), 0)
        return found

    def edit(self, name: str) -> None:
        """Save another version of that module."""
        self._values[name] += 1
        self._project.write(f"{name}.py", f"value = {self._values[name]}\n" + "#" * random.randrange(50))

    def is_newest(self) -> bool:
        """Is the one that came up last alive, and what the files are?"""
        found = re.findall(r"^up (\d+) (\d+) (\d+)$", self._project.stdout.read_text(), re.M)
        if not found or (int(found[-1][0]), int(found[-1][1])) != (self._values["middle"], self._values["leaf"]):
            return False
        return int(found[-1][2]) in self.chain()[-1:]

    def is_all(self) -> bool:
        """Is nobody there but autoreload with its helpers, and the chain?"""
        known = {self._tool.pid, *children(self._tool.pid), *self.chain()}
        return set(survivors(self._project.mark)) <= known

    def comes_up(self, within: float = WITHIN, fewest: int = 4) -> list[int]:
        """Wait until it is, and nobody else is there: the chain, so many at least."""

        def is_up() -> list[int] | None:
            chain = self.chain()
            return chain if len(chain) >= fewest and self.is_newest() and self.is_all() else None

        try:
            return eventually(is_up, within)
        except AssertionError:
            text = self._project.stdout.read_text()[-500:] + self._tool.text()[-2000:]
            raise AssertionError(f"{self._values} {self.chain()} {survivors(self._project.mark)}: {text}") from None


@pytest.mark.parametrize("place", [0, 1], ids=["guard", "snapshot"])
def test_it_comes_back_though_there_was_only_one_snapshot(project: Project, place: int) -> None:
    """The program itself was not killed, but there is nobody above it any more."""
    write(project)
    project.write(
        "app.py", "import leaf, os, signal\nprint('up', 0, leaf.value, os.getpid(), flush=True)\nsignal.pause()\n"
    )
    with autoreload(project, "--warm", sys.executable, "app.py") as tool:
        program = Program(project, tool)
        pids = program.comes_up(fewest=3)
        kill(pids, place)
        eventually(lambda: pids[-1] not in program.comes_up(fewest=3), WITHIN, "another program")
        tool.end()


def _name(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text()
    return ""


def kill(pids: list[int], place: int) -> None:
    """One of them, if it is still there."""
    if pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pids[place % len(pids)], signal.SIGKILL)


@pytest.mark.parametrize("place", [0, 1, 2, 3, 4], ids=["guard", "first", "middle", "last", "program"])
def test_it_comes_back_as_what_the_files_are(project: Project, place: int) -> None:
    """Killed while it is up, as it is being stopped, resumed, or as it imports: the moment is chosen at random."""
    write(project)
    dice = random.Random(place)
    with autoreload(project, "--warm", "-v", sys.executable, "app.py") as tool:
        program = Program(project, tool)
        program.comes_up()
        tool.watching()
        for _ in range(ROUNDS):
            pids = program.comes_up()
            busy = dice.random() < 0.7
            if busy:
                program.edit(dice.choice(("middle", "leaf")))
                time.sleep(dice.random() * 0.4)
                pids = program.chain() or pids
            kill(pids, min(place, len(pids) - 1))
            if busy or place == 4:  # it may have been the program itself: that waits for a change
                time.sleep(dice.random() * 0.1)
                program.edit(dice.choice(("middle", "leaf")))
        program.edit("leaf")
        program.comes_up()
        tool.end()


def test_a_program_that_does_not_come_back_is_noticed(project: Project) -> None:
    """Control: one that ended waits for a change."""
    write(project)
    with autoreload(project, "--warm", sys.executable, "app.py") as tool:
        program = Program(project, tool)
        program.comes_up()
        kill(program.chain(), -1)
        tool.expect("Process was killed by SIGKILL")

        with pytest.raises(AssertionError):
            program.comes_up(0.3)
        tool.end()


@pytest.mark.parametrize("place", [0, 1, 2, 3, 4], ids=["guard", "first", "middle", "last", "program"])
@pytest.mark.parametrize("edited", [False, True])
def test_nothing_survives_the_tool(project: Project, place: int, edited: bool) -> None:
    """Though another one is killed just before."""
    write(project)
    with autoreload(project, "--warm", sys.executable, "app.py") as tool:
        program = Program(project, tool)
        program.comes_up()
        tool.watching()
        if edited:
            program.edit("leaf")
            time.sleep(random.random() * 0.3)
        kill(program.chain(), place)
        time.sleep(random.random() * 0.05)
        tool.send(signal.SIGKILL)
        tool.process.wait()

        tool.nothing_left()


def test_what_survives_the_tool_is_noticed(project: Project) -> None:
    """Control: a process that autoreload knows nothing of."""
    write(project)
    with autoreload(project, "--warm", sys.executable, "app.py") as tool:
        Program(project, tool).comes_up()
        stranger = subprocess.Popen(["sleep", "60"], env=project.environ)
        tool.send(signal.SIGKILL)
        tool.process.wait()

        eventually(lambda: survivors(project.mark) == [stranger.pid], what="only the stranger")
        stranger.kill()
        stranger.wait()
        tool.nothing_left()


class Load(dict[str, int]):
    """What all of it takes."""

    def __init__(self, project: Project, tool: Tool) -> None:
        pids = survivors(project.mark)
        super().__init__(
            processes=len(pids),
            descriptors_of_the_tool=len(os.listdir(f"/proc/{tool.pid}/fd")),
            descriptors=sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids),
            kilobytes_of_the_tool=_pss(tool.pid),
            kilobytes=sum(_pss(pid) for pid in pids),
        )


def _pss(pid: int) -> int:
    """Proportional set size, kB: what is shared is divided; see proc(5)."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.findall(r"^Pss: +(\d+) kB", text, re.M)[0])


def test_many_edits_take_no_more_than_a_few(project: Project) -> None:
    """Processes, descriptors, memory: of the tool, and of all."""
    write(project)
    with autoreload(project, "--warm", sys.executable, "app.py") as tool:
        program = Program(project, tool)
        program.comes_up()
        tool.watching()
        loads = []
        for number in range(1, EDITS + 1):
            program.edit(("middle", "leaf", "leaf")[number % 3])
            program.comes_up()
            if number % (EDITS // 4) == 0:
                loads.append(Load(project, tool))
        if EDITS > 40:
            print(*loads, sep="\n")
        first, last = loads[0], loads[-1]
        for name in first:
            # The last edits are of other files than the first: a snapshot more or less.
            assert last[name] <= first[name] * 1.25 + (2000 if "kilobytes" in name else 0), loads
        tool.end()
