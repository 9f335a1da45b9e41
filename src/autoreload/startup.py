"""What has to happen first, and fast: the command is understood, signals become inputs, the guard is on its way.

The rest of the tool is imported while the guard boots.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from autoreload.errors import EXIT_FAILED, UserError
from autoreload.process.command import resolve
from autoreload.process.runner import Runner
from autoreload.process.terminal import Terminal
from autoreload.signals import take

if TYPE_CHECKING:
    from autoreload.job import Job


def run(job: Job) -> int:
    """Do the job until something ends it. Returns the exit code. Raises UserError before anything is started."""
    command = resolve(job.command, job.directory, os.environ)
    signals, mask = take()  # before anything is started
    terminal = Terminal()
    runner = Runner(command, terminal, mask)
    try:
        from autoreload.report import Report
        from autoreload.session import Session

        report = Report.for_level(job.settings.quiet, job.settings.verbose, os.environ, job.directory)
        session = Session(job, command, report, signals, runner, terminal)
        try:
            return session.run()
        except UserError:
            raise
        except Exception as error:  # a bug of ours must not leave the command behind
            report.bug(error)
            return EXIT_FAILED
    finally:
        runner.close()
        terminal.restore()
