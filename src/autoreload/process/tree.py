"""Ending a process tree, from the top down.

The owner of a `Tree` is a child subreaper (prctl(2)): whatever in it loses its parent becomes the owner's child. So
only children are ever signalled, never what is below them: who dies leaves its children to us, nobody sees a child of
its own die, and nothing has to be known of the rest. A child's pid cannot be taken by another process before we have
reaped it, and waitpid(2) answering ECHILD is the proof that nothing is left. Stopping and killing all descendants that
/proc shows was tried: a process that forks and exits for ever kept that busy for 12 s, this takes 5 ms.

Nothing in here waits: the owner calls `reap` and `step` whenever a child died or the time that `step` told has come.

Loaded by the guard, for which it may import nothing slow (see linux/libc.py).
"""

from posix import WNOHANG, getpgid, getpgrp, kill, waitpid

from autoreload.linux import descendants

TYPE_CHECKING = False
if TYPE_CHECKING:
    from signal import SIGCONT, SIGKILL
else:
    from _signal import SIGCONT, SIGKILL

STUCK_AFTER = 1.0
"""Seconds after which who was sent SIGKILL, or may not be, is called stuck."""
_REAPED_AT_ONCE = 10_000
_LOOK_AGAIN = (0.005, 0.1)
"""Seconds between two looks at the children of a tree that was asked to end, at first and at last. An orphan can come
to us without a SIGCHLD: its parent, who was not our child, died."""
_KILL_AGAIN = (0.001, 0.5)


class Tree:
    """All children of this process, but for those in `keep`, and what is below them."""

    def __init__(self, keep: "set[int] | None" = None) -> None:
        self.keep = set() if keep is None else keep
        """Children that are not ours to end. Who of them is reaped is taken out: its pid may come back."""
        self.main = 0
        """Pid of the command; 0: it has been reaped, or there was none."""
        self.status: int | None = None
        """Wait status of the command, once it has been reaped."""
        self.killed = 0
        """How many were sent SIGKILL since the stop began."""
        self.busy = False
        """Did the last `reap` leave something to be reaped?"""
        self._deadline: float | None = None
        self._signal = 0
        self._spare_group = False
        self._asked: set[int] = set()
        self._tried: dict[int, float] = {}
        self._refused: set[int] = set()
        self._pause = 0.0
        self._stuck_told = False

    def began(self, pid: int) -> None:
        """The command was executed."""
        self.main, self.status = pid, None

    def reap(self) -> bool:
        """Collect the dead. True: nothing is left."""
        self.busy = False
        for _ in range(_REAPED_AT_ONCE):
            try:
                pid, status = waitpid(-1, WNOHANG)
            except ChildProcessError:
                return True
            if not pid:
                # Twice: the list may skip one that is born while it is read.
                return bool(self.keep) and not self.children() and not self.children()
            self._forget(pid, status)
        self.busy = True
        return False

    def _forget(self, pid: int, status: int) -> None:
        if pid == self.main:
            self.main, self.status = 0, status
        self.keep.discard(pid)
        self._asked.discard(pid)
        self._tried.pop(pid, None)
        self._refused.discard(pid)

    def children(self) -> list[int]:
        """Who can be signalled now."""
        return [pid for pid in descendants.own_children() if pid not in self.keep]

    @property
    def stopping(self) -> bool:
        """Has it been asked to end?"""
        return self._deadline is not None

    def stop(self, signal: int, deadline: float, from_terminal: bool = False) -> None:
        """Send `signal` to the command, and when that is gone, once to each process it leaves; SIGKILL at `deadline`
        (monotonic seconds). `from_terminal`: our own process group has had it already. A stop that is under way is
        never prolonged."""
        if self._deadline is None:
            self.killed, self._stuck_told = 0, False
            self._deadline = deadline
        else:
            self._deadline = min(self._deadline, deadline)
        self._signal, self._spare_group = signal, from_terminal
        self._asked.clear()
        self._pause = _LOOK_AGAIN[0]

    def hurry(self, now: float) -> None:
        """The grace period of the stop that is under way is over."""
        if self._deadline is not None:
            self._deadline = min(self._deadline, now)

    def emptied(self) -> None:
        """Nothing is left: the stop is over."""
        self._deadline = None
        self.main = 0
        self._asked.clear()
        self._tried.clear()
        self._refused.clear()

    def step(self, now: float) -> float | None:
        """Go on with the stop. When to look again if nobody dies; None: there is no stop."""
        if self.busy:
            return now
        if self._deadline is None:
            return None
        if now < self._deadline:
            self._ask()
            self._pause = min(2 * self._pause, _LOOK_AGAIN[1])
            return min(self._deadline, now + self._pause)
        return self._end(now)

    def _ask(self) -> None:
        for pid in [self.main] if self.main else self.children():
            if pid in self._asked:
                continue
            self._asked.add(pid)
            if not (self._spare_group and _in_our_group(pid)):
                send(pid, self._signal)
            if descendants.is_stopped(pid):
                send(pid, SIGCONT)  # it cannot handle a signal before

    def _end(self, now: float) -> float:
        found = False
        for pid in self.children():
            fresh = pid not in self._tried
            if not fresh and pid not in self._refused:
                continue  # SIGKILL is pending: a second one does nothing
            self._tried.setdefault(pid, now)
            found |= fresh
            if send(pid, SIGKILL):
                self._refused.discard(pid)
                self.killed += 1
            else:
                self._refused.add(pid)
        self._pause = _KILL_AGAIN[0] if found else min(2 * max(self._pause, _KILL_AGAIN[0]), _KILL_AGAIN[1])
        return now + self._pause

    def stuck(self, now: float) -> list[int]:
        """Who has not died though a second ago it was sent SIGKILL, or could not be; told once in a stop."""
        if self._stuck_told or not self._tried or self._deadline is None:
            return []
        left = [pid for pid, since in self._tried.items() if now >= since + STUCK_AFTER]
        self._stuck_told = bool(left)
        return left

    def why(self, pid: int) -> str:
        """What keeps a stuck process, for a person to read."""
        if pid in self._refused:
            return f"belongs to user {_user(descendants.owner(pid))}"
        return {
            "D": "waits in the kernel for a device or a network file system",
            "Z": "is held by a debugger",
        }.get(descendants.state(pid), "does not end though it was killed")


def send(pid: int, signal: int) -> bool:
    """Signal a process; False if that is not permitted (another user's)."""
    try:
        kill(pid, signal)
    except ProcessLookupError:
        pass
    except PermissionError:
        return False
    return True


def _in_our_group(pid: int) -> bool:
    try:
        return getpgid(pid) == getpgrp()
    except OSError:
        return False


def _user(uid: int) -> str:
    from pwd import getpwuid  # rarely needed

    try:
        return getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
