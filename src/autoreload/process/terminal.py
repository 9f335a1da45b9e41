"""The terminal's modes and foreground group, and whether the standard descriptors block: to be given back after a
command that left them changed.

The command is in the terminal's session and in our process group, so that pdb, input(), Ctrl-C and Ctrl-Z work as
without autoreload. It may switch the terminal to raw mode and be killed there, or have taken the foreground for a group
of its own (a shell, IPython). What it makes of the standard descriptors (O_NONBLOCK) is so for all who share them: the
next command would have an error where it waits for input. Nothing in here raises: a terminal may be gone at any time.
"""

from __future__ import annotations

import os
import signal
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_ERRORS = (OSError, termios.error)
_SANE = (termios.ICRNL, termios.OPOST | termios.ONLCR, 0, termios.ISIG | termios.ICANON | termios.ECHO | termios.IEXTEN)
"""Flags that a terminal has where nobody made it raw, in the order of tcgetattr(3): input, output, control, local."""


class Terminal:
    """The controlling terminal, if one of the standard descriptors is it; the modes are those of now."""

    def __init__(self) -> None:
        self._fd = -1
        self._modes: list[Any] | None = None
        self._blocking = tuple(fd for fd in (0, 1, 2) if _blocks(fd))
        for fd in (0, 1, 2):
            try:
                # Fails unless it is a terminal, and ours.
                foreground = os.tcgetpgrp(fd) == os.getpgrp()
                self._fd = fd
                # A job in the background knows nothing of modes, as another one may be changing them, until `fg`.
                self._modes = termios.tcgetattr(fd) if foreground else None
                break
            except _ERRORS:
                continue

    @classmethod
    def saved(cls, state: Any) -> Terminal:
        """The terminal that another process saved, see `state`."""
        terminal = cls.__new__(cls)
        terminal._fd, terminal._modes, terminal._blocking = state
        return terminal

    def state(self) -> tuple[int, list[Any] | None, tuple[int, ...]]:
        """What `saved` needs, in a form that can be marshalled."""
        return self._fd, self._modes, self._blocking

    @property
    def is_there(self) -> bool:
        """Was autoreload started in a terminal?"""
        return self._fd >= 0

    def in_foreground(self) -> bool:
        """Does our process group have the terminal?"""
        return self.is_there and self._owner() == os.getpgrp()

    def restore(self) -> None:
        """Give back the modes, take back the foreground from a process group that is dead, and let the standard
        descriptors block that did so at first.

        Not if another job has it by now (the shell, when autoreload was stopped or killed): it has modes of its own.
        """
        if self.is_there and not self._restore_modes():
            return
        for fd in self._blocking:
            try:
                os.set_blocking(fd, True)
            except OSError:
                pass

    def _restore_modes(self) -> bool:
        """False: the terminal is not ours now, or gone."""
        with _never_stopped():
            owner = self._owner()
            if owner is None or (owner != os.getpgrp() and _lives(owner)):
                return False
            try:
                if owner != os.getpgrp():
                    os.tcsetpgrp(self._fd, os.getpgrp())
                if self._modes is None:  # it was started in the background, and a command may have had it raw since
                    self._modes = _sane(termios.tcgetattr(self._fd))
                # Now, not after the output is drained: that may never be (Ctrl-S).
                termios.tcsetattr(self._fd, termios.TCSANOW, self._modes)
            except _ERRORS:
                return False
        return True

    def suspend(self) -> None:
        """Stop, as the terminal's SIGTSTP asked for; return when continued.

        The command, which the terminal has stopped as well, finds its modes again. SIGTSTP is sent with its default
        action in place of SIGSTOP: the kernel then does not stop a process group that no shell could continue.
        """
        if signal.getsignal(signal.SIGTSTP) == signal.SIG_IGN:
            return  # autoreload was started so: where there is no job control, Ctrl-Z does nothing
        modes = self._present_modes()
        if self.is_there:
            self._restore_modes()  # these alone: the command goes on to use its descriptors
        before = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTSTP})
        os.kill(os.getpid(), signal.SIGTSTP)
        # Here it stands still until SIGCONT.
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGTSTP, before)
        if modes is not None and self.in_foreground():
            with _never_stopped():
                try:
                    termios.tcsetattr(self._fd, termios.TCSANOW, modes)
                except _ERRORS:
                    pass

    def _present_modes(self) -> list[Any] | None:
        try:
            return termios.tcgetattr(self._fd) if self.in_foreground() else None
        except _ERRORS:
            return None

    def _owner(self) -> int | None:
        try:
            return os.tcgetpgrp(self._fd)
        except OSError:
            return None


def _blocks(fd: int) -> bool:
    try:
        return os.get_blocking(fd)
    except OSError:
        return False


def _sane(modes: list[Any]) -> list[Any]:
    """These modes with line editing, echo and Ctrl-C; special characters and speed as they are."""
    return [mode | flags for mode, flags in zip(modes, _SANE, strict=False)] + modes[len(_SANE) :]


@contextmanager
def _never_stopped() -> Iterator[None]:
    """tcsetattr(3) and tcsetpgrp(3) stop a background process by SIGTTOU, unless that is blocked."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _lives(group: int) -> bool:
    """Is there anybody in this process group?"""
    if group <= 0:
        return True  # of another PID namespace: we cannot know
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True
