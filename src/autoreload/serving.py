"""The clients of the command: they are answered before it is stopped, and while it is not there.

Between the lifecycle and the runner, for a stop waits until what the command has accepted is answered.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Protocol

from autoreload.core.lifecycle import Stop
from autoreload.linux.descendants import under
from autoreload.process.overlap import OverlapRunner
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

    def __init__(
        self,
        holder: Holder | None,
        runner: Stopper,
        report: Report,
        shown: str,
        stop: tuple[str, float] = ("TERM", 0.0),
    ) -> None:
        """`holder`: of the sockets, if any are held. `shown`: the command as a person typed it. `stop`: the signal that
        asks an old command to end beside a new one (if the runner is such a one), and the grace period."""
        self._holder: Holder | NoSockets = holder or NoSockets()
        self._runner = runner
        self._overlap = runner if isinstance(runner, OverlapRunner) else None
        self._signal, self._grace = signal.Signals["SIG" + stop[0]], stop[1]
        self._is_retiring = self._is_unseen = False
        self._report = report
        self._shown = shown
        self._stop: Stop | None = None
        """What the command is asked as soon as it has answered its clients."""

    def begin(self, forked: bool) -> None:
        """Say where autoreload listens. `forked`: perhaps the process that is executed is not the one that takes the
        sockets."""
        if self._holder.shown:
            # The runtime puts LISTEN_PID right.
            self._report.listening(self._holder.shown, forked and not self._holder.keeps)

    def fileno(self) -> int:
        """Readable when `work` has something to do; -1: never."""
        return self._holder.fileno()

    def deadline(self) -> float | None:
        """When `work` wants to be called (monotonic seconds); None: no need."""
        return self._holder.deadline()

    def work(self, now: float, ending: bool) -> None:
        """Do what can be done without waiting. `ending`: so does autoreload, and nobody is waited for."""
        self._holder.work(now)
        if self._holder.why_unseen and not self._is_unseen:
            self._is_unseen = True
            why = os.strerror(self._holder.why_unseen)
            self._report.notice(f"--keep-sockets=always is without effect: {why}", "take --listen", detail=False)
        if self._holder.has_failed and not (self._overlap and self._overlap.old_guard):
            from autoreload.core.page import Failure

            self._holder.answer_for_workers(Failure(self._shown, "has a worker that failed"), self._tree(), now)
        self._pass_on(now, ending)
        taken = self._holder.serves(self._tree, now)
        if taken is not None:
            self._report.ready(taken)
            self._hand_over()
        if self._overlap and self._is_retiring and (ending or self._holder.is_drained(now)):
            self._is_retiring = False
            self._overlap.retire(self._signal, self._grace)

    @property
    def is_answering(self) -> bool:
        """Has it not been asked to stop yet, for it has clients?"""
        return self._stop is not None

    def imported(self, path: str) -> bool | None:
        """Has the command imported this file, as far as it has told? None: nobody knows."""
        return self._holder.imported(path)

    def starting(self) -> None:
        """The command is about to be started."""
        self._stop = None  # a guard that was killed has answered it
        self._holder.starting()

    def started(self, now: float) -> None:
        """It was executed."""
        self._holder.started(now)

    def stop(self, action: Stop, now: float, ending: bool) -> None:
        """It is to be stopped."""
        if self._overlap and ending:
            self._overlap.stop_all(action.token, action.signal, action.grace, action.from_terminal)
            return
        if self._overlap and self._overlap.can_hand_over:
            self._overlap.hand_over(action.token)
            return
        self._stop = action
        if self._overlap and not self._overlap.is_ready:
            ending = True  # whoever is to be answered is answered by the old one
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

        left = self._tree()
        if self._overlap and self._overlap.old_guard:
            self._report.old_goes_on()
            left += under(self._overlap.old_guard)
        self._holder.ended(Failure(self._shown, how), left, well)

    def _hand_over(self) -> None:
        """The new command serves: the old one need not any more."""
        if not self._overlap:
            return
        self._overlap.ready()
        old = self._overlap.old_guard
        if old:
            self._is_retiring = True
            self._holder.retiring(lambda: under(old), self._grace)

    def _pass_on(self, now: float, ending: bool) -> None:
        action = self._stop
        if action is not None and (ending or self._holder.is_drained(now)):
            self._stop = None
            self._runner.stop(action.token, action.signal, action.grace, action.from_terminal)

    def _tree(self) -> list[int]:
        return under(self._runner.guard)
