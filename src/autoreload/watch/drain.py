"""Reading the kernel's queue of events."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from autoreload.linux.clock import file_time

Event = TypeVar("Event")


def drain(read: Callable[[int], bytes], parse: Callable[[bytes], list[Event]], most: int) -> tuple[list[Event], int]:
    """Events, about `most` bytes of them; and the time before the queue was found to be empty (ns), else 0.

    The clock is CLOCK_REALTIME_COARSE, that of file times: CLOCK_REALTIME is up to a tick ahead of them. `read`: as
    `Inotify.read`.
    """
    events: list[Event] = []
    size = 0
    while size < most:
        moment = file_time()
        try:
            data = read(most)
        except BlockingIOError:
            return events, moment
        size += len(data)
        events += parse(data)
    return events, 0
