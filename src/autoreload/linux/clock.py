"""The clock that file times are read from."""

from __future__ import annotations

import time

_CLOCK_REALTIME_COARSE = 5
"""linux/time.h; the `time` module does not name it."""


def file_time() -> int:
    """Now, as a file that changes now would have it: nanoseconds since the epoch.

    File times are those of the last tick (clock_gettime(2), CLOCK_REALTIME_COARSE): older than CLOCK_REALTIME by up to
    some milliseconds, never older than this.
    """
    return time.clock_gettime_ns(_CLOCK_REALTIME_COARSE)
