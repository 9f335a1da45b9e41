"""A terminal with the real command in it, driven by a test as by a person at the keyboard."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from tests.e2e.tool import AUTORELOAD, HERE, SOURCES, Project, children, watched
from tests.support import end_all, eventually, survivors

CTRL_C, CTRL_Z, CTRL_D, CTRL_BACKSLASH = b"\x03", b"\x1a", b"\x04", b"\x1c"
SHELL = str(HERE.parent / "process" / "shell.py")
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


class Screen:
    """What is seen of it, and the keys."""

    def __init__(self, fd: int, leader: int, has_shell: bool, project: Project) -> None:
        self.fd = fd
        self.leader = leader
        """Pid of the session leader: the stand-in for a shell, or autoreload itself."""
        self._has_shell = has_shell
        self.project = project
        self.raw = ""
        """All that was written so far."""
        self._passed = 0
        self.is_open = True

    @property
    def tool(self) -> int:
        """Pid of autoreload."""
        return eventually(lambda: next(iter(children(self.leader)), 0)) if self._has_shell else self.leader

    def text(self) -> str:
        """All of it, without escape sequences, drained from the terminal now."""
        while self.is_open and select.select([self.fd], [], [], 0)[0]:
            try:
                self.raw += os.read(self.fd, 1 << 16).decode(errors="replace")
            except OSError:  # EIO: nobody is there any more
                break
        return _ESCAPES.sub("", self.raw)

    def expect(self, pattern: str, within: float = 15.0) -> re.Match[str]:
        """Wait until that is seen after what was expected last."""

        def found() -> re.Match[str] | None:
            return re.compile(pattern).search(self.text(), self._passed)

        try:
            match = eventually(found, within)
        except AssertionError:
            raise AssertionError(f"no {pattern!r} after {self._passed} in {self.text()!r}") from None
        self._passed = match.end()
        return match

    def type(self, keys: bytes) -> None:
        """At the keyboard."""
        os.write(self.fd, keys)

    def close(self) -> None:
        """As the window of a terminal emulator is closed."""
        os.close(self.fd)
        self.is_open = False

    def resize(self, rows: int, columns: int) -> None:
        """As the window of a terminal emulator is."""
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def modes(self) -> tuple[bool, bool]:
        """Is it in line mode (not raw), and does it echo?"""
        flags = termios.tcgetattr(self.fd)[3]
        return bool(flags & termios.ICANON), bool(flags & termios.ECHO)

    def foreground(self) -> int:
        """The process group that has the keyboard."""
        return os.tcgetpgrp(self.fd)

    def watching(self) -> None:
        """Wait until the tree is watched."""
        inodes = {folder.stat().st_ino for folder in self.project.folders()}
        eventually(lambda: inodes <= watched(self.tool), what=f"watches: {self.text()}")

    def nothing_left(self) -> None:
        """Of autoreload and its command."""
        mine = {self.leader} if self._has_shell else set[int]()
        eventually(lambda: set(survivors(self.project.mark)) <= mine, what="an empty tree")


@contextmanager
def terminal(
    project: Project,
    *words: str,
    shell: str = "jobs",
    before: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
) -> Iterator[Screen]:
    """autoreload with these words in a terminal of its own. `shell`: `jobs`, `script`, or empty for none."""
    command = [*before, *AUTORELOAD, *words]
    if shell:
        command = [sys.executable, "-S", "-E", SHELL, shell, *command]
    leader, fd = pty.fork()
    if not leader:
        for number in (signal.SIGINT, signal.SIGPIPE):  # as they were before Python changed them
            signal.signal(number, signal.SIG_DFL)
        os.chdir(project.tree)
        os.execvpe(command[0], command, {**project.environ, **(environ or {})})
    it = Screen(fd, leader, bool(shell), project)
    try:
        yield it
    finally:
        end_all(project.mark)
        text = it.text()
        if it.is_open:
            it.close()
        os.waitpid(leader, 0)
        assert "autoreload failed" not in text, text
        assert f"{SOURCES}/autoreload/" not in text, text
