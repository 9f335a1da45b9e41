"""What the program waits for, as the kernel tells."""

from __future__ import annotations

from autoreload.linux import standing
from autoreload.warm.arrival import Wait


def wait_of(pid: int) -> Wait | None:
    """Of that process; None: it is gone."""
    try:
        return Wait(standing.awaited_lock(pid), standing.processor_time(pid)) if pid else None
    except OSError:
        return None
