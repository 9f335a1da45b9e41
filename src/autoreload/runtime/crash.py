"""Tells of the exception that ended the program: clients see it where they would see the page.

Python notes it in `sys` before it prints it; at the exit it is read from there. So sys.excepthook is the program's own.
Others (gunicorn) write it to their log, and call sys.exit while they handle it: that is noted too.
"""

from __future__ import annotations

import atexit
import os
import sys

from . import workers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

LONGEST = 7000
"""Bytes that are told: the last ones."""


def watch(tell: Callable[[str, bool], object]) -> None:
    """At the exit, if there was an exception, `tell` what Python shows of it, and whether it was handled. The first to
    be registered is the last to be called."""
    handled: list[str] = []
    atexit.register(_look, tell, handled)
    try:
        from .builtin import stand_in
    except ImportError:  # no _ctypes
        return
    plain = sys.exit
    is_worker = workers.is_worker()
    if is_worker:
        workers.watch(lambda error: _tell(tell, _shown(error), True))

    def leave(*arguments: Any) -> None:
        error = sys.exc_info()[1]
        if isinstance(error, Exception) and arguments not in ((), (None,), (0,)):
            handled[:] = [_shown(error)]  # not the exception, which would hold what it has seen
            if is_worker:  # while it still has the socket
                _tell(tell, handled.pop(), True)
        plain(*arguments)

    sys.exit = stand_in(plain, leave)


def _look(tell: Callable[[str, bool], object], handled: list[str]) -> None:
    error = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)  # the former since 3.12
    if isinstance(error, Exception):  # Ctrl-C is no news
        _tell(tell, _shown(error), False)
    elif handled:
        _tell(tell, handled[0], True)


def _tell(tell: Callable[[str, bool], object], text: str, was_handled: bool) -> None:
    if text:
        tell(text.encode("utf-8", "backslashreplace")[-LONGEST:].decode("utf-8", "ignore"), was_handled)


def _shown(error: Exception) -> str:
    """Empty: it cannot be shown."""
    try:
        from traceback import TracebackException

        shown = TracebackException(type(error), error, error.__traceback__)
        _clean(shown, os.path.dirname(os.path.abspath(__file__)) + os.sep)
        return "".join(shown.format())
    except Exception:
        return ""


def _clean(shown: Any, ours: str) -> None:
    """Without frames of ours."""
    while shown is not None:
        shown.stack[:] = [frame for frame in shown.stack if not frame.filename.startswith(ours)]
        if shown.__cause__ is not None:
            _clean(shown.__cause__, ours)
        shown = shown.__context__
