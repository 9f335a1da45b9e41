"""What a session does for the sake of warm restarts, and to recommend them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from autoreload.core.change import Kind
from autoreload.core.debounce import Phase
from autoreload.core.filter import SOURCES
from autoreload.core.lifecycle import State
from autoreload.linux import standing
from autoreload.linux.clock import changed_from_now
from autoreload.process.events import NotUp, Restarted, Snapshots, Unprepared
from autoreload.process.overlap import OverlapRunner
from autoreload.process.runner import Runner
from autoreload.scope import matcher
from autoreload.warm.fit import is_fit
from autoreload.warm.unused import USED

if TYPE_CHECKING:
    from autoreload.checks import Checks
    from autoreload.content import Content
    from autoreload.core.debounce import Debounce
    from autoreload.core.lifecycle import Lifecycle
    from autoreload.elsewhere import Elsewhere
    from autoreload.job import Job
    from autoreload.report import Report
    from autoreload.warm.runner import WarmRunner

SLOW = 1.0
"""Seconds after which a restart is worth a word."""
AHEAD_AFTER = 0.04
"""A stop that takes so long is used to prepare the next start, seconds: most commands have ended by then."""
MOST = 50
"""Of more files that changed at once one will have been used."""


News = Restarted | Unprepared | Snapshots | NotUp


def tell(event: News, report: Report, explain: bool) -> None:
    """Say it."""
    if isinstance(event, Restarted):
        report.how(*event[1:], explain=explain)
    elif isinstance(event, Unprepared):
        report.unprepared(event.why, event.path, explain)
    elif isinstance(event, Snapshots):
        report.snapshots(*event)
    else:
        report.not_up(event.seconds)


def prepare(runner: Runner | OverlapRunner | WarmRunner, job: Job, elsewhere: Elsewhere) -> None:
    """Have a runner that resumes look at the disk by way of `elsewhere`. Raises UserError for a broken pattern."""
    if not isinstance(runner, Runner | OverlapRunner):
        runner.adopt(elsewhere, matcher("--cold", job.settings.cold, job.cold_base))


def were_there(burst: Iterable[str], content: Content | None) -> dict[str, bool | None]:
    """Which of these files were there at the last start; None: nobody knows."""
    return {path: content.was_there(path) if content is not None else None for path in burst}


class Unused:
    """Takes out of a burst the files that the running program has not used, where that is certain."""

    def __init__(
        self,
        runner: Runner | OverlapRunner | WarmRunner,
        lifecycle: Lifecycle,
        content: Content,
        report: Report,
        forget: Callable[[], None],
    ) -> None:
        """`forget`: have Python forget the cached bytecode of what has changed."""
        self._runner = runner
        self._content = content
        self._report = report
        self._lifecycle = lifecycle
        self._forget = forget

    def __call__(self, burst: Mapping[str, Kind]) -> Sequence[str]:
        """All of the burst, or nothing: what restarts for one file restarts for all."""
        paths = list(burst)
        if isinstance(self._runner, Runner | OverlapRunner):
            return ()
        if self._lifecycle.state is not State.RUNNING or len(paths) > MOST:
            return ()
        if any(kind is Kind.VANISHED or not path.endswith(SOURCES) for path, kind in burst.items()):
            return ()
        if not all(self._content.was_there(path) for path in paths):
            return ()
        self._forget()  # first: whoever imports one of them from now on reads what it is now
        why = self._runner.why_used(paths)
        if why:
            if why != USED:
                self._report.detail(f"{os.path.basename(paths[0])} may have been used by the program: {why}")
            return ()
        # Back to what it was at the start is a change too, if it has been imported meanwhile.
        self._content.passed_over(paths)
        self._report.unused(paths)
        return paths


class Ahead:
    """Has the next program prepared while the present one takes its time to end."""

    def __init__(
        self,
        runner: Runner | OverlapRunner | WarmRunner,
        lifecycle: Lifecycle,
        debounce: Debounce,
        checks: Checks,
        forget: Callable[[], None],
    ) -> None:
        """`forget`: as in `Unused`."""
        self._runner = runner
        self._lifecycle = lifecycle
        self._debounce = debounce
        self._checks = checks
        self._forget = forget
        self._at: float | None = None
        self._since: int | None = None
        """When what may be started next began to read its files, in file time (ns); None: nothing is prepared."""

    @property
    def is_held_up(self) -> bool:
        """Is the death of the old tree all that is missing for a start?"""
        stopping = self._lifecycle.state is State.STOPPING and not self._lifecycle.ending
        return stopping and self._checks.phase is Phase.SETTLED

    def stopping(self, now: float) -> None:
        """The stop has begun, at `now` (monotonic seconds)."""
        self._at = None if isinstance(self._runner, Runner | OverlapRunner) else now + AHEAD_AFTER
        self._since = None

    def changed(self, now: float) -> None:
        """There is one more change: what was prepared is of no use, and has to be prepared again."""
        if self._since is not None and not isinstance(self._runner, Runner | OverlapRunner):
            self._runner.discard()
            self._at = now

    def deadline(self) -> float | None:
        """When `step` has something to do, monotonic seconds."""
        return self._at if self._at is not None and self.is_held_up else None

    def step(self, now: float, content: Content | None) -> None:
        """Do so, if it is time."""
        due = self.deadline()
        if due is None or now < due:
            return
        self._at = None
        self._forget()
        self._since = self._since or changed_from_now()
        if not isinstance(self._runner, Runner | OverlapRunner):
            self._runner.prepare(were_there(self._debounce.changed(), content))

    def started(self) -> int:
        """There is a start. Returns since when what is started may have read its files: any that changes later has no
        older ctime (ns)."""
        since, self._since = self._since, None
        return since or changed_from_now()


class Hint:
    """Recommends warm restarts, once, where they would help: to a Python that takes long to come to rest."""

    def __init__(self, report: Report, is_warm: bool) -> None:
        self.pid = 0
        """Of the command."""
        self._report = report
        self._over = is_warm
        self._counts = False

    def started(self, counts: bool) -> None:
        """The command is started. `counts`: for a change, and where it might be resumed."""
        self._counts = counts

    def rested(self, seconds: float | None) -> None:
        """It has come to rest after so many; None: it was not seen to."""
        if self._over or not self._counts or seconds is None or seconds < SLOW:
            return
        self._over = True
        try:
            fit = is_fit(standing.executable(self.pid), standing.words(self.pid))
        except OSError:
            return
        if fit:
            self._report.slow_restart(seconds)
