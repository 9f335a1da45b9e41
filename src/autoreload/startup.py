"""What has to happen first, and fast: the command is understood, signals become inputs, the guard is on its way.

The rest of the tool is imported while the guard boots.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from autoreload.errors import EXIT_FAILED, UserError
from autoreload.process.command import resolve
from autoreload.process.runner import Runner
from autoreload.process.terminal import Terminal
from autoreload.signals import take

if TYPE_CHECKING:
    from autoreload.job import Job
    from autoreload.process.command import Command
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
    signals, mask = take()  # before anything is started
    terminal = Terminal()
    plain = Runner(command, terminal, mask)
    runner: Runner | WarmRunner = plain
    try:
        if job.settings.warm:
            runner = _warm(plain, job, command)
        from autoreload.report import Report
        from autoreload.session import Session

        report = Report.for_level(job.settings.quiet, job.settings.verbose, os.environ, job.directory)
        session = Session(job, command, report, signals, runner, terminal)
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
    from autoreload.warm.injection import Terms
    from autoreload.warm.runner import WarmRunner

    number = signal.Signals["SIG" + job.settings.signal]
    strict = runs_shell(command.argv, command.directory, os.environ)
    terms = Terms(number, job.roots, command.directory, strict, memory=job.settings.warm_memory)
    return WarmRunner(runner, terms, runner.environ)
