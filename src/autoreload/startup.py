"""What has to happen first, and fast: the command is understood, signals become inputs, the guard is on its way.

The rest of the tool is imported while the guard boots.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from autoreload.errors import EXIT_FAILED, UserError
from autoreload.linux.signalfd import SignalFd
from autoreload.process.command import resolve
from autoreload.process.runner import Runner
from autoreload.process.terminal import Terminal

if TYPE_CHECKING:
    from autoreload.cli import Job

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PASSED_ON = (signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH)


def run(job: Job) -> int:
    """Do the job until something ends it. Returns the exit code. Raises UserError before anything is started."""
    command = resolve(job.command, job.directory, os.environ)
    # Blocked before anything is started: from here on a signal is an input of the loop. A line of ours may appear while
    # the command has the terminal for itself: then SIGTTOU would stop us (tostop in termios(3)).
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
    wanted = [number for number in (*ENDING, *PASSED_ON, signal.SIGTSTP) if signal.getsignal(number) != signal.SIG_IGN]
    signals = SignalFd((*wanted, signal.SIGCHLD))
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
