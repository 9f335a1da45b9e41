"""What has to happen first, and fast: the command is understood, signals become inputs, the guard is on its way.

The rest of the tool is imported while the guard boots.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from autoreload.errors import EXIT_FAILED, UserError
from autoreload.process.command import resolve
from autoreload.process.recognise import lets_runtime_in
from autoreload.process.runner import Runner
from autoreload.process.terminal import Terminal
from autoreload.signals import take

ALWAYS = "always"

if TYPE_CHECKING:
    from autoreload.job import Job
    from autoreload.linux.signalfd import SignalFd
    from autoreload.process.command import Command
    from autoreload.process.injection import Injection
    from autoreload.process.overlap import OverlapRunner
    from autoreload.sockets.holder import Holder
    from autoreload.warm.runner import WarmRunner


def run(job: Job) -> int:
    """Do the job until something ends it. Returns the exit code. Raises UserError for what a person can mend; nothing
    is started then, or it has ended."""
    try:
        return _run(job)
    except OSError as error:
        if error.errno != errno.EMFILE:
            raise
        raise UserError(f"autoreload cannot run: {error.strerror}", "raise `ulimit -n`") from None


def _run(job: Job) -> int:
    command = resolve(job.command, job.directory, os.environ)
    holder = _listen(job) if job.settings.listen else None
    errors = job.settings.show_errors
    try:
        signals, mask = take()  # before anything is started
        terminal = Terminal()
        address, before = _seen() if job.settings.keep_sockets == ALWAYS else ("", ())
        plain = Runner(command, terminal, mask, holder.passed if holder else (), before)
        runner: Runner | OverlapRunner = plain
        if job.settings.overlap:
            holder, runner = _overlap(holder or _holder(errors), plain)
        lets_in = command.is_python and not job.settings.no_keep_sockets and lets_runtime_in(command.argv)
        if before or lets_in:
            holder = _keep(holder or _holder(errors), runner, plain.injection if lets_in else None, address)
        return _run_with(job, command, signals, runner, terminal, holder)
    finally:
        if holder:
            holder.close()


def _listen(job: Job) -> Holder:
    from autoreload.sockets.holder import Holder
    from autoreload.sockets.listening import listen

    return Holder(listen(job.settings.listen, os.environ), job.settings.show_errors)


def _holder(show_errors: bool) -> Holder:
    """Of no sockets yet."""
    from autoreload.sockets.holder import Holder
    from autoreload.sockets.listening import Listening

    return Holder(Listening(), show_errors)


def _seen() -> tuple[str, tuple[bytes, ...]]:
    """The address of the keeper, and what is executed before the command so that its calls are seen there."""
    from autoreload.process.launcher import words
    from autoreload.sockets.keeper import an_address

    address = an_address()
    return address, words(address)


def _overlap(holder: Holder, plain: Runner) -> tuple[Holder, OverlapRunner]:
    from autoreload.process.overlap import OverlapRunner

    holder.is_awaited = True
    if "NOTIFY_SOCKET" not in os.environ:  # else somebody else is to be told
        plain.injection.variables[b"NOTIFY_SOCKET"] = holder.listen_for_ready().encode()
    return holder, OverlapRunner(plain)


def _keep(holder: Holder, runner: Runner | OverlapRunner, injection: Injection | None, address: str) -> Holder:
    from autoreload.linux.descendants import under
    from autoreload.sockets.keeper import Keeper

    keeper = Keeper(lambda: under(runner.guard), lambda: runner.guards, address)
    if injection:
        injection.add("sockets", lambda: keeper.address)
        injection.add("listen", lambda: holder.told)
    holder.keep_with(keeper)
    return holder


def _run_with(
    job: Job,
    command: Command,
    signals: SignalFd,
    started: Runner | OverlapRunner,
    terminal: Terminal,
    holder: Holder | None,
) -> int:
    runner: Runner | OverlapRunner | WarmRunner = started
    try:
        if job.settings.warm and isinstance(started, Runner):
            runner = _warm(started, job, command)
        from autoreload.report import Report
        from autoreload.session import Session

        report = Report.for_level(job.settings.quiet, job.settings.verbose, os.environ, job.directory)
        session = Session(job, command, report, signals, runner, terminal, holder)
        try:
            return session.run()
        except UserError:
            raise
        except Exception as error:  # a bug of ours must not leave the command behind
            if isinstance(error, OSError) and error.errno == errno.EMFILE:
                raise
            report.bug(error)
            return EXIT_FAILED
    finally:
        try:
            runner.close()
        finally:
            terminal.restore()


def _warm(runner: Runner, job: Job, command: Command) -> WarmRunner:
    import signal

    from autoreload.process.recognise import runs_shell
    from autoreload.warm.runner import WarmRunner
    from autoreload.warm.terms import Terms

    number = signal.Signals["SIG" + job.settings.signal]
    strict = runs_shell(command.argv, command.directory, os.environ)
    terms = Terms(number, job.roots, command.directory, strict, memory=job.settings.warm_memory)
    return WarmRunner(runner, terms)
