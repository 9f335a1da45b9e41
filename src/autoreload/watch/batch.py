"""What one handful of events says, put together before the disk is looked at."""

from __future__ import annotations

from autoreload.linux.inotify import IN_CLOSE_WRITE, IN_MODIFY, Event
from autoreload.watch.roots import Anchor
from autoreload.watch.tree import Node

_WRITING = IN_MODIFY | IN_CLOSE_WRITE


class Batch:
    """What came out of one handful of events."""

    __slots__ = ("_events", "_written", "anchors", "marked", "targets", "touched", "uncertain")

    def __init__(self, events: list[Event]) -> None:
        self._events = events
        self._written: set[tuple[int, str]] | None = None
        self.targets: dict[tuple[int, str], list[tuple[Node, str]]] = {}
        self.marked: dict[tuple[Node, str], int] = {}
        """Names of directories to look at, and what the events said."""
        self.anchors: dict[Anchor, bool] = {}
        """Roots to look up again, and whether they may have been away meanwhile."""
        self.touched: set[Node] = set()
        """Roots in which a name came or went."""
        self.uncertain: dict[tuple[Node, str], str] = {}
        """Files to look at before their last event is believed, and the path of each."""

    def written(self) -> set[tuple[int, str]]:
        """The files that events say are being written."""
        if self._written is None:
            self._written = {(wd, name) for wd, mask, name in self._events if mask & _WRITING}
        return self._written
