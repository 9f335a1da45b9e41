"""The loop: one thread that waits for the kernel, hands what it tells to the pure part, and carries out the answer.

A change goes one way: backend -> filter -> debounce -> lifecycle -> runner -> report.
"""

from __future__ import annotations

import os
import selectors
import signal
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from autoreload import warmth
from autoreload.checks import Checks, is_searching
from autoreload.content import Content
from autoreload.core import lifecycle as life
from autoreload.core.change import Change, Kind
from autoreload.core.debounce import Debounce, Phase
from autoreload.core.filter import SOURCES
from autoreload.core.habits import TOLD_AFTER, Habits
from autoreload.core.loading import Loading
from autoreload.linux.clock import SetBack, file_time
from autoreload.linux.signalfd import SI_KERNEL
from autoreload.process import activity, events
from autoreload.process.family import Family
from autoreload.process.recognise import forks
from autoreload.report import how_it_ended
from autoreload.rules import rules_for
from autoreload.serving import Serving
from autoreload.signals import ENDING
from autoreload.syntax import Syntax

if TYPE_CHECKING:
    from autoreload.core.filter import Rules
    from autoreload.elsewhere import Elsewhere
    from autoreload.job import Job
    from autoreload.linux.signalfd import SignalFd
    from autoreload.process.command import Command
    from autoreload.process.overlap import OverlapRunner
    from autoreload.process.runner import Runner
    from autoreload.process.terminal import Terminal
    from autoreload.report import Report
    from autoreload.scope import Scope
    from autoreload.sockets.holder import Holder
    from autoreload.warm.runner import WarmRunner
    from autoreload.watch.aside import AsideBackend
    from autoreload.watch.linked import LinkedBackend

FANOTIFY = "fanotify"
FD_SETSIZE = 1024
RECHECK = 0.5
"""A folder made just now may become a package in so many seconds."""
SLOW_STOP = 0.5
"""A stop that takes so long is told of before it is over, seconds."""


