"""Has something from outside come to the program? A new start would have to wait for it again.

So what came after a line that was typed, a signal, a debugger or a timer is no place for a snapshot: resumed, the
program would act as if it had come once more. Nobody tells of it, but a program that waits does not compute.
"""

from __future__ import annotations

import sys
from posix import times
from time import monotonic, process_time

from .kernel import content

TYPE_CHECKING = False
if TYPE_CHECKING:
    from signal import getsignal, valid_signals
    from typing import Any
else:
    from _signal import getsignal, valid_signals

LONG = 0.5
"""Seconds of waiting for one thing. What a start waits for, a disk or a server nearby, takes less."""
_OFTEN = 0.1
"""Seconds between two looks."""


class Waits:
    """Of one process of the program."""

    def __init__(self) -> None:
        self.over = False
        """Has it waited so long, once?"""
        self.begin()

    def begin(self) -> None:
        """What was before does not count."""
        self._at, self._idle = monotonic(), _idle()

    def look(self) -> None:
        """To be called often: what was waited for between two calls counts as one."""
        if self.over or monotonic() - self._at < _OFTEN:
            return
        before = self._idle
        self.begin()
        self.over = self._idle - before >= LONG


def _idle() -> float:
    """Seconds that this process has neither computed, nor had its children do so, nor waited for a processor."""
    _, _, by_children, by_children_in_kernel, _ = times()
    try:
        queued = int(content("/proc/self/schedstat").split()[1]) * 1e-9  # see proc(5)
    except (OSError, IndexError, ValueError):
        queued = 0.0
    return monotonic() - process_time() - by_children - by_children_in_kernel - queued


def handles_signal() -> bool:
    """Does this thread run a handler of a signal just now?"""
    handlers = {_code(getsignal(number)) for number in valid_signals()} - {None}
    frame = sys._getframe() if handlers else None
    while frame is not None:
        if frame.f_code in handlers:
            return True
        frame = frame.f_back
    return False


def _code(handler: Any) -> Any:
    """What of it would be on the stack; None: nothing that is known."""
    if not callable(handler):
        return None
    handler = getattr(handler, "func", handler)  # functools.partial
    return getattr(handler, "__code__", None) or getattr(type(handler).__call__, "__code__", None)
