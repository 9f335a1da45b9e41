"""`--warm` in a terminal: the keyboard is the program's, whichever process of the chain it is."""

from __future__ import annotations

import re
import sys

import pytest

from tests.e2e.screen import CTRL_C, CTRL_Z, terminal
from tests.e2e.tool import Project
from tests.support import eventually, state, survivors

pytestmark = pytest.mark.slow
WAIT = """
import time
print("up", leaf.value, flush=True)
while True:
    time.sleep(0.05)
"""
COMMAND = ["--warm", "-v", "-e", ".py", "--", sys.executable, "app.py"]


def write(project: Project, before: str = "", after: str = "") -> None:
    """A program that comes to `leaf` after a moment."""
    project.write("slow.py", "import time\ntime.sleep(0.2)\n")
    project.write("leaf.py", "value = 1\n")
    project.write("app.py", f"print('begins', flush=True)\n{before}\nimport slow, leaf\n{after}\n{WAIT}")


def test_pdb(project: Project) -> None:
    """A restart at the prompt, or after it: the next prompt works, and the terminal is as it was."""
    write(project, after="breakpoint()")
    with terminal(project, *COMMAND) as it:
        for value, following in ((1, 22), (22, 333), (333, 4444)):
            it.expect(r"\(Pdb\) ")
            it.type(b"p leaf.value\n")
            it.expect(rf"\b{value}\n")
            it.expect(r"\(Pdb\) ")
            it.watching()
            if value == 22:
                it.type(b"c\n")
                it.expect("up 22\n")
            project.write("leaf.py", f"value = {following}\n")
        it.expect(r"\(Pdb\) ")
        it.type(CTRL_C)
        it.expect("SHELL DONE 0")
        assert it.modes() == (True, True)
        assert it.text().count("begins") == 1


def test_pdb_before_a_snapshot_could_be_taken(project: Project) -> None:
    """Who goes on from a prompt step by step is traced: no snapshot then, and the restart comes to the prompt again."""
    write(project, before="import pdb\npdb.set_trace()")
    with terminal(project, *COMMAND) as it:
        it.expect(r"\(Pdb\) ")
        for keys in (b"b app.py:7\n", b"c\n"):
            it.type(keys)
            it.expect(r"\(Pdb\) ")
        it.type(b"c\n")
        it.expect(r"up 1\n")
        it.watching()
        project.write("leaf.py", "value = 22\n")
        it.expect(r"\(Pdb\) ")
        it.type(b"c\n")
        it.expect(r"up 22\n")
        it.type(CTRL_C)
        it.expect("SHELL DONE 0")


def test_ctrl_c_lets_the_program_end_by_itself(project: Project) -> None:
    """It hears it once, as does nobody else of the chain."""
    bye = "import os, signal, sys\nsignal.signal(signal.SIGINT, lambda *_: sys.exit(6 - os.write(1, b'saved\\n')))\n"
    write(project, before=bye)
    with terminal(project, *COMMAND) as it:
        it.expect("up 1\n")
        it.watching()
        project.write("leaf.py", "value = 22\n")
        it.expect("up 22\n")
        it.type(CTRL_C)
        it.expect("SHELL DONE 0")
        it.nothing_left()
        assert it.text().count("saved") == 1
        assert "Traceback" not in it.text()


def test_fg_goes_on_and_what_changed_meanwhile_is_noticed(project: Project) -> None:
    """Ctrl-Z stops the tool and the program; a snapshot does nothing that could be stopped."""
    write(project)
    with terminal(project, *COMMAND) as it:
        it.expect("up 1\n")
        it.watching()
        for value in (22, 333):
            it.type(CTRL_Z)
            it.expect("SHELL STOPPED")
            mine = [pid for pid in survivors(project.mark) if pid != it.leader]
            eventually(lambda: sorted(map(state, mine)).count("T") == 2, what="tool and program to stop")  # noqa: B023
            project.write("leaf.py", f"value = {value}\n")
            it.type(b"fg\n")
            it.expect(f"up {value}\n")  # the program and the tool write as they come
        assert it.modes() == (True, True)
        it.type(CTRL_C)
        it.expect("SHELL DONE 0")
        it.nothing_left()
        assert it.text().count("begins") == 1
        assert len(re.findall("Warm restart from (?:inside app|before leaf).py", it.text())) == 2
