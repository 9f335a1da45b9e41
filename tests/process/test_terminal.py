"""In a terminal: Ctrl-C, Ctrl-Z, and modes that a command leaves changed."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from autoreload.process.terminal import Terminal
from tests.process.helpers import HERE, code, environment, tool
from tests.support import end_all, eventually, state, survivors

CTRL_C, CTRL_Z = b"\x03", b"\x1a"
WAIT = "import os, signal, sys\nopen(sys.argv[1], 'w').write(str(os.getpid()))\nwhile True: signal.pause()"
NO_ECHO = """
import termios
modes = termios.tcgetattr(0)
modes[3] &= ~termios.ECHO
termios.tcsetattr(0, termios.TCSANOW, modes)
"""
RAW = "import tty\ntty.setraw(0)\n" + WAIT
OWN_GROUP = """
import os, signal
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
os.setpgid(0, 0)
os.tcsetpgrp(0, os.getpid())
"""
DEAF_SESSION = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
if not os.fork():
    os.setsid()
    open(sys.argv[1] + ".child", 'w').write(str(os.getpid()))
    signal.pause()
signal.signal(signal.SIGINT, signal.SIG_DFL)
while not os.path.exists(sys.argv[1] + ".child"):
    pass
"""


class Session:
    """A tool below a shell, or alone, in a terminal of its own."""

    def __init__(self, fd: int, leader: int, mark: str, seen: Path) -> None:
        self.fd, self.leader, self.mark, self._seen = fd, leader, mark, seen
        self._text = ""
        told = json.loads(self.expect('["Tool"'))
        self.tool, self.guard = int(told[1]), int(told[2])

    def expect(self, what: str, within: float = 10.0) -> str:
        """The next line with that in it, from there on: the terminal may have echoed `^C` before it."""
        limit = time.monotonic() + within
        while True:
            line, newline, rest = self._text.partition("\n")
            if newline:
                self._text = rest
                if what in line:
                    return line[line.index(what) :].strip()
                continue
            if not select.select([self.fd], [], [], max(0.0, limit - time.monotonic()))[0]:
                raise AssertionError(f"no {what} in the terminal")
            self._text += os.read(self.fd, 4096).decode()

    def type(self, text: bytes) -> None:
        """At the keyboard."""
        os.write(self.fd, text)

    def start(self) -> int:
        """Start the command and wait until it is up: its pid."""
        self.type(b"start 1\n")
        self.expect('["Started"')
        return int(eventually(lambda: self._seen.exists() and self._seen.read_text()))

    def flags(self) -> tuple[bool, bool]:
        """Is it in line mode (not raw), and does it echo?"""
        flags = termios.tcgetattr(self.fd)[3]
        return bool(flags & termios.ICANON), bool(flags & termios.ECHO)


@contextmanager
def terminal(source: str, mark: str, tmp_path: Path, shell: str = "jobs") -> Iterator[Session]:
    """The tool for a command of this source, in a terminal. `shell`: `jobs`, `background`, `script`, or empty for
    none."""
    seen = tmp_path / "seen"
    command = [sys.executable, str(HERE / "tool.py"), "autoreload", *code(source, str(seen))]
    if shell:
        command = [sys.executable, "-S", "-E", str(HERE / "shell.py"), shell, *command]
    environ = environment(mark)
    leader, fd = pty.fork()
    if not leader:
        os.execve(command[0], command, environ)
    try:
        yield Session(fd, leader, mark, seen)
    finally:
        end_all(mark)
        os.close(fd)
        os.waitpid(leader, 0)


