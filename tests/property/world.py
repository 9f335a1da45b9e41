"""A world without kernel or clock: files change, a guard starts and ends a command with delays, and the pure part
decides, wired as the session wires it."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Sequence

from autoreload.checks import Checks
from autoreload.core import lifecycle as life
from autoreload.core.change import Change, Kind
from autoreload.core.debounce import Debounce
from autoreload.git import NOT_AT_WORK, QUIET_LOCKED, AtWork


class World:
    """Discrete events in order of time. Breaking a promise is an AssertionError."""

    def __init__(self, policy: life.Policy, start_takes: Callable[[], float], stop_takes: Callable[[], float]) -> None:
        self.now = 0.0
        self.lifecycle = life.Lifecycle(policy)
        self.debounce = Debounce()
        self._start_takes, self._stop_takes = start_takes, stop_takes
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self.git_is_at_work = False
        self._checks = Checks(
            self.debounce,
            lambda change, why: None,
            lambda sign: None,
            lambda paths, now: AtWork(QUIET_LOCKED, "index.lock") if self.git_is_at_work else NOT_AT_WORK,
        )
        self._checks.compare_with(self)
        self._alive = False
        self._run = 0
        self._stops: set[int] = set()
        self.stopped = False
        """The command was stopped to be started again, and has not been."""
        self.started_at: list[float] = []
        self.disk: dict[str, int] = dict.fromkeys("abc", 0)
        """The version of each file that is there."""
        self.seen: dict[str, int] | None = None
        """What the disk was at the last start."""
        self._versions = itertools.count(1)
        self.exit_code: int | None = None
        self.told: list[life.Action] = []

    # -- what a test makes happen --------------------------------------------------------------------------------------
    def later(self, delay: float, happens: Callable[[], None]) -> None:
        """Schedule something."""
        heapq.heappush(self._queue, (self.now + delay, next(self._order), happens))

    def change(self, path: str, kind: Kind = Kind.WRITTEN) -> None:
        """This happens to a file now, if it can."""
        if kind is Kind.VANISHED:
            if self.disk.pop(path, None) is None:
                return
        else:
            if path in self.disk and kind is Kind.OPENED:
                kind = Kind.MODIFIED
            elif path not in self.disk and kind is not Kind.APPEARED:
                self.debounce.add(Change(Kind.OPENED, path), self.now)
            self.disk[path] = next(self._versions)
        self.debounce.add(Change(kind, path), self.now)

    def change_back(self, path: str) -> None:
        """A file becomes what it was at the last start."""
        if self.seen is not None and path in self.seen:
            self.disk[path] = self.seen[path]
        self.save_again(path)

    def save_again(self, path: str) -> None:
        """A file is written, and is what it was."""
        if path in self.disk:
            self.debounce.add(Change(Kind.WRITTEN, path), self.now)

    def git(self, at_work: bool) -> None:
        """Git begins its work, or ends it."""
        self.git_is_at_work = at_work

    def command_exits(self, code: int, leaving_children: bool) -> None:
        """The command ends by itself, if it runs."""
        if self._alive and self.lifecycle.state is life.State.RUNNING:
            self._alive = leaving_children
            self.handle(life.Exited(code))

    def guard_is_killed(self) -> None:
        """The runner has ended what the guard kept, and made a new one."""
        self._alive = False
        self._stops.clear()
        self._run += 1  # news of the start that was under way never come
        self.handle(life.GuardLost())

    def handle(self, happened: life.Input) -> None:
        """Give an input to the lifecycle and carry out what comes back."""
        for action in self.lifecycle.handle(happened, self.now):
            self._do(action)

    def run(self, until: float = 1e6) -> None:
        """Let everything happen that is due until then."""
        while self.exit_code is None:
            moments = [self._queue[0][0] if self._queue else None, self.lifecycle.deadline(), self._checks.deadline()]
            due = min((moment for moment in moments if moment is not None), default=None)
            if due is None or due > until:
                break
            self.now = max(self.now, due)
            while self._queue and self._queue[0][0] <= self.now:
                heapq.heappop(self._queue)[2]()
            self._look()

    # -- the session's part --------------------------------------------------------------------------------------------
    def _look(self) -> None:
        before = self._checks.phase
        if self._checks.look(self.now, self.stopped or self.lifecycle.state is life.State.STOPPING) is not before:
            self.handle(life.Changing(self._checks.phase))
        ticks = self.lifecycle.deadline()
        if ticks is not None and self.now >= ticks:
            self.handle(life.Ticked())

    def unchanged(self, paths: Sequence[str], clock: Callable[[], float], until: float) -> tuple[list[str], bool]:
        """Everything is known of the files, at once."""
        if self.seen is None:
            return [], True
        same = [path for path in paths if self.disk.get(path) == self.seen.get(path)]
        return same, len(same) < len(paths)

    def _do(self, action: life.Action) -> None:
        if isinstance(action, life.Start):
            assert not self._alive, "I2: a start beside a living tree"
            assert self.lifecycle.state is life.State.STARTING
            self.debounce.take(self.now)
            self._checks.started()
            self._run += 1
            run = self._run
            self._alive, self.stopped = True, False
            self.started_at.append(self.now)
            self.seen = dict(self.disk)
            self.later(self._start_takes(), lambda: self._executed(run))
        elif isinstance(action, life.Stop):
            self._stops.add(action.token)
            self.stopped = True
            self.later(self._stop_takes(), lambda: self._emptied(action.token))
        elif isinstance(action, life.Kill):
            self.later(0.001, lambda: self._emptied(action.token))
        elif isinstance(action, life.Finish):
            assert not self._alive or action.code == 1, "I3: an end that leaves a tree behind"
            self.exit_code = action.code
        else:
            self.told.append(action)

    def _executed(self, run: int) -> None:
        if run == self._run and self._alive:
            self.handle(life.Started())

    def _emptied(self, token: int) -> None:
        if token in self._stops:
            self._stops.discard(token)
            self._alive = False
            self._run += 1
        self.handle(life.Emptied(token))  # also a late one, of a stop that somebody else has answered
