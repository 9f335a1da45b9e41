"""In a terminal: whatever works without autoreload works with it, and the terminal is whole afterwards."""

from __future__ import annotations

import os
import signal

import pytest

from tests.e2e.screen import CTRL_C, CTRL_Z, Screen, terminal
from tests.e2e.tool import PYTHON, Project, autoreload, comm, watched
from tests.support import eventually, state, survivors

WAIT = "print('up', flush=True)\nimport time\nwhile True: time.sleep(0.05)\n"
"""Not pause(2): a SIGINT just before it would be handled by Python after the next one only."""
RAW = "import tty\ntty.setraw(0)\n" + WAIT
HANDLES_INTERRUPT = """
import os, signal, sys, time
def bye(*_):
    time.sleep(0.2)
    os.write(1, b"saved\\n")  # print() may just be at work
    sys.exit()
signal.signal(signal.SIGINT, bye)
"""
DEAF = "import signal\nfor n in (2, 15): signal.signal(n, signal.SIG_IGN)\n"
SIZE = """
import os, signal
signal.signal(signal.SIGWINCH, lambda *_: os.write(1, "size {} {}\\n".format(*os.get_terminal_size()).encode()))
"""


def python(project: Project, source: str) -> list[str]:
    """The words for a command of this source, restarted when it changes."""
    project.write("app.py", source)
    return ["-e", ".py", "--", *PYTHON, "app.py"]


class TestInput:
    """The keyboard is the command's."""

    def test_pdb(self, project: Project) -> None:
        """A breakpoint prompts, prints, and continues; after a restart at the prompt the terminal is as it was."""
        source = "answer = 6 * 7\nbreakpoint()\n" + WAIT
        with terminal(project, *python(project, source)) as it:
            for _ in range(2):
                it.expect(r"\(Pdb\) ")
                it.type(b"p answer\n")
                it.expect(r"\b42\n")
                it.expect(r"\(Pdb\) ")
                it.type(b"c\n")
                it.expect(r"up\n")
                it.watching()
                project.write("app.py", source + "\n")
            it.expect(r"\(Pdb\) ")
            project.write("app.py", WAIT)
            it.expect(r"up\n")
            assert it.modes() == (True, True)
            it.type(CTRL_C)
            it.expect("SHELL DONE 0")
            assert it.modes() == (True, True)

    def test_input(self, project: Project) -> None:
        """What is typed reaches the command that runs now."""
        source = "print('hello', input('name? '), flush=True)\n" + WAIT
        with terminal(project, *python(project, source)) as it:
            it.expect(r"name\? ")
            it.watching()
            project.write("app.py", source + "\n")
            it.expect(r"name\? ")
            it.type("Zoë\n".encode())
            it.expect("hello Zoë\n")
            it.expect(r"up\n")
            it.type(CTRL_C)
            it.expect("SHELL DONE 0")


class TestCtrlC:
    """It goes to the whole foreground: autoreload and the command get it at once."""

    def test_once_lets_the_command_end_by_itself(self, project: Project) -> None:
        """As long as the grace period lasts, and without a second SIGINT."""
        with terminal(project, *python(project, HANDLES_INTERRUPT + WAIT)) as it:
            it.expect("up\n")
            it.type(CTRL_C)
            it.expect(r"SIGINT received, stop process \(Ctrl-C again kills it\)")
            it.expect("saved\n")
            it.expect("SHELL DONE 0")
            it.nothing_left()
            assert "Traceback" not in it.text()

    def test_twice_ends_at_once(self, project: Project) -> None:
        """However long the grace period is, and however deaf the command."""
        words = python(project, DEAF + WAIT)
        with terminal(project, "--stop-timeout", "100", *words) as it:
            it.expect("up\n")
            it.type(CTRL_C)
            it.expect("Ctrl-C again kills it")
            it.type(CTRL_C)
            it.expect("SHELL DONE 0", within=5)
            it.nothing_left()

    def test_while_nothing_runs(self, project: Project) -> None:
        """After the command ended by itself."""
        with terminal(project, *python(project, "print('done')")) as it:
            it.expect("Process exited with code 0 .* waiting for a change")
            it.type(CTRL_C)
            it.expect("SIGINT received")
            it.expect("SHELL DONE 0")


