"""Two runners that take turns: the new command is started, and becomes ready, before the old one is asked to stop.

To the session it is one runner, whose tree is that of the new command. That of the old one is handed over (`hand_over`)
when a change comes, and ended (`retire`) when the new one serves. If that ends before, the old one stays, and the next
change starts another new one beside it.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import Any

from autoreload.process.events import Emptied, Event, Exited, GuardLost, Stuck
from autoreload.process.runner import Runner

_OWN = -1
"""Token of a stop that nobody but us knows of."""


class OverlapRunner:
    """As a `Runner`."""

    def __init__(self, runner: Runner) -> None:
        self._current = runner
        self._old: Runner | None = None
        """Still serving, or being ended."""
        self._spare: Runner | None = None
        """Its guard waits for work."""
        self.is_ready = False
        """Does the new command serve?"""
        self._ending: set[Runner] = set()
        """Which have not answered the stop of all yet."""
        self._ending_token = 0
        self._queued: list[Event] = []
        self._epoll = select.epoll()
        self._epoll.register(runner.fileno(), select.EPOLLIN)

    # -- as the runner -------------------------------------------------------------------------------------------------
    @property
    def guard(self) -> int:
        """Pid of the guard of the new command; 0: it is dead."""
        return self._current.guard

    @property
    def guards(self) -> list[int]:
        """Of the old command as well."""
        return [runner.guard for runner in self._runners() if runner is not self._spare]

    @property
    def old_guard(self) -> int:
        """Pid of the guard of the old command; 0: there is none."""
        return self._old.guard if self._old else 0

    @property
    def weak(self) -> str:
        """If orphans cannot be inherited: what to say about it."""
        return self._current.weak

    def spare(self, pid: int) -> None:
        """That child of this process is not to be ended or waited for."""
        for runner in self._runners():
            runner.spare(pid)

    def fileno(self) -> int:
        """Readable when `read` has something to tell."""
        return self._epoll.fileno()

    def deadline(self) -> float | None:
        """When `step` wants to be called (monotonic seconds); None: no need."""
        if self._queued:
            return 0.0
        moments = (runner.deadline() for runner in self._runners())
        return min((moment for moment in moments if moment is not None), default=None)

    def read(self) -> list[Event]:
        """What happened since the last call."""
        return self._hear(lambda runner: runner.read())

    def reap(self) -> list[Event]:
        """A child died."""
        return self._hear(lambda runner: runner.reap())

    def step(self, now: float) -> list[Event]:
        """The deadline has come; `now`: monotonic seconds."""

        def go_on(runner: Runner) -> list[Event]:
            due = runner.deadline()
            return runner.step(now) if due is not None and now >= due else []

        return self._hear(go_on)

    def start(self, run: int, changed: object = None) -> None:
        """Execute the command, beside the old one if there is one."""
        self.is_ready = False
        self._keep_apart()
        self._current.start(run, changed)

    def stop(self, token: int, signal: int, grace: float, from_terminal: bool = False) -> None:
        """End the new command."""
        self._current.stop(token, signal, grace, from_terminal)

    def kill(self, token: int) -> None:
        """The grace period of that stop is over."""
        for runner in self._ending or {self._current}:
            runner.kill(token)

    def forward(self, signal: int) -> None:
        """Send the new command itself, if it is alive, a signal."""
        self._current.forward(signal)

    def close(self) -> None:
        """End what may be left, and the guards."""
        for runner in self._runners():
            runner.close()
        self._epoll.close()

    def rested(self, seconds: float | None) -> list[Event]:
        """The command has come to rest; nothing hangs on that here."""
        return []

    # -- what is different ---------------------------------------------------------------------------------------------
    @property
    def can_hand_over(self) -> bool:
        """Does the command serve, and no other one beside it?"""
        return self.is_ready and self._old is None

    def ready(self) -> None:
        """The new command serves."""
        self.is_ready = True
        if self._spare is None and self._old is None:
            self._spare = Runner.like(self._current)
            self._epoll.register(self._spare.fileno(), select.EPOLLIN)
            self._keep_apart()

    def hand_over(self, token: int) -> None:
        """The command becomes the old one, and goes on; that stop is answered, for there is room for another."""
        assert self._spare
        assert not self._old
        self._old, self._current, self._spare = self._current, self._spare, None
        self.is_ready = False
        self._queued.append(Emptied(token, 0))

    def retire(self, signal: int, grace: float) -> None:
        """End the old command."""
        if self._old:
            self._old.stop(_OWN, signal, grace)

    def stop_all(self, token: int, signal: int, grace: float, from_terminal: bool = False) -> None:
        """End both."""
        self._ending = {self._current, *([self._old] if self._old else [])}
        self._ending_token = token
        for runner in self._ending:
            runner.stop(token, signal, grace, from_terminal)

    # -- inside --------------------------------------------------------------------------------------------------------
    def _runners(self) -> list[Runner]:
        return [runner for runner in (self._current, self._old, self._spare) if runner]

    def _keep_apart(self) -> None:
        """None of them takes the guard of another for what its own has left."""
        for runner in self._runners():
            for other in self._runners():
                if other is not runner and other.guard:
                    runner.spare(other.guard)

    def _hear(self, ask: Callable[[Runner], list[Event]]) -> list[Event]:
        events, self._queued = self._queued, []
        for runner in self._runners():
            for event in ask(runner):
                events += self._understand(runner, event)
        return events

    def _understand(self, runner: Runner, event: Any) -> list[Event]:
        if isinstance(event, GuardLost):
            self._keep_apart()
        if isinstance(event, Emptied | GuardLost) and runner in self._ending:
            self._ending.discard(runner)
            return [] if self._ending else [Emptied(self._ending_token, 0)]
        if runner is self._current:
            if isinstance(event, Exited):
                self.is_ready = False
            return [event]
        if isinstance(event, Stuck):
            return [event]
        if isinstance(event, Emptied | GuardLost) and runner is self._old:
            self._old, self._spare = None, runner
        return []