class Session:
    """One run of autoreload."""

    def __init__(
        self,
        job: Job,
        command: Command,
        report: Report,
        signals: SignalFd,
        runner: Runner | OverlapRunner | WarmRunner,
        terminal: Terminal,
        holder: Holder | None = None,
    ) -> None:
        chosen = job.settings
        self._job = job
        self._command = command
        self._report = report
        self._signals = signals
        self._runner = runner
        self._terminal = terminal
        self._serving = Serving(holder, runner, report, command.shown, (chosen.signal, chosen.stop_timeout))
        self._debounce = Debounce(chosen.debounce)
        self._habits = Habits()
        self._lifecycle = life.Lifecycle(
            life.Policy(
                life.OnExit(chosen.on_exit),
                signal.Signals["SIG" + chosen.signal],
                chosen.stop_timeout,
                chosen.postpone,
            )
        )
        self._scope: Scope
        self._elsewhere: Elsewhere
        self._backend: AsideBackend | LinkedBackend
        self._content: Content | None = None
        self._content_told = False
        self._loading = Loading()
        self._family = Family()
        self._hint = warmth.Hint(report, chosen.warm)
        self._own: set[str] = set()
        self._selector: selectors.BaseSelector
        self._checks = Checks(self._debounce, self._explain, report)
        self._ahead = warmth.Ahead(runner, self._lifecycle, self._debounce, self._checks, self._remove_stale_bytecode)
        self._syntax = Syntax("" if chosen.no_check else command.interpreter, command.directory, report.detail)
        self._checks.compile_with(self._syntax)
        self._run = 0
        self._sources: set[str] = set()
        self._told: set[tuple[str, str]] = set()
        self._slow_stop_at: float | None = None
        self._recheck_at: float | None = None
        self._changed_at = 0.0
        self._found_at = 0
        """When a change was found by looking that no start has been made for, in file time (ns); 0: none was."""
        self._stopped = False
        """Has the command been stopped so that it can be started again? Then it will be, whatever is found out."""
        self._weakness_told = False
        self._failed_path = ""
        self._exit_code: int | None = None

    # -- the loop ------------------------------------------------------------------------------------------------------
    def run(self) -> int:
        """Until a Finish."""
        try:
            self._begin()
            while self._exit_code is None:
                self._turn()
        finally:
            self._syntax.close()
        return self._exit_code

    def _begin(self) -> None:
        """The command starts at once; the tree is looked at while it does. `since` makes up for the order. But the
        marks of fanotify are there at once, and if they are before the start, nothing has to be made up for."""
        self._clock = SetBack()
        since = file_time()
        rules = rules_for(self._job, self._command)
        chosen = self._job.settings
        if chosen.backend == FANOTIFY:
            self._watch(rules, since)
        if chosen.clear:
            self._report.clear()
        what = " ".join(rules.suffixes) or "every file that is not ignored"
        self._report.monitoring(self._job.shown_root, what, chosen.postpone)
        self._serving.begin(forks(self._command.argv))
        self._handle(life.Begin(), time.monotonic())
        if chosen.backend != FANOTIFY:
            self._watch(rules, since)
        self._syntax.meet(rules.programs, rules.files, self._serving.imported)
        possible = (self._signals, self._runner, self._backend, self._syntax, self._serving)
        sources = [source for source in possible if source.fileno() >= 0]
        # epoll rounds a timeout up to whole milliseconds, select(2) takes no descriptor above 1023.
        fine = max(source.fileno() for source in sources) < FD_SETSIZE
        self._selector = selectors.SelectSelector() if fine else selectors.DefaultSelector()
        for source in sources:
            self._selector.register(source.fileno(), selectors.EVENT_READ, source)

    def _watch(self, rules: Rules, since: int) -> None:
        """Open the backend."""
        from autoreload.watched import watch

        started = self._job.settings.backend != FANOTIFY
        opened = watch(self._job, self._command, rules, self._runner.spare, since, started)
        self._scope, self._elsewhere, self._backend, self._content = opened
        self._checks.at_work = opened.elsewhere.at_work
        if opened.content is not None:
            self._checks.compare_with(opened.content)
            opened.content.met = self._syntax.met
        warmth.prepare(self._runner, self._job, opened.elsewhere)
        if opened.content is not None and not self._job.settings.no_use_check:
            self._checks.unused = warmth.Unused(
                self._runner, self._lifecycle, opened.content, self._report, self._remove_stale_bytecode
            )

    def _turn(self) -> None:
        """Wait, then hear everybody. The backend comes before the runner, so that a start which the runner's news
        allow is made in the knowledge of every change that happened before it."""
        ready = {key.data for key, _ in self._selector.select(self._timeout())}
        if self._signals in ready:
            self._hear_signals(time.monotonic())
        now = time.monotonic()  # after a Ctrl-Z, that is much later
        self._hear_of_clock(self._clock.by())
        self._hear_backend(now)
        if self._content is not None:
            self._content.told(self._backend.told_until())
        for notice in self._backend.notices():
            self._report.notice(notice.what, notice.remedy, notice.detail)
        for broken in self._scope.take_broken():
            self._report.notice(broken, "that line is passed over", detail=False)
        self._syntax.work(self._content_has_time)
        self._hear_debounce(now)
        self._hear_runner(self._runner.read(), now)
        if self._runner.weak and not self._weakness_told:
            self._weakness_told = True
            self._report.notice(self._runner.weak, "", detail=False)
        self._hear_clock(now)
        self._serving.work(now, self._lifecycle.ending)
        if self._content is not None:
            self._read_contents(self._content, not ready)

    @property
    def _content_has_time(self) -> bool:
        """Is there nothing better to do than to read files? Nothing is to come between a save and its start."""
        at_rest = self._lifecycle.state in (life.State.IDLE, life.State.RUNNING)
        return at_rest and self._checks.phase is Phase.QUIET and self._slow_stop_at is None

    def _read_contents(self, content: Content, idle: bool) -> None:
        if idle and self._content_has_time:
            content.work(time.monotonic())
        if content.complete and self._loading.rest is not None and not self._content_told:
            self._content_told = True
            self._report.detail(f"the command is at rest, the content of {len(content)} files is known")

    def _timeout(self) -> float | None:
        now = time.monotonic()
        moments = (
            self._checks.deadline(),
            self._content.deadline() if self._content is not None and self._content_has_time else None,
            self._syntax.deadline(),
            self._loading.deadline(),
            self._serving.deadline(),
            self._lifecycle.deadline(),
            self._backend.deadline(),
            self._runner.deadline(),
            self._slow_stop_at,
            self._ahead.deadline(),
            self._recheck_at,
        )
        nearest = min((moment for moment in moments if moment is not None), default=None)
        return None if nearest is None else max(0.0, nearest - now)

    # -- what happens --------------------------------------------------------------------------------------------------
    def _hear_clock(self, now: float) -> None:
        if _is_due(self._runner.deadline(), now):
            self._hear_runner(self._runner.step(now), now)
        if _is_due(self._lifecycle.deadline(), now):
            self._handle(life.Ticked(), now)
        if _is_due(self._loading.deadline(), now):
            self._loading.sample(activity.sample(self._runner.guard), now, file_time())
            if self._loading.rest is not None:
                self._rested(self._loading.rest, now)
        if _is_due(self._recheck_at, now):
            self._recheck_at = None
            if self._scope.recheck():
                self._rejudge()
        self._ahead.step(now, self._content)
        if _is_due(self._slow_stop_at, now):
            self._slow_stop_at = None
            if not self._lifecycle.ending:
                left = self._job.settings.stop_timeout - SLOW_STOP
                self._report.slow_stop(self._debounce.changed(), left, self._serving.is_answering)

    def _rested(self, moment: int, now: float) -> None:
        """The command has been at rest since that moment, in file time."""
        if self._content is not None:
            self._content.rested(moment)
        self._hear_runner(self._runner.rested(self._loading.seconds), now)
        self._hint.rested(self._loading.seconds)

    def _hear_signals(self, now: float) -> None:
        for number, code, _ in self._signals.read():
            if number == signal.SIGCHLD:
                self._hear_runner(self._runner.reap(), now)
            elif number == signal.SIGTSTP:
                self._terminal.suspend()
            elif number in ENDING:
                # A hangup is sent to the leader of the session alone, which we may be.
                told_all = number == signal.SIGINT and code == SI_KERNEL
                self._handle(life.Interrupted(number, from_terminal=told_all), now)
            elif code != SI_KERNEL:  # what the terminal sends, the command has got itself
                self._runner.forward(number)

    def _hear_of_clock(self, set_back: int) -> None:
        if set_back:
            self._backend.clock_set_back(set_back)
            if self._content is not None:
                self._content.distrust()
            self._report.notice(
                f"the clock was set back by {set_back / 1e9:.3g} s: every change counts until the next start",
                "",
                detail=True,
            )

    def _hear_backend(self, now: float) -> None:
        changes = self._backend.read(now)
        if changes and self._scope.unsure:
            self._recheck_at = now + RECHECK
            if self._scope.recheck():
                self._rejudge()
        for change in changes:
            self._hear_change(change, now)

    def _rejudge(self) -> None:
        """Other folders matter from here on, of whose files nothing was heard so far."""
        self._backend.rejudge()
        if self._content is not None:
            self._content.forget()

    def _hear_change(self, change: Change, now: float) -> None:
        """From the backend through the filter to the debounce."""
        path = change.path
        if self._scope.reread(path):
            self._rejudge()
        if self._content is not None:
            self._content.heard(change)
        if path.endswith(SOURCES):
            self._sources.add(path)
            self._ahead.changed(now)
        counts, reason = self._scope.judge(path)
        if counts and self._habits.is_output(path):
            counts, reason = False, "the command itself writes it in each run"
        if counts and change.pid and self._family.owns(change.pid, self._runner.guard, now):
            counts, reason = False, "the command itself wrote it"
            if path not in self._own:
                self._own.add(path)
                self._report.own_write(path)
        if counts:
            self._changed_at = now
            if change.synthesized:
                self._found_at = file_time()
            self._habits.changed(path)
            self._debounce.add(change, now)
            self._syntax.heard(change)
            self._ahead.changed(now)
        elif change.kind not in (Kind.OPENED, Kind.MODIFIED):
            self._explain(change, reason)

    def _explain(self, change: Change, reason: str) -> None:
        """If asked for; once for each file and reason between two starts: a log may grow by the second."""
        if self._job.settings.explain and (change.path, reason) not in self._told:
            self._told.add((change.path, reason))
            self._report.not_counted(change.path, change.kind, reason)

    def _hear_debounce(self, now: float) -> None:
        before = self._checks.phase
        committed = self._stopped or self._lifecycle.state is life.State.STOPPING
        running = self._lifecycle.state in (life.State.STARTING, life.State.RUNNING)
        searching = is_searching(self._found_at, self._backend, len(self._debounce.changed()))
        if self._checks.look(now, committed, running, searching) is not before:
            self._handle(life.Changing(self._checks.phase), now)

    def _hear_runner(self, told: list[events.Event], now: float) -> None:
        for event in told:
            if isinstance(event, events.GuardLost):
                self._handle(life.GuardLost(), now)
            elif isinstance(event, events.Emptied):
                self._slow_stop_at = None
                self._handle(life.Emptied(event.token), now)
            elif isinstance(event, warmth.News):
                warmth.tell(event, self._report, self._job.settings.explain)
            elif isinstance(event, events.Stuck):
                self._report.stuck(event.processes, self._lifecycle.ending)
                self._handle(life.Stuck(), now)
            elif event.run == self._run:  # else it is news of an earlier start
                self._hear_of_run(event, now)

    def _hear_of_run(self, event: events.Started | events.Failed | events.Exited, now: float) -> None:
        if isinstance(event, events.Started):
            self._hint.pid = event.pid
            after = f", {(now - self._changed_at) * 1000:.0f} ms after the last change" if self._changed_at else ""
            self._report.detail(f"Process {event.pid} started: {self._command.shown}{after}")
            self._handle(life.Started(), now)
            self._syntax.started()
            self._serving.started(now)
        elif isinstance(event, events.Failed):
            self._failed_path = event.what
            if self._content is not None:
                self._content.failed()
            self._handle(life.Failed(event.errno, event.fresh), now)
        else:
            self._hear_backend(now)  # what it wrote in the end is known before that it ended
            self._handle(life.Exited(event.code), now)

    # -- what is to be done --------------------------------------------------------------------------------------------
    def _handle(self, happened: life.Input, now: float) -> None:
        for action in self._lifecycle.handle(happened, now):
            self._do(action, now)

    def _do(self, action: life.Action, now: float) -> None:
        if isinstance(action, life.Start):
            self._start(action, now)
        elif isinstance(action, life.Stop):
            self._slow_stop_at = now + SLOW_STOP
            self._ahead.stopping(now)
            self._stopped = True
            self._serving.stop(action, now, self._lifecycle.ending)
        elif isinstance(action, life.Kill):
            self._serving.kill(action.token)
        elif isinstance(action, life.TellExit):
            self._habits.exited()
            if action.code and self._content is not None:
                self._content.failed(but=self._debounce.pending())
            self._terminal.restore()  # else Ctrl-C might not be a signal any more, while a change is waited for
            self._report.exited(action.code, action.seconds, action.state, action.delay)
            self._serving.ended(how_it_ended(action.code), well=not action.code)
        elif isinstance(action, life.TellFailure):
            self._tell_failure(action)
        elif isinstance(action, life.TellEnding):
            self._report.ending(action.signal, action.alive)
        else:
            self._exit_code = action.code

    def _tell_failure(self, action: life.TellFailure) -> None:
        self._serving.ended(f"could not be executed: {os.strerror(action.errno)}")
        if self._failed_path == self._command.directory:
            self._report.directory_gone(self._failed_path, action.errno, action.state)
        else:
            self._report.failed(self._command.shown, self._failed_path, action.errno, action.state)

    def _start(self, action: life.Start, now: float) -> None:
        burst = self._debounce.take(now)
        self._checks.started()
        self._run = action.run
        self._slow_stop_at = None
        self._found_at = 0
        self._stopped = False
        self._told.clear()
        self._content_told = False
        self._family.forget()
        self._terminal.restore()
        if self._job.settings.clear and action.cause is not life.Cause.FIRST:
            self._report.clear()
        self._report.restart(action.cause, burst, first=action.run == 1)
        self._learn(burst, now)
        self._remove_stale_bytecode()
        changed = warmth.were_there(burst, self._content)
        if self._content is not None:
            self._content.started(self._ahead.started())
        self._syntax.starting()
        self._serving.starting()
        self._loading.started(now)
        self._hint.started(action.cause is life.Cause.CHANGE and not self._runner.weak)
        self._runner.start(action.run, changed if action.cause is life.Cause.CHANGE else None)

    def _learn(self, burst: Iterable[str], now: float) -> None:
        advice = self._habits.starting(tuple(burst), now)
        self._debounce.space_starts(advice.spacing)
        if advice.repeating:
            self._report.repeating(advice.repeating, TOLD_AFTER)
        for path in advice.outputs:
            self._report.output(path)

    def _remove_stale_bytecode(self) -> None:
        if not self._sources:
            return
        sources = self._backend.links.names(self._sources)
        self._sources = self._sources if self._ahead.is_held_up else set()  # then the old program may still write some
        for path, code in self._elsewhere.remove_stale(sources, os.environ, self._command.directory):
            self._report.stale_bytecode(path, os.strerror(code))


def _is_due(deadline: float | None, now: float) -> bool:
    return deadline is not None and now >= deadline
