"""What is held over the restarts of the command, and who answers there meanwhile."""

from __future__ import annotations

import os
from collections.abc import Iterable

from autoreload.core.page import Failure
from autoreload.linux.openfiles import open_in
from autoreload.sockets.answering import Answering
from autoreload.sockets.listening import Listening


class Holder:
    """The sockets of `--listen`, through the life of the command."""

    def __init__(self, listening: Listening) -> None:
        self._listening = listening
        self._answering = Answering()

    @property
    def passed(self) -> tuple[tuple[int, int], ...]:
        """Which the command is passed: (number here, number there)."""
        return self._listening.passed

    @property
    def shown(self) -> list[str]:
        """What they are bound to."""
        return self._listening.shown

    # -- for the loop --------------------------------------------------------------------------------------------------
    def fileno(self) -> int:
        """Readable when `work` has something to do."""
        return self._answering.fileno()

    def deadline(self) -> float | None:
        """When `work` wants to be called (monotonic seconds); None: no need."""
        return self._answering.deadline()

    def work(self, now: float) -> None:
        """Do what can be done without waiting."""
        self._answering.work(now)

    # -- the life of the command ---------------------------------------------------------------------------------------
    def starting(self) -> None:
        """It is about to be started: whoever comes from here on waits for it."""
        self._answering.end()

    def stopping(self) -> None:
        """It is about to be stopped."""
        self._listening.widen()

    def ended(self, failure: Failure, left: Iterable[int]) -> None:
        """It has ended by itself, or could not be started; these processes are left of it."""
        inodes = {os.fstat(number).st_ino for number, _ in self.passed}
        if not open_in(left, inodes):
            self._answering.begin(self._listening.sockets, failure)

    def close(self) -> None:
        """autoreload ends."""
        self._answering.close()
        self._listening.close()
