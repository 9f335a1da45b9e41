"""Tells of a worker that failed (multiprocessing, as uvicorn and hypercorn start them): the parent goes on, or ends
without a word of it.

multiprocessing prints the exception, and then forgets it; it is looked at on its way to being printed.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_MARK = "--multiprocessing-fork"
"""The word with which it starts them."""


def is_worker() -> bool:
    """Is this process one of these? Those that are forked run no code of ours that could tell."""
    return _MARK in getattr(sys, "argv", ())


def watch(failed: Callable[[Exception], None]) -> None:
    """Call that before an exception ends this worker."""
    import traceback

    plain = traceback.print_exc

    def print_exc(*arguments: Any, **named: Any) -> None:
        if sys._getframe(1).f_code.co_name == "_bootstrap":
            error = sys.exc_info()[1]
            if isinstance(error, Exception):
                failed(error)
        plain(*arguments, **named)

    print_exc.__doc__, print_exc.__module__ = plain.__doc__, plain.__module__
    traceback.print_exc = print_exc
