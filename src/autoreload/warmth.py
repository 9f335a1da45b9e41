"""What a session does for the sake of warm restarts, and to recommend them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from autoreload.core.change import Kind
from autoreload.core.filter import SOURCES
from autoreload.linux import standing
from autoreload.process.runner import Runner
from autoreload.scope import matcher
from autoreload.warm.fit import is_fit

if TYPE_CHECKING:
    from autoreload.content import Content
    from autoreload.elsewhere import Elsewhere
    from autoreload.job import Job
    from autoreload.report import Report
    from autoreload.warm.runner import WarmRunner

SLOW = 1.0
"""Seconds after which a restart is worth a word."""
MOST = 50
"""Of more files that changed at once one will have been used."""


def prepare(runner: Runner | WarmRunner, job: Job, elsewhere: Elsewhere) -> None:
    """Have a runner that resumes look at the disk by way of `elsewhere`. Raises UserError for a broken pattern."""
    if not isinstance(runner, Runner):
        runner.adopt(elsewhere, matcher("--cold", job.settings.cold, job.cold_base))


class Unused:
    """Takes out of a burst the files that the running program has not used, where that is certain."""

    def __init__(
        self,
        runner: Runner | WarmRunner,
        content: Content,
        report: Report,
        is_running: Callable[[], bool],
        forget: Callable[[], None],
    ) -> None:
        """`is_running`: is the command? `forget`: have Python forget the cached bytecode of what has changed."""
        self._runner = runner
        self._content = content
        self._report = report
        self._is_running = is_running
        self._forget = forget

    def __call__(self, burst: Mapping[str, Kind]) -> Sequence[str]:
        """All of the burst, or nothing: what restarts for one file restarts for all."""
        paths = list(burst)
        if isinstance(self._runner, Runner) or not self._is_running() or len(paths) > MOST:
            return ()
        if any(kind is Kind.VANISHED or not path.endswith(SOURCES) for path, kind in burst.items()):
            return ()
        if not all(self._content.was_there(path) for path in paths):
            return ()
        self._forget()  # first: whoever imports one of them from now on reads what it is now
        if not self._runner.are_unused(paths):
            return ()
        # Back to what it was at the start is a change too, if it has been imported meanwhile.
        self._content.passed_over(paths)
        for path in paths:
            self._report.unused(path)
        return paths


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
