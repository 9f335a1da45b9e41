"""Tells of the exception that ended the program: clients see it where they would see the page.

Python notes it in `sys` before it prints it; at the exit it is read from there. So sys.excepthook is the program's own.
"""

from __future__ import annotations

import atexit
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

LONGEST = 7000
"""Bytes that are told: the last ones."""


def watch(tell: Callable[[str], object]) -> None:
    """At the exit, if there was an exception, `tell` what Python shows of it. The first to be registered is the last
    to be called."""
    atexit.register(_look, tell)


def _look(tell: Callable[[str], object]) -> None:
    error = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)  # the former since 3.12
    if not isinstance(error, Exception):
        return  # Ctrl-C is no news
    try:
        text = _shown(error)
    except Exception:
        return
    tell(text.encode("utf-8", "backslashreplace")[-LONGEST:].decode("utf-8", "ignore"))


def _shown(error: Exception) -> str:
    from traceback import TracebackException

    shown = TracebackException(type(error), error, error.__traceback__)
    _clean(shown, os.path.dirname(os.path.abspath(__file__)) + os.sep)
    return "".join(shown.format())


def _clean(shown: Any, ours: str) -> None:
    """Without frames of ours."""
    while shown is not None:
        shown.stack[:] = [frame for frame in shown.stack if not frame.filename.startswith(ours)]
        if shown.__cause__ is not None:
            _clean(shown.__cause__, ours)
        shown = shown.__context__
