"""Changes waiting to be told."""

from __future__ import annotations

import os
from collections.abc import Callable

from autoreload.core.change import Change, Kind

REMEMBERED = 4096
"""Files that a `RememberingOutbox` keeps in mind."""


class Outbox:
    """Keeps changes in order, and those that repeat the last one told of a file only once."""

    __slots__ = ("_changes", "_last")

    def __init__(self) -> None:
        self._changes: list[Change] = []
        self._last: dict[str, tuple[Kind, int]] = {}

    def tell(self, kind: Kind, path: str, synthesized: bool = False, pid: int = 0) -> None:
        """Add a change, unless it says again what was said last of this path, of the same process."""
        if self._last.get(path) != (kind, pid):
            self._last[path] = kind, pid
            self._changes.append(Change(kind, path, synthesized, pid))

    def last(self, path: str) -> Kind | None:
        """What was told of it last, if that is still waiting."""
        told = self._last.get(path)
        return told[0] if told is not None else None

    def take(self) -> list[Change]:
        """All of them; none is left."""
        changes, self._changes = self._changes, []
        if changes:
            self._last = {}
        return changes


class RememberingOutbox(Outbox):
    """Keeps in mind which files were told to be there, the latest ones."""

    __slots__ = ("_there",)

    def __init__(self) -> None:
        super().__init__()
        self._there: dict[str, None] = {}

    def tell(self, kind: Kind, path: str, synthesized: bool = False, pid: int = 0) -> None:
        """As any outbox."""
        super().tell(kind, path, synthesized, pid)
        self._there.pop(path, None)
        if kind is not Kind.VANISHED:
            self._there[path] = None
            if len(self._there) > REMEMBERED:
                del self._there[next(iter(self._there))]

    def verify(self, tell_truth: Callable[[str], None]) -> None:
        """Call `tell_truth` with each that is not there any more."""
        for path in [path for path in self._there if not os.path.lexists(path)]:
            tell_truth(path)
