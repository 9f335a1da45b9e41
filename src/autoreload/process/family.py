"""Does a process belong to the command's own tree? Asked of who wrote a file, at the moment of hearing of it.

Everything that the command starts is below the guard, which inherits the orphans. Where that is denied they fall to
somebody else, and are strangers. A writer that is gone by the time it is asked about is a stranger too, unless it was
seen a short time ago: a stranger's change counts.
"""

from __future__ import annotations

from autoreload.linux import descendants

REMEMBERED = 2.0
"""Seconds that a process which is gone is remembered since it was seen last: its number may be given to another."""
MOST = 256
_DEEPEST = 1000


class Family:
    """Knows the processes below the guard, as far as they were asked about."""

    def __init__(self) -> None:
        self._seen: dict[int, float] = {}

    def forget(self) -> None:
        """A new tree begins."""
        self._seen.clear()

    def owns(self, pid: int, guard: int, now: float) -> bool:
        """Is it below the guard, for certain? `now`: monotonic seconds."""
        if not pid or not guard:
            return False
        below = _is_below(pid, guard)
        if below is None:
            return now < self._seen.get(pid, float("-inf")) + REMEMBERED
        self._seen.pop(pid, None)
        if below:
            if len(self._seen) >= MOST:
                del self._seen[next(iter(self._seen))]
            self._seen[pid] = now
        return below


def _is_below(pid: int, guard: int) -> bool | None:
    """None: nobody knows, for it is gone."""
    try:
        for _ in range(_DEEPEST):
            _, parent, _ = descendants.process(pid)
            if parent == guard:
                return True
            if parent <= 1:
                return False
            pid = parent
    except OSError:
        return None  # it, or one above it, ended meanwhile
    return False
