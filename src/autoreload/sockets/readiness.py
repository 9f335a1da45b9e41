"""When does the command serve? When one of its processes watches a socket, or waits in accept(2)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from autoreload.linux import epoll, openfiles, waiting

FIRST, SLOWER, LONGEST = 0.01, 1.25, 0.25
"""Seconds from the start to the first look; each pause is so many times as long as the one before, at most so long."""
GIVE_UP = 60.0
"""Seconds after which nobody looks any more."""


class Readiness:
    """One start."""

    def __init__(self, started: float) -> None:
        """`started`: when, monotonic seconds."""
        self._started = started
        self._until = started + GIVE_UP
        self._pause = FIRST
        self.look_at: float | None = started + FIRST
        """When `serves` wants to be asked; None: no need."""

    def renew(self, now: float) -> None:
        """A part of it begins anew."""
        self._until, self._pause, self.look_at = now + GIVE_UP, FIRST, now + FIRST

    def accepted(self, now: float) -> float:
        """It has told so itself: the seconds that it took."""
        return now - self._started

    def serves(self, inodes: Collection[int], tree: Callable[[], Iterable[int]], now: float) -> float | None:
        """The seconds that it took until it serves on one of these sockets; None: it does not yet, as far as that can
        be seen. `tree`: its processes."""
        if self.look_at is None or now < self.look_at:
            return None
        self._pause = min(self._pause * SLOWER, LONGEST)
        self.look_at = now + self._pause if now < self._until else None
        if not any(_serves(pid, inodes) for pid in tree()):
            return None
        self.look_at = None
        return now - self._started


def _serves(pid: int, inodes: Collection[int]) -> bool:
    found = openfiles.sockets(pid, inodes)
    if not found:
        return False
    if any(inode in inodes for _, _, inode in epoll.watched(pid)):
        return True
    return waiting.waits(pid, {number for numbers in found.values() for number in numbers})
