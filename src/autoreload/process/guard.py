"""The guard: a small process between autoreload and the command, whose only work is that nothing is left behind.

    autoreload (subreaper)  <-- socket -->  guard (subreaper)  -->  the command and whatever that starts

It ends the tree when it is told to, and when autoreload is gone (the socket is closed). It stays in the terminal's
foreground process group, as the command does, and blocks every signal, so that Ctrl-C, Ctrl-Z and a hangup are not its
end; nor is a SIGTERM to the whole group, or to all of a systemd unit: how long the command has is for autoreload to
say, which got it too. If the guard is killed itself, autoreload inherits the orphans and ends them (runner.py).

Messages are marshalled tuples over a SOCK_SEQPACKET socketpair, which keeps their boundaries. The other side is the
same interpreter and nobody else holds an end, so marshal is safe here; it is needed for the code, and json costs an
import.

    start RUN ENVIRON                       ->  started RUN PID | failed RUN ERRNO PATH; later, exited RUN STATUS
    stop TOKEN SIGNAL GRACE FROM_TERMINAL   ->  emptied TOKEN KILLED; before, perhaps, stuck TOKEN PROCESSES
    kill TOKEN                                  the grace period of that stop is over
    forward SIGNAL                              to the command itself
    leave                                       autoreload ends, and sees to the terminal itself
    (at the start)                          ->  ready IS_SUBREAPER

Loaded by the guard, for which it may import nothing slow (see linux/libc.py).
"""

from marshal import dumps, loads
from posix import _exit, read, waitstatus_to_exitcode, write
from select import POLLIN, poll
from time import monotonic

from autoreload.linux import descendants
from autoreload.linux.prctl import become_subreaper
from autoreload.linux.signalfd import SignalFd
from autoreload.process.launch import Launch
from autoreload.process.tree import Tree, send

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from signal import SIGCHLD, SIGTERM
    from typing import Any
else:
    from _signal import SIGCHLD, SIGTERM

NAME = b"reload-guard"
"""What ps(1) and top(1) call it; pkill(1) by the name of the interpreter misses it too."""
LOST_GRACE = 1.0
"""Seconds between SIGTERM and SIGKILL when nobody is there to say how long."""
LARGEST = 1 << 16
"""Bytes in a message, at most."""
_LONGEST = 1 << 12
"""Bytes of a path that are told: PATH_MAX."""
_NAMED = 50


def serve(channel: int, settings: "tuple[object, ...]") -> None:
    """The life of the guard. Does not return."""
    _take_name()
    *what, terminal = settings
    guard = Guard(channel, Launch(*what), terminal)  # type: ignore[arg-type]
    guard.run()
    _exit(0)


def _take_name() -> None:
    try:
        with open("/proc/self/comm", "wb", 0) as file:
            file.write(NAME)
    except OSError:
        pass  # no /proc: it is called python then


class Guard:
    """One process tree, and the one who asks for it."""

    def __init__(self, channel: int, launch: Launch, terminal: object = None) -> None:
        self._channel = channel
        self._launch = launch
        self._terminal = terminal
        self._signals = SignalFd((SIGCHLD,), block=False)
        self._poll = poll()
        self._poll.register(channel, POLLIN)
        self._poll.register(self._signals, POLLIN)
        subreaper = become_subreaper()
        self._tree = _tree(subreaper)
        self._run = 0
        self._empty = True
        self._stops: list[int] = []
        self._ending = False
        self._due: float | None = None
        self._say("ready", subreaper)

    def run(self) -> None:
        """Serve until autoreload is gone and the tree is empty."""
        while not (self._ending and self._empty):
            ready = [fd for fd, _ in self._poll.poll(self._timeout())]
            if self._signals.fileno() in ready:
                self._signals.read()
            self._advance()  # first, so that the end of one run is told before the start of the next
            if self._channel in ready and not self._ending:
                self._hear()
                self._advance()
        if self._terminal is not None:
            from autoreload.process.terminal import Terminal

            Terminal.saved(self._terminal).restore()

    def _timeout(self) -> float | None:
        """In milliseconds. Rounded up: a wait that ends too early is a spin."""
        return None if self._due is None else max(0, int((self._due - monotonic()) * 1000) + 1)

    # -- the tree ----------------------------------------------------------------------------------------------------
    def _advance(self) -> None:
        if self._empty and not self._stops:
            self._tree.reap()  # strangers cannot be, but a child of a child that was reaped may come late
            return
        self._empty = self._tree.reap()
        if self._run and (self._empty or self._tree.status is not None):
            # Without a status: it was gone before the kernel was told to keep it for us, see Launch.
            self._say("exited", self._run, waitstatus_to_exitcode(self._tree.status or 0))
            self._run = 0
        if self._empty:
            self._due = None
            killed = self._tree.killed if self._tree.stopping else 0
            self._tree.emptied()
            for token in self._stops:
                self._say("emptied", token, killed)
            self._stops.clear()
            return
        now = monotonic()
        self._due = self._tree.step(now)
        stuck = self._tree.stuck(now)
        if stuck and self._stops:
            named = tuple((pid, descendants.name(pid), self._tree.why(pid)) for pid in stuck[:_NAMED])
            self._say("stuck", self._stops[-1], named)

    def _lost(self) -> None:
        """Nobody is there any more: the tree is to end, and then we."""
        if not self._ending:
            self._ending = True
            self._poll.unregister(self._channel)
            self._tree.stop(SIGTERM, monotonic() + LOST_GRACE)

    # -- messages ----------------------------------------------------------------------------------------------------
    def _say(self, *message: "Any") -> None:
        try:
            write(self._channel, dumps(message))
        except OSError:
            pass  # the next read tells that nobody is there

    def _hear(self) -> None:
        try:
            data = read(self._channel, LARGEST)
        except OSError:
            data = b""
        if not data:
            self._lost()
            return
        what, *values = loads(data)
        _HANDLERS[what](self, *values)

    def _start(self, run: int, environ: "dict[bytes, bytes]") -> None:
        try:
            pid = self._launch(environ)
        except OSError as error:
            self._say("failed", run, error.errno, error.filename[:_LONGEST])
            return
        self._run, self._empty = run, False
        self._tree.began(pid)
        self._say("started", run, pid)

    def _stop(self, token: int, signal: int, grace: float, from_terminal: bool) -> None:
        self._stops.append(token)
        self._tree.stop(signal, monotonic() + grace, from_terminal)

    def _kill(self, token: int) -> None:
        if token in self._stops:
            self._tree.hurry(monotonic())

    def _forward(self, signal: int) -> None:
        if self._tree.main:
            send(self._tree.main, signal)

    def _leave(self) -> None:
        self._terminal = None
        self._lost()


_HANDLERS: "dict[str, Callable[..., None]]" = {
    "start": Guard._start,
    "stop": Guard._stop,
    "kill": Guard._kill,
    "forward": Guard._forward,
    "leave": Guard._leave,
}


def _tree(subreaper: bool) -> Tree:
    if subreaper:
        return Tree()
    from autoreload.process.remembered import RememberedTree

    return RememberedTree()
