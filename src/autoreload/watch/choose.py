"""Which backend: the best that works here."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Sequence

from autoreload.core.change import Change
from autoreload.watch.backend import Backend, Interest, Notice, Root
from autoreload.watch.inotify import InotifyBackend
from autoreload.watch.notices import descriptors_notice, instances_notice, limit_notice, refused_notice
from autoreload.watch.polling import PollingBackend


def open_backend(roots: Sequence[Root], interest: Interest, since: int) -> Backend:
    """A backend for `roots` that works here, however badly; its notices say how badly.

    `since`: CLOCK_REALTIME_COARSE (ns), read before the command was started.
    """
    try:
        return CombinedBackend(roots, interest, since)
    except OSError as error:
        return PolledBackend(roots, interest, since, _why(error))


def _why(error: OSError) -> Notice:
    """EMFILE is both "this user has max_user_instances" and "this process has no descriptor left" (inotify_init(2))."""
    if error.errno != errno.EMFILE:
        return refused_notice(errno.errorcode.get(error.errno or 0, str(error)))
    try:
        os.close(os.open("/", os.O_PATH))
    except OSError:
        return descriptors_notice(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    return instances_notice()


class PolledBackend(PollingBackend):
    """Polls, and says once why."""

    def __init__(self, roots: Sequence[Root], interest: Interest, since: int, why: Notice) -> None:
        super().__init__(roots, interest, since)
        self._why: Notice | None = why

    def notices(self) -> list[Notice]:
        """Why it polls; then as any polling backend."""
        why, self._why = self._why, None
        return ([why] if why is not None else []) + super().notices()


class CombinedBackend:
    """Watches with inotify, and polls what the limit of watches leaves over."""

    def __init__(self, roots: Sequence[Root], interest: Interest, since: int) -> None:
        """OSError as for `InotifyBackend`."""
        self._polling = PollingBackend((), interest, since)
        self._inotify = InotifyBackend(roots, interest, since, spill=self._polling)
        self._limit_told = False

    def fileno(self) -> int:
        """That of inotify."""
        return self._inotify.fileno()

    def deadline(self) -> float | None:
        """The earlier one."""
        times = [time for time in (self._inotify.deadline(), self._polling.deadline()) if time is not None]
        return min(times, default=None)

    def read(self, now: float) -> list[Change]:
        """What both have to tell."""
        return self._inotify.read(now) + self._polling.read(now)

    def told_until(self) -> int:
        """The earlier one."""
        return min(self._inotify.told_until(), self._polling.told_until())

    def rejudge(self) -> None:
        """Both judge again."""
        self._inotify.rejudge()
        self._polling.rejudge()

    def notices(self) -> list[Notice]:
        """Those of both, and one about the limit of watches once it is known how much that concerns."""
        notices = self._inotify.notices() + self._polling.notices()
        polled = self._polling.directories
        if polled and not self._limit_told and self._polling.complete and self._inotify.deadline() != 0.0:
            self._limit_told = True
            notices.append(limit_notice(polled, polled=True))
        return notices

    def close(self) -> None:
        """Both."""
        self._inotify.close()
        self._polling.close()
