"""Is a file that was just created complete, or will its writer close it?"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Hashable

from autoreload.core.change import Kind

DOUBT = 0.02
"""s that a created file which nobody seems to write has until it counts as complete."""


class Doubts:
    """Files created, and perhaps complete."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[Hashable, tuple[float, str]] = {}
        """When to look again (monotonic s), and the path."""

    def judge(self, key: Hashable, path: str, written: bool, now: float) -> Kind | None:
        """What to tell of a name that was made; None: nothing.

        `key`: what `settle` will be called with. `written`: events say that it is being written, so it will be closed.
        """
        if written:
            return Kind.OPENED
        try:
            info = os.lstat(path)
        except OSError:
            return None  # gone again, its event follows
        if stat.S_ISLNK(info.st_mode) or (stat.S_ISREG(info.st_mode) and info.st_nlink > 1):
            return Kind.APPEARED
        if not stat.S_ISREG(info.st_mode):
            return None
        if info.st_size:
            # Not empty, and nobody wrote to it: made complete, by link(2) and unlink(2) of the other name, or by
            # O_TMPFILE and linkat(2). Or the events of the writer come just now.
            self._waiting[key] = now + DOUBT, path
        return Kind.OPENED

    def settle(self, key: Hashable) -> None:
        """Another event told of it."""
        if self._waiting:
            self._waiting.pop(key, None)

    def resolve(self, now: float, tell: Callable[[Kind, str, bool], None]) -> None:
        """Tell that those are complete which nobody has written to."""
        for key, (due, path) in list(self._waiting.items()):
            if due <= now:
                del self._waiting[key]
                if os.path.lexists(path):
                    tell(Kind.APPEARED, path, True)

    def deadline(self) -> float | None:
        """When to `resolve`."""
        return min((due for due, _ in self._waiting.values()), default=None)