@pytest.mark.slow
class TestKeys:
    """What is typed goes to the whole foreground group: to the command, the tool and the guard."""

    def test_ctrl_c_ends_a_command_that_has_had_it(self, mark: str, tmp_path: Path) -> None:
        """The command dies of the terminal's SIGINT, and is not signalled again."""
        with terminal(WAIT, mark, tmp_path) as it:
            it.start()
            it.type(CTRL_C)
            assert json.loads(it.expect('["Exited"'))[2] == -signal.SIGINT
            assert json.loads(it.expect('["Emptied"'))[2] == 0
            assert it.expect("SHELL DONE") == "SHELL DONE 0"
            eventually(lambda: survivors(mark) == [it.leader])

    def test_ctrl_c_ends_a_child_in_a_session_of_its_own(self, mark: str, tmp_path: Path) -> None:
        """Which the terminal does not reach: it gets the stop signal, and needs no SIGKILL."""
        with terminal(DEAF_SESSION + WAIT, mark, tmp_path) as it:
            it.start()
            it.type(CTRL_C)
            assert json.loads(it.expect('["Emptied"'))[2] == 0
            assert it.expect("SHELL DONE") == "SHELL DONE 0"

    def test_ctrl_z_stops_tool_and_command_and_fg_continues_them(self, mark: str, tmp_path: Path) -> None:
        """The guard goes on; the shell has the terminal meanwhile, with its modes, and the command finds its own."""
        with terminal(NO_ECHO + WAIT, mark, tmp_path) as it:
            command = it.start()
            assert it.flags() == (True, False)
            it.type(CTRL_Z)
            it.expect("SHELL STOPPED")
            assert it.flags() == (True, True)
            eventually(lambda: (state(it.tool), state(command)) == ("T", "T"))
            assert state(it.guard) in ("R", "S")
            it.type(b"fg\n")
            it.expect('["Continued"')
            eventually(lambda: "T" not in (state(it.tool), state(command)))
            assert it.flags() == (True, False)
            it.type(CTRL_C)
            it.expect("SHELL DONE")
            assert it.flags() == (True, True)

    def test_the_guard_ends_what_is_stopped_if_the_tool_is_killed_meanwhile(self, mark: str, tmp_path: Path) -> None:
        """`kill -9 %1` for a job that was stopped by Ctrl-Z."""
        with terminal(WAIT, mark, tmp_path) as it:
            it.start()
            it.type(CTRL_Z)
            it.expect("SHELL STOPPED")
            os.kill(it.tool, signal.SIGKILL)
            eventually(lambda: survivors(mark) == [it.leader])

    def test_a_session_without_a_shell_is_not_stopped(self, mark: str, tmp_path: Path) -> None:
        """`docker run -it`, `ssh -t HOST autoreload ...`: nobody could continue it. The kernel's rule decides."""
        with terminal(WAIT, mark, tmp_path, shell="") as it:
            it.start()
            it.type(CTRL_Z)
            it.expect('["Suspending"')
            it.expect('["Continued"')
            it.type(CTRL_C)
            assert json.loads(it.expect('["Exited"'))[2] == -signal.SIGINT


@pytest.mark.slow
class TestModes:
    """A command that is killed in raw mode does not leave the terminal so."""

    def test_the_tool_gives_them_back(self, mark: str, tmp_path: Path) -> None:
        """At its end, and before a start."""
        with terminal(RAW, mark, tmp_path) as it:
            it.start()
            eventually(lambda: it.flags() == (False, False))
            os.kill(it.tool, signal.SIGTERM)
            it.expect("SHELL DONE 0")
            assert it.flags() == (True, True)

    def test_the_tool_takes_the_terminal_back_from_a_dead_group(self, mark: str, tmp_path: Path) -> None:
        """A command with job control of its own (a shell, IPython) had made itself the foreground."""
        with terminal(OWN_GROUP + RAW, mark, tmp_path, shell="script") as it:
            command = it.start()
            assert os.tcgetpgrp(it.fd) == command
            os.kill(it.tool, signal.SIGTERM)
            it.expect("SHELL DONE 0")
            assert it.flags() == (True, True)
            assert os.tcgetpgrp(it.fd) == os.getpgid(it.leader)

    def test_the_guard_gives_them_back_below_a_script(self, mark: str, tmp_path: Path) -> None:
        """The tool is killed, and its group still has the terminal."""
        with terminal(RAW, mark, tmp_path, shell="script") as it:
            it.start()
            os.kill(it.tool, signal.SIGKILL)
            it.expect("SHELL DONE -9")
            eventually(lambda: it.flags() == (True, True))

    def test_the_guard_leaves_a_terminal_that_a_shell_has_taken(self, mark: str, tmp_path: Path) -> None:
        """An interactive shell has modes of its own: whatever they are, they are not ours to change."""
        with terminal(RAW, mark, tmp_path, shell="jobs") as it:
            it.start()
            os.kill(it.guard, signal.SIGSTOP)  # or it might be quicker than the shell
            os.kill(it.tool, signal.SIGKILL)
            it.expect("SHELL DONE -9")
            os.kill(it.guard, signal.SIGCONT)
            eventually(lambda: survivors(mark) == [it.leader])
            assert it.flags() == (False, False)


