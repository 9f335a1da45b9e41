"""The signals that are inputs of the loop."""

from __future__ import annotations

import signal

from autoreload.linux.signalfd import SignalFd

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PASSED_ON = (signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH)


def take() -> tuple[SignalFd, set[int]]:
    """Block them, to be read from a descriptor; and the mask of before, which the command is to find again.

    What autoreload was started to ignore (SIGHUP under nohup(1)) stays ignored. SIGTTOU is blocked besides: a line of
    ours may appear while the command has the terminal for itself, and would stop us there (tostop in termios(3)).
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
    wanted = [number for number in (*ENDING, *PASSED_ON, signal.SIGTSTP) if signal.getsignal(number) != signal.SIG_IGN]
    return SignalFd((*wanted, signal.SIGCHLD)), {int(number) for number in mask}
