"""Ending all that is below a frozen snapshot, with the same proof as the guard's: waitpid(2) answers ECHILD.

The snapshot is a child subreaper (prctl(2)), so whoever in there loses its parent becomes its child: only children are
ever signalled. See process/tree.py, of which this is the smaller brother: it can rely on /proc.
"""

from __future__ import annotations

from posix import WNOHANG, getpgid, getpgrp, kill, listdir, waitpid

from .kernel import content

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from signal import SIGCONT, SIGKILL
else:
    from _signal import SIGCONT, SIGKILL

LOOK_AGAIN = (0.002, 0.05)
"""Seconds between two looks while something ends, at first and at last."""


class Below:
    """The processes below this one; `main` is the one that goes on as the program."""

    def __init__(self, main: int, pass_down: Callable[[int], None]) -> None:
        """`pass_down`: sends the main process a signal."""
        self._pass_down = pass_down
        self.main = main
        """0: it has been reaped."""
        self.status = 0
        """Wait status of the main one, once it has been reaped."""
        self.spared = 0
        """The one that is prepared, which is not to be ended; 0: there is none."""
        self.killed: set[int] = set()
        """Who was sent SIGKILL since the stop began."""
        self._signal = 0
        self._deadline: float | None = None
        self._spare_group = False
        self._asked: set[int] = set()
        self._pause = LOOK_AGAIN[0]

    @property
    def ending(self) -> bool:
        """Has all of it been asked to end?"""
        return self._deadline is not None

    def reap(self) -> bool:
        """Collect the dead. True: nothing is left but the one that is spared.

        With that one, ECHILD proves nothing; the list of children does. Whoever had another parent is in it before that
        parent can be reaped, and nobody leaves it but by being reaped here, so none is missed by reading it.
        """
        while True:
            try:
                pid, status = waitpid(-1, WNOHANG)
            except ChildProcessError:
                return True
            if not pid:
                return self.spared != 0 and children() == [self.spared]
            if pid == self.main:
                self.main, self.status = 0, status
            elif pid == self.spared:
                self.spared = 0

    def end(self, signal: int, deadline: float, spare_group: bool = False) -> None:
        """Send `signal` to the main process, and when that is gone to each that it leaves; SIGKILL at `deadline`
        (monotonic seconds). 0: kill only. `spare_group`: who is in our process group has had the signal already."""
        if self._deadline is None:
            self.killed.clear()
            self._deadline = deadline
        self._deadline = min(self._deadline, deadline)
        self._signal, self._spare_group = signal, spare_group
        self._asked.clear()
        self._pause = LOOK_AGAIN[0]

    def ended(self) -> None:
        """Nothing is left."""
        self._deadline = None

    def step(self, now: float) -> float | None:
        """Go on ending it. When to look again (monotonic seconds); None: it is not being ended."""
        if self._deadline is None:
            return None
        if now >= self._deadline:
            for pid in self._others():
                if send(pid, SIGKILL):
                    self.killed.add(pid)
        else:
            for pid in [self.main] if self.main else self._others():
                self._ask(pid)
        self._pause = min(2 * self._pause, LOOK_AGAIN[1])
        return now + self._pause if now >= self._deadline else min(self._deadline, now + self._pause)

    def _others(self) -> list[int]:
        return [pid for pid in children() if pid != self.spared]

    def _ask(self, pid: int) -> None:
        if pid not in self._asked:
            self._asked.add(pid)
            if self._signal and not (self._spare_group and _in_our_group(pid)):
                if pid == self.main:
                    self._pass_down(self._signal)
                else:
                    send(pid, self._signal)
            if is_stopped(pid):
                send(pid, SIGCONT)


def children() -> list[int]:
    """Of this process, zombies too."""
    found: list[int] = []
    for thread in listdir("/proc/self/task"):
        found += map(int, content(f"/proc/self/task/{thread}/children").split())
    return found


def is_stopped(pid: int) -> bool:
    """Has it been stopped (Ctrl-Z)? It cannot handle a signal before it is continued."""
    try:
        return content(f"/proc/{pid}/stat").rpartition(b")")[2].split()[0] == b"T"
    except (OSError, IndexError):
        return False


def send(pid: int, signal: int) -> bool:
    """Signal it; False: it is gone, or belongs to somebody else."""
    try:
        kill(pid, signal)
    except OSError:
        return False
    return True


def _in_our_group(pid: int) -> bool:
    try:
        return getpgid(pid) == getpgrp()
    except OSError:
        return False
