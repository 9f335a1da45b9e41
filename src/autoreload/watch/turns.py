"""Work for several, each of whom has its turn."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """Queues that are served one after another, an item each time."""

    __slots__ = ("_queues",)

    def __init__(self) -> None:
        self._queues: dict[int, deque[T]] = {}

    def __bool__(self) -> bool:
        return bool(self._queues)

    def add(self, key: int, item: T) -> None:
        """To the end of the queue of `key`."""
        self._queues.setdefault(key, deque()).append(item)

    def next(self) -> T:
        """The first one of the queue whose turn it is."""
        key = next(iter(self._queues))
        queue = self._queues.pop(key)
        item = queue.popleft()
        if queue:
            self._queues[key] = queue
        return item
