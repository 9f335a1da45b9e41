"""The clients of the command: they are answered before it is stopped, and while it is not there.

Between the lifecycle and the runner, for a stop waits until what the command has accepted is answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from autoreload.core.lifecycle import Stop
from autoreload.linux.descendants import under
from autoreload.sockets import NoSockets

if TYPE_CHECKING:
    from autoreload.report import Report
    from autoreload.sockets.holder import Holder


class Stopper(Protocol):
    """Who stops the command: a runner."""

    @property
    def guard(self) -> int:
        """Pid of the process above it; 0: there is none."""

    def stop(self, token: int, signal: int, grace: float, from_terminal: bool = False) -> None:
        """End it."""

    def kill(self, token: int) -> None:
        """The grace period of that stop is over."""


class Serving:
    """What is to be done about them in the life of the command."""

    def __init__(self, holder: Holder | None, runner: Stopper, report: Report, shown: str) -> None:
        """`holder`: of the sockets, if any are held. `shown`: the command as a person typed it."""
        self._holder: Holder | NoSockets = holder or NoSockets()
        self._runner = runner
        self._report = report
        self._shown = shown
        self._stop: Stop | None = None
        """What the command is asked as soon as it has answered its clients."""

    def fileno(self) -> int:
        """Readable when `work` has something to do; -1: never."""
        return self._holder.fileno()

    def deadline(self) -> float | None:
        """When `work` wants to be called (monotonic seconds); None: no need."""
        return self._holder.deadline()

    def work(self, now: float, ending: bool) -> None:
        """Do what can be done without waiting. `ending`: so does autoreload, and nobody is waited for."""
        self._holder.work(now)
        self._pass_on(now, ending)
        taken = self._holder.serves(self._tree, now)
        if taken is not None:
            self._report.ready(taken)

    def starting(self) -> None:
        """The command is about to be started."""
        self._stop = None  # a guard that was killed has answered it
        self._holder.starting()

    def started(self, now: float) -> None:
        """It was executed."""
        self._holder.started(now)

    def stop(self, action: Stop, now: float, ending: bool) -> None:
        """It is to be stopped."""
        self._stop = action
        if not ending:
            self._holder.stopping(self._tree, action.grace)
        self._pass_on(now, ending)

    def kill(self, token: int) -> None:
        """The grace period of that stop is over."""
        self._pass_on(0.0, ending=True)
        self._runner.kill(token)

    def ended(self, how: str, well: bool = False) -> None:
        """It has ended by itself, or could not be started: let nobody wait for it."""
        if isinstance(self._holder, NoSockets):
            return
        from autoreload.core.page import Failure

        self._holder.ended(Failure(self._shown, how), self._tree(), well)

    def _pass_on(self, now: float, ending: bool) -> None:
        action = self._stop
        if action is not None and (ending or self._holder.is_drained(now)):
            self._stop = None
            self._runner.stop(action.token, action.signal, action.grace, action.from_terminal)

    def _tree(self) -> list[int]:
        return under(self._runner.guard)