class TestCtrlZ:
    """Everything stops but the guard, and the shell has its terminal."""

    def test_fg_continues_and_what_changed_meanwhile_is_noticed(self, project: Project) -> None:
        """The command was stopped, so it is the one of before until then."""
        with terminal(project, *python(project, WAIT)) as it:
            it.expect("up\n")
            it.watching()
            it.type(CTRL_Z)
            it.expect("SHELL STOPPED")
            tool = it.tool
            mine = [pid for pid in survivors(project.mark) if pid != it.leader]
            eventually(
                lambda: sorted(map(state, mine)) == ["S", "S", "T", "T"], what="all but guard and compiler to stop"
            )
            project.write("app.py", "print('new')\n" + WAIT)
            assert "Modification" not in it.text()
            it.type(b"fg\n")
            it.expect(r"restart process: app\.py")
            it.expect("new\n")
            it.expect("up\n")
            assert state(tool) == "S"
            assert it.modes() == (True, True)
            it.type(CTRL_C)
            it.expect("SHELL DONE 0")

    def test_fg_without_a_change(self, project: Project) -> None:
        """The same command goes on, several times."""
        with terminal(project, *python(project, WAIT)) as it:
            it.expect("up\n")
            for _ in range(3):
                it.type(CTRL_Z)
                it.expect("SHELL STOPPED")
                it.type(b"fg\n")
                eventually(lambda: "T" not in map(state, survivors(project.mark)))
            it.type(CTRL_C)
            it.expect("SHELL DONE 0")
            assert it.text().count("up\n") == 1


@pytest.mark.needs("bash")
class TestABashAsTheCommand:
    """It has job control of its own: it makes process groups, and gives them the terminal."""

    WORDS = ("-e", ".py", "--signal", "HUP", "--", "bash", "--noprofile", "--norc", "-i")

    def prompted(self, it: Screen) -> None:
        """Wait for a prompt, and try it: what is echoed has a calculation, what is answered its result."""
        it.expect("READY> ")
        it.type(b"echo is $((6*7))\n")
        it.expect("is 42\n")
        it.expect("READY> ")

    @pytest.fixture
    def environ(self) -> dict[str, str]:
        """With a prompt that is known."""
        return {"PS1": "READY> ", "PS0": "", "PROMPT_COMMAND": "", "TERM": "dumb", "HISTFILE": ""}

    def test_a_job_of_its_own_and_a_restart(self, project: Project, environ: dict[str, str]) -> None:
        """Ctrl-C ends its job, not autoreload; it is restarted while that job, or it, has the terminal."""
        project.write("a.py")
        with terminal(project, *self.WORDS, environ=environ) as it:
            self.prompted(it)
            it.watching()
            it.type(b"sleep 100\n")
            eventually(lambda: comm(it.foreground()) == "sleep")
            it.type(CTRL_C)
            eventually(lambda: comm(it.foreground()) == "bash")
            self.prompted(it)
            assert "SIGINT received" not in it.text()
            for number in range(2):
                it.type(b"sleep 100\n")
                eventually(lambda: comm(it.foreground()) == "sleep")
                project.write("a.py", str(number))
                it.expect(r"restart process: a\.py")
                self.prompted(it)
            project.write("a.py", "at the prompt")
            it.expect(r"restart process: a\.py")
            self.prompted(it)
            os.kill(it.tool, signal.SIGTERM)
            it.expect("SHELL DONE 0")
            assert it.modes() == (True, True)
            assert it.foreground() == it.leader
            it.nothing_left()

    def test_exit_waits_for_a_change(self, project: Project, environ: dict[str, str]) -> None:
        """And Ctrl-C then ends autoreload, which has the terminal again."""
        project.write("a.py")
        with terminal(project, *self.WORDS, environ=environ) as it:
            self.prompted(it)
            it.watching()
            it.type(b"exit 3\n")
            it.expect("Process exited with code 3 .* waiting for a change")
            project.write("a.py", "1")
            self.prompted(it)
            it.type(b"exit\n")
            it.expect("Process exited with code 0 .* waiting for a change")
            it.type(CTRL_C)
            it.expect("SHELL DONE 0")
            assert it.modes() == (True, True)


