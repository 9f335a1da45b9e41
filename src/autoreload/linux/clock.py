"""The clock that file times are read from."""

from __future__ import annotations

import os
import time

_CLOCK_REALTIME_COARSE = 5
"""linux/time.h; the `time` module does not name it."""
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
