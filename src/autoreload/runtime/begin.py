"""The first step of the runtime, once it has been let in: is it to do anything here, and which of its parts?"""

from __future__ import annotations

import os
import sys
from marshal import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def begin(told: str) -> None:
    """`told`: what the tool put into the environment, as hexadecimal digits.

    Returns in the program; a fault of ours leaves it cold.
    """
    try:
        parts = loads(bytes.fromhex(told))
        if "warm" in parts:
            _warm(parts["warm"], _is_command(os.getppid(), parts["guard"]))
    except Exception:
        return


def _is_command(parent: int, guard: int) -> bool:
    if parent == guard:
        return True
    from .wrapper import stands_between

    return stands_between(parent, guard)


def _warm(told: dict[str, Any], is_command: bool) -> None:
    from .protocol import note

    why = _unfit(told) if is_command else "another program started Python"
    if why:
        note(told["address"], "refused", why, "")
        return
    from . import main
    from .finder import Finder
    from .program import Program

    program = Program(told)
    program.used.folders()
    program.point("root", "")
    # From here on there may be another process. If there is none, there cannot be any later: leave all as it is.
    if program.depth:
        program.watch()
        sys.meta_path.insert(0, Finder(program))
        main.prepare(program)
    sys.path_importer_cache.pop(os.path.dirname(__file__), None)


def _unfit(told: dict[str, Any]) -> str:
    """Why there can be no snapshots of this program; empty: there can."""
    try:
        from . import kernel

        os.close(kernel.process_descriptor(os.getpid()))
        os.close(kernel.signal_descriptor())
        faults = kernel.faults_of_children()
        kernel.content("/proc/self/task/" + str(os.getpid()) + "/children")
    except ImportError:
        return "this Python has no _ctypes"
    except OSError as error:
        return f"the kernel does not let a snapshot do its work ({error.strerror})"
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        return "this Python is free-threaded"
    if os.geteuid() != told["user"]:
        return "it runs as another user"
    if told["strict"] and faults != told.get("before", {"faults": 0})["faults"]:
        return "other programs ran before Python did"
    return ""
