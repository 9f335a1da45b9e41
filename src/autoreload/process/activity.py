"""What the command's processes do, looked at from outside."""

from __future__ import annotations

import time

from autoreload.core.loading import Sample
from autoreload.linux import descendants

_BUSY = ("R", "D")
"""It runs or could; it waits for a disk: proc(5)."""
_CPUCLOCK_SCHED = 2
"""The clock of the processor time of all threads of a process (clock_getcpuclockid(3), linux/posix-timers.h)."""


def sample(guard: int) -> Sample:
    """Of all processes below the guard. Busy, where nobody knows."""
    used: dict[int, float] = {}
    busy = False
    try:
        todo = descendants.children(guard)
        while todo:
            pid = todo.pop()
            busy = busy or descendants.process(pid)[0] in _BUSY
            used[pid] = time.clock_gettime(~pid << 3 | _CPUCLOCK_SCHED)
            todo += descendants.children(pid)
    except (OSError, descendants.NoProc):  # one of them ended just now, or there are no lists
        busy = True
    return Sample(used, busy)
