"""The tool's side of the guard: asks it for starts and stops, and takes over when it is killed.

Nothing in here waits, but for `close`. The owner's loop calls `read` when `fileno` is readable, `reap` on SIGCHLD and
`step` when `deadline` has come; what happened is the answer of each of them.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Collection, Mapping
from marshal import dumps, loads
from typing import Any

from autoreload.errors import UserError
from autoreload.linux import descendants
from autoreload.linux.prctl import become_subreaper
from autoreload.process.command import Command
from autoreload.process.events import Emptied, Event, Exited, Failed, GuardLost, Started, Stuck
from autoreload.process.guard import LARGEST, LOST_GRACE
from autoreload.process.remembered import RememberedTree
from autoreload.process.spawn import origin, spawn_guard
from autoreload.process.terminal import Terminal
from autoreload.process.tree import Tree

FRESH = 2.0
"""A file that changed so many seconds ago, or less, may be one that is being built."""
WEAK = (
    "the kernel does not let autoreload inherit orphans (PR_SET_CHILD_SUBREAPER is denied): "
    "a process that detached itself from the command may be left behind"
)
HANGS = (0.5, 1.0)
"""Seconds: a guard that was to start the command, has not said how that went, and does not heed a stop for so long, is
killed; if it is not dead then, it is told to be stuck. It waits in the kernel for the file system that the command is
on, or is started in."""
_BOOTS = 3
"""How many guards in a row may die before they have answered a start, or are up if none was asked for."""


class Runner:
    """Runs one command, again and again, under a guard; never two at once.

    A stop is answered by `Emptied` with its token, or by `GuardLost`, which ends every run and answers every stop that
    was asked for before: whatever the lost guard had is dead then, and the next start goes to a new one.

    To be made early: the guard boots while the tool goes on, and the command finds the signal mask of now (or `mask`).
    Children that this process has by then are not touched.
    """

    def __init__(self, command: Command, terminal: Terminal | None = None, mask: Collection[int] | None = None) -> None:
        self._command = command
        self._state = terminal.state() if terminal else None
        self._origin = origin(mask)
        if self._origin.ignores_children:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self.weak = "" if become_subreaper() else WEAK
        """If orphans cannot be inherited, so that `Emptied` is no proof: what to say about it."""
        self._strangers = set(descendants.own_children())
        self._epoll = select.epoll()
        self._boots = 0
        self._unanswered = False
        """Was there a start that no guard, not even a later one, has answered?"""
        self._roots: dict[int, int] = {}
        self._lost: Tree | None = None
        self._due: float | None = None
        self._hangs: list[float] = []
        """What is left of HANGS."""
        self._spawn()

    def _spawn(self) -> None:
        self._boots += 1
        if self._boots > _BOOTS:
            raise UserError("the guard process ends as soon as it is started", "see its error above")
        self._guard, self._socket = spawn_guard(self._command, self._origin, self._state)
        self._epoll.register(self._socket, select.EPOLLIN)

    @property
    def environ(self) -> Mapping[bytes, bytes]:
        """What the command is started with."""
        return self._origin.environ

    @property
    def guard(self) -> int:
        """Pid of the guard; 0: it is dead."""
        return self._guard

    def spare(self, pid: int) -> None:
        """This child is not of the tree."""
        self._strangers.add(pid)

    # -- for the loop ------------------------------------------------------------------------------------------------
    def fileno(self) -> int:
        """Readable when `read` has something to tell; stays the same when the guard does not."""
        return self._epoll.fileno()

    def deadline(self) -> float | None:
        """When `step` wants to be called (monotonic seconds); None: no need."""
        return self._due

    def read(self) -> list[Event]:
        """What the guard has told since the last call."""
        if self._lost:
            return self.step(time.monotonic())
        events: list[Event] = []
        while True:
            try:
                data = self._socket.recv(LARGEST)
            except BlockingIOError:
                return events
            except OSError:
                data = b""
            if not data:
                return events + self._guard_is_lost()
            what, *values = loads(data)
            events += _TOLD[what](self, *values)

    def reap(self) -> list[Event]:
        """A child died: collect all that are dead, also strangers that fell to us as PID 1."""
        if self._lost:
            return self.step(time.monotonic())
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                pid = 0
            if not pid:
                break
            self._strangers.discard(pid)
            if pid == self._guard:
                self._guard = 0
        if not self._guard:
            return self.read()  # what it has told before, and that nobody is there any more
        self._look_for_strangers()
        return []

    def step(self, now: float) -> list[Event]:
        """Go on with ending what a lost guard has left; `now`: monotonic seconds."""
        tree = self._lost
        if not tree:
            return self._doubt_guard(now)
        if not tree.reap():
            self._due = tree.step(now)
            stuck = tree.stuck(now)
            return [Stuck(0, tuple((pid, descendants.name(pid), tree.why(pid)) for pid in stuck))] if stuck else []
        self._lost = self._due = None
        self._roots = {}
        self._spawn()
        return [GuardLost()]

    # -- what only those do who resume: see warm/runner.py ------------------------------------------------------------
    def rested(self, seconds: float | None) -> list[Event]:
        """Nothing is to be done."""
        return []

    # -- requests ----------------------------------------------------------------------------------------------------
    def start(self, run: int, changed: object = None, environ: Mapping[bytes, bytes] | None = None) -> None:
        """Execute the command: `Started` or `Failed` answers. The tree has to be empty.

        `changed` is for those who resume instead (warm/runner.py). `environ`: added to that of the command.
        """
        self._look_for_strangers()
        self._unanswered = True
        self._say("start", run, dict(environ or {}))

    def stop(self, token: int, signal: int, grace: float, from_terminal: bool = False) -> None:
        """End the tree: `signal` now, SIGKILL after `grace` seconds. `from_terminal`: processes in our process group
        have had the signal of the terminal already, and are not sent this one."""
        self._say("stop", token, int(signal), grace, from_terminal)
        if self._unanswered and not self._lost and self._due is None:
            first, *self._hangs = HANGS
            self._due = time.monotonic() + first

    def kill(self, token: int) -> None:
        """The grace period of that stop is over."""
        self._say("kill", token)
        if self._lost:
            self._lost.hurry(0.0)
            self._due = 0.0

    def forward(self, signal: int) -> None:
        """Send the command itself, if it is alive, a signal."""
        self._say("forward", int(signal))

    def close(self) -> None:
        """End what may be left, and the guard; waits for that, at most some two seconds."""
        patience = time.monotonic() + 2 * LOST_GRACE
        tree = self._lost
        while tree and not tree.reap() and (now := time.monotonic()) < patience:
            time.sleep(max(0.0, min((tree.step(now) or now) - now, 0.01)))
        if self._socket.fileno() >= 0:  # else there is no guard: it is lost, or a new one could not be started
            self._say("leave")
            self._await_end(patience)
            self._socket.close()
        self._epoll.close()

    # -- inside ------------------------------------------------------------------------------------------------------
    def _doubt_guard(self, now: float) -> list[Event]:
        """It should have answered by now."""
        if self._due is None or now < self._due:
            return []
        if not self._hangs:
            self._due = None
            why = Tree().why(self._guard)
            return [Stuck(0, ((self._guard, descendants.name(self._guard), why),))]
        self._due = now + self._hangs.pop()
        try:
            os.kill(self._guard, signal.SIGKILL)
        except ProcessLookupError:
            pass
        return []

    def _await_end(self, patience: float) -> None:
        """Until the guard has closed its socket, or that time has come."""
        waiting = select.poll()
        waiting.register(self._socket, select.POLLIN)
        while (left := patience - time.monotonic()) > 0 and waiting.poll(left * 1000 + 1):
            try:
                if not self._socket.recv(LARGEST):
                    self._collect_guard()
                    break
            except OSError:
                break

    def _say(self, *message: Any) -> None:
        if self._lost:
            return  # GuardLost will be the answer
        try:
            self._socket.send(dumps(message))
        except OSError:
            pass  # the guard is dead: `read` will find out

    def _look_for_strangers(self) -> None:
        """Who is our child while the guard lives is not of its tree, but was ours before or fell to us as PID 1."""
        children = set(descendants.own_children())
        if self._guard_lives():  # still: so none of these was its child
            self._strangers = children - {self._guard}

    def _guard_lives(self) -> bool:
        if not self._guard:
            return False
        try:
            return os.waitid(os.P_PID, self._guard, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
        except ChildProcessError:
            return False

    def _collect_guard(self) -> None:
        """It has closed its socket: it dies, or does not deserve to live. Only when it is dead its children are ours
        (exit(2) closes descriptors first)."""
        if self._guard:
            try:
                os.kill(self._guard, signal.SIGKILL)
                os.waitpid(self._guard, 0)
            except OSError:
                pass
            self._guard = 0

    def _guard_is_lost(self) -> list[Event]:
        self._epoll.unregister(self._socket)
        self._socket.close()
        self._collect_guard()
        self._lost = RememberedTree(self._strangers, self._roots) if self.weak else Tree(self._strangers)
        now = time.monotonic()
        self._lost.stop(signal.SIGTERM, now + LOST_GRACE)
        return self.step(now)

    # -- what the guard tells ----------------------------------------------------------------------------------------
    def _ready(self, subreaper: bool) -> list[Event]:
        if not self._unanswered:
            self._boots = 0
        if not subreaper:
            self.weak = WEAK
        return []

    def _started(self, run: int, pid: int) -> list[Event]:
        self._answered()
        if self.weak:
            self._roots = descendants.below([pid])
        return [Started(run, pid)]

    def _failed(self, run: int, errno: int, path: bytes) -> list[Event]:
        self._answered()
        what = os.fsdecode(path)
        return [Failed(run, errno, what, self._is_fresh(what))]

    def _answered(self) -> None:
        self._boots, self._unanswered, self._due = 0, False, None

    def _exited(self, run: int, code: int) -> list[Event]:
        return [Exited(run, code)]

    def _emptied(self, token: int, killed: int) -> list[Event]:
        self._roots, self._due = {}, None
        return [Emptied(token, killed)]

    def _stuck(self, token: int, processes: Any) -> list[Event]:
        return [Stuck(token, processes)]

    def _is_fresh(self, what: str) -> bool:
        """Did the file, or where there is none, a folder that it should be in, change just now?"""
        path = os.path.join(self._command.directory, what)
        if "/" in what:
            places = [path if os.path.exists(path) else os.path.dirname(path)]
        else:
            places = os.fsdecode(self._origin.environ.get(b"PATH", b"")).split(":")
        now = time.time()
        return any(abs(now - _changed(place)) <= FRESH for place in places)


def _changed(path: str) -> float:
    """When it was changed or put there (ctime: that of `cp -p` or `install` is no older); 0 if it is not there."""
    try:
        return os.stat(path).st_ctime
    except OSError:
        return 0.0


_TOLD: dict[str, Callable[..., list[Event]]] = {
    "ready": Runner._ready,
    "started": Runner._started,
    "failed": Runner._failed,
    "exited": Runner._exited,
    "emptied": Runner._emptied,
    "stuck": Runner._stuck,
}