class TestTheTerminalItself:
    """Its size, its modes, its screen."""

    def test_a_resized_window_is_noticed(self, project: Project) -> None:
        """By the command: it is in the foreground."""
        with terminal(project, *python(project, SIZE + WAIT)) as it:
            it.expect("up\n")
            it.resize(33, 101)
            it.expect("size 101 33\n")
            it.type(CTRL_C)
            it.expect("SHELL DONE 0")
            assert it.text().count("size 101") == 1

    def test_raw_mode_is_undone_before_a_restart(self, project: Project) -> None:
        """The command was killed before it could."""
        with terminal(project, *python(project, RAW)) as it:
            it.expect("up")
            eventually(lambda: it.modes() == (False, False))
            it.watching()
            project.write("app.py", WAIT)
            it.expect("restart process")
            it.expect("up")
            assert it.modes() == (True, True)
            it.type(CTRL_C)
            it.expect("SHELL DONE 0")

    def test_raw_mode_is_undone_when_the_command_ends(self, project: Project) -> None:
        """So that the keys work while a change is waited for."""
        with terminal(project, *python(project, "import tty\ntty.setraw(0)\n1/0")) as it:
            it.expect("waiting for a change")
            eventually(lambda: it.modes() == (True, True))
            it.type(CTRL_C)
            it.expect("SHELL DONE 0")

    def test_raw_mode_is_undone_at_the_end(self, project: Project) -> None:
        """Of autoreload, by a signal."""
        with terminal(project, *python(project, RAW)) as it:
            it.expect("up")
            os.kill(it.tool, signal.SIGTERM)
            it.expect("SHELL DONE 0")
            assert it.modes() == (True, True)

    def test_raw_mode_is_undone_when_autoreload_is_killed(self, project: Project) -> None:
        """By the guard, where no shell sees to it."""
        with terminal(project, *python(project, RAW), shell="script") as it:
            it.expect("up")
            os.kill(it.tool, signal.SIGKILL)
            it.expect("SHELL DONE -9")
            eventually(lambda: it.modes() == (True, True))
            it.nothing_left()

    def test_the_screen_is_cleared_before_each_start(self, project: Project) -> None:
        """With --clear, and only in a terminal that can."""
        words = ["--clear", *python(project, WAIT)]
        with terminal(project, *words) as it:
            it.expect("up\n")
            it.watching()
            project.write("app.py", WAIT + "\n")
            it.expect("restart process")
            it.expect("up\n")
            assert it.raw.count("\x1b[2J") == 2
        with terminal(project, *words, environ={"TERM": "dumb"}) as it:
            it.expect("up\n")
            assert "\x1b" not in it.raw

    @pytest.mark.parametrize(("variable", "coloured"), [("", True), ("NO_COLOR", False), ("FORCE_COLOR", True)])
    def test_colours(self, variable: str, coloured: bool, project: Project) -> None:
        """In a terminal, unless somebody minds."""
        with terminal(project, *python(project, WAIT), environ={variable: "1"} if variable else {}) as it:
            it.expect("up\n")
            assert ("\x1b[" in it.raw) == coloured

    def test_a_stopped_terminal_does_not_stop_the_loop(self, project: Project) -> None:
        """Ctrl-S: nothing can be written, and the command is restarted all the same."""
        with terminal(project, "-v", "-e", ".py", "--", *project.stamp()) as it:
            project.wait_for_start(1)
            it.watching()
            it.type(b"\x13")
            for number in range(2, 6):
                project.write("a.py", str(number))
                project.wait_for_start(number)
            it.type(b"\x11")
            it.type(CTRL_C)
            it.expect("SHELL DONE 0")

    def test_without_a_shell_ctrl_c_and_ctrl_z(self, project: Project) -> None:
        """`docker run -it`, `ssh -t`: nobody could continue it, so Ctrl-Z does nothing; Ctrl-C ends it."""
        with terminal(project, *python(project, WAIT), shell="") as it:
            it.expect("up\n")
            it.watching()
            it.type(CTRL_Z)
            project.write("app.py", "print('new')\n" + WAIT)
            it.expect("new\n")
            it.expect("up\n")
            it.type(CTRL_C)
            it.expect("SIGINT received")
            it.nothing_left()


def test_a_job_in_the_background_of_a_shell_leaves_the_terminal_alone(project: Project) -> None:
    """`autoreload ... &`: no line of it and no restart stops it, or changes what the foreground job does."""
    project.write("a.py")
    script = 'set -m; "$@" & autoreload=$!; read line; echo got $line; kill $autoreload; wait $autoreload; echo code $?'
    words = ["-e", ".py", "--", *project.stamp()]
    with terminal(project, *words, shell="", before=["bash", "-c", script, "bash"]) as it:
        project.wait_for_start(1)
        eventually(lambda: project.tree.stat().st_ino in watched_by_any(project))
        for number in range(2, 5):
            project.write("a.py", str(number))
            project.wait_for_start(number)
        it.type(b"hello\n")
        it.expect("got hello")
        it.expect("code 0\n")
        it.nothing_left()


def watched_by_any(project: Project) -> set[int]:
    """The inodes that processes of this test watch."""
    return {inode for pid in survivors(project.mark) for inode in watched(pid)}


def test_a_terminal_for_stderr_alone(project: Project) -> None:
    """`autoreload ... < /dev/null > log`: lines with colours, on a terminal that is not the controlling one."""
    leader, follower = os.openpty()
    try:
        with autoreload(project, "-e", ".py", "--", *project.stamp(), stderr=follower) as it:
            project.wait_for_start(1)
            assert os.read(leader, 10).startswith(b"\x1b[")
            it.end()
    finally:
        os.close(leader)
        os.close(follower)