@pytest.mark.slow
class TestFromTheBackground:
    """`autoreload ... &`, and `fg` later."""

    def to_foreground(self, it: Session) -> None:
        """`fg`."""
        it.type(b"fg\n")
        it.expect("SHELL CONTINUED")

    def test_the_terminal_is_not_left_raw(self, mark: str, tmp_path: Path) -> None:
        """Nobody knows the modes of before, but those that Ctrl-C needs are there again."""
        with terminal(RAW, mark, tmp_path, shell="background") as it:
            self.to_foreground(it)
            it.start()
            eventually(lambda: it.flags() == (False, False))
            os.kill(it.tool, signal.SIGTERM)
            it.expect("SHELL DONE 0")
            iflag, oflag, _, lflag = termios.tcgetattr(it.fd)[:4]
            assert iflag & termios.ICRNL
            assert oflag & termios.OPOST
            assert it.flags() == (True, True)
            assert lflag & termios.ISIG

    def test_what_is_found_before_a_start_is_what_is_given_back(self, mark: str, tmp_path: Path) -> None:
        """In the foreground by then, it learns the modes before the command can change them."""
        with terminal(RAW, mark, tmp_path, shell="background") as it:
            modes = termios.tcgetattr(it.fd)
            modes[6][termios.VKILL] = b"\x19"
            modes[0] &= ~termios.IXON
            termios.tcsetattr(it.fd, termios.TCSANOW, modes)
            self.to_foreground(it)
            it.start()
            eventually(lambda: it.flags() == (False, False))
            os.kill(it.tool, signal.SIGTERM)
            it.expect("SHELL DONE 0")
            assert termios.tcgetattr(it.fd) == modes

    def test_the_terminal_is_taken_back_from_a_dead_group(self, mark: str, tmp_path: Path) -> None:
        """Of a command with job control of its own."""
        with terminal(OWN_GROUP + RAW, mark, tmp_path, shell="background") as it:
            self.to_foreground(it)
            command, group = it.start(), os.getpgid(it.tool)
            assert os.tcgetpgrp(it.fd) == command
            os.kill(it.leader, signal.SIGSTOP)  # else it takes the terminal for itself at once
            os.kill(it.tool, signal.SIGTERM)
            eventually(lambda: os.tcgetpgrp(it.fd) == group)
            os.kill(it.leader, signal.SIGCONT)
            it.expect("SHELL DONE 0")
            assert it.flags() == (True, True)


BLOCKS = """
import os, sys
open(sys.argv[1], "a").write(f"{os.get_blocking(0)} ")
os.set_blocking(0, False)
"""
UNBLOCKED = "import os, sys\nos.set_blocking(0, False)\nos.execvp(sys.argv[1], sys.argv[1:])"


class TestBlocking:
    """O_NONBLOCK, which a killed command leaves to all who share its standard input."""

    @pytest.mark.slow
    def test_in_a_terminal(self, mark: str, tmp_path: Path) -> None:
        """The next command waits for input as the first one did."""
        with terminal(BLOCKS, mark, tmp_path) as it:
            for run in (b"1", b"2"):
                it.type(b"start %s\n" % run)
                it.expect('["Exited"')
            assert (tmp_path / "seen").read_text() == "True True "

    def test_in_a_pipe(self, mark: str, tmp_path: Path) -> None:
        """Where autoreload found it without."""
        seen = tmp_path / "seen"
        with tool(code(BLOCKS, str(seen)), mark) as it:
            for run in (1, 2):
                it.start(run)
                it.expect("Exited")
        assert seen.read_text() == "True True "

    def test_who_started_us_with_it_finds_it_again(self, mark: str, tmp_path: Path) -> None:
        """What was so from the start is no business of ours."""
        seen = tmp_path / "seen"
        with tool(code(BLOCKS, str(seen)), mark, before=code(UNBLOCKED)) as it:
            for run in (1, 2):
                it.start(run)
                it.expect("Exited")
        assert seen.read_text() == "False False "


class TestWithoutATerminal:
    """Nothing in it raises, whatever the descriptors are."""

    def test_no_terminal(self, tmp_path: Path) -> None:
        """Pipes, files, or nothing at all: there is nothing to give back."""
        without = Terminal.saved((-1, None, (-1,)))
        without.restore()
        assert not without.is_there
        assert not without.in_foreground()

    def test_a_terminal_that_is_gone(self) -> None:
        """The window was closed."""
        master, slave = pty.openpty()
        modes = termios.tcgetattr(slave)
        os.close(master)
        gone = Terminal.saved((slave, modes, (slave,)))
        gone.restore()
        assert not gone.in_foreground()
        os.close(slave)
        gone.restore()

    def test_suspend_does_nothing_where_the_signal_is_ignored(self) -> None:
        """autoreload was started by one who has no job control."""
        before = signal.signal(signal.SIGTSTP, signal.SIG_IGN)
        try:
            Terminal.saved((-1, None, (-1,))).suspend()
        finally:
            signal.signal(signal.SIGTSTP, before)
