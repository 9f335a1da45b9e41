"""The clock that file times are read from. It can be set, also back; what then."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

_CLOCK_REALTIME_COARSE = 5
"""linux/time.h; the `time` module does not name it."""
_CLOCK_MONOTONIC_COARSE = 6
_probe = -1
"""A file without a name; -1: there is none yet, -2: there can be none."""


def file_time() -> int:
    """Now, as a file that changes now would have it: nanoseconds since the epoch.

    File times are those of the last tick (clock_gettime(2), CLOCK_REALTIME_COARSE): older than CLOCK_REALTIME by up to
    some milliseconds, never older than this.
    """
    return time.clock_gettime_ns(_CLOCK_REALTIME_COARSE)


def changed_from_now() -> int:
    """The latest moment that is known to be no later than the ctime of any file that changes from now on.

    As `file_time`, or, since Linux 6.13, nearly the present: there a file that was looked at in this tick and changes
    again gets the time of that very moment, and no file that changes later, wherever, gets an older one ("multigrain
    timestamps").
    """
    global _probe
    if _probe == -1:
        try:
            _probe = os.memfd_create("clock")
        except (OSError, AttributeError):
            _probe = -2
    if _probe < 0:
        return file_time()
    try:
        for mode in (0o600, 0o700):  # the first gets the time of the tick
            os.fchmod(_probe, mode)
            changed = os.fstat(_probe).st_ctime_ns
    except OSError:
        return file_time()
    return max(changed, file_time())


class SetBack:
    """Notices that the clock of file times was set back.

    Every moment that was taken down before is too late then: what changes from now on seems to be older. Set forward,
    or after a suspend, it is only as if much time had passed, which does no harm. Both clocks stand still between two
    ticks, and are slowed down or sped up together (adjtimex(2)), so their distance changes only when one is set, which
    the monotonic one cannot be, or stands still in a suspend.
    """

    def __init__(self, read: Callable[[int], int] = time.clock_gettime_ns) -> None:
        """`read`: clock_gettime(2), ns."""
        self._read = read
        self._distance = self._measured()

    def by(self) -> int:
        """By how much since the last call, ns; 0: it was not."""
        before, self._distance = self._distance, self._measured()
        return max(0, before - self._distance)

    def _measured(self) -> int:
        before = self._read(_CLOCK_MONOTONIC_COARSE)
        while True:
            there = self._read(_CLOCK_REALTIME_COARSE)
            now = self._read(_CLOCK_MONOTONIC_COARSE)
            if now == before:
                return there - now
            before = now  # a tick has come in between
