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
        if "listen" in parts:
            _take_sockets(parts["listen"])
        if "sockets" in parts:
            from .children import pass_on
            from .crash import watch
            from .sockets import install

            link = install(parts["sockets"])
            watch(lambda text, handled: link.ask("h" if handled else "t", text))
            pass_on({"guard": parts["guard"], "sockets": parts["sockets"]})
        if "warm" in parts:
            _warm(parts["warm"], _is_command(os.getppid(), parts["guard"]))
    except Exception:
        return


def _take_sockets(passed: list[tuple[int, int]]) -> None:
    """Each by its number and its inode. Behind a shell they were passed to that: sd_listen_fds(3) wants the pid of the
    process that takes them."""
    try:
        if all(os.fstat(number).st_ino == inode for number, inode in passed) and "LISTEN_PID" in os.environ:
            os.environ["LISTEN_PID"] = str(os.getpid())
    except OSError:
        return  # the shell has closed one


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
    program = os.path.basename(os.readlink("/proc/self/exe"))
    if "python" not in program:
        return f"Python is embedded in {program}"
    if os.geteuid() != told["user"]:
        return "it runs as another user"
    if told["strict"] and faults != told.get("before", {"faults": 0})["faults"]:
        return "other programs ran before Python did"
    if getattr(sys.flags, "warn_default_encoding", 0):
        return "-X warn_default_encoding hides what is opened"
    if getattr(sys, "argv", [""])[0] in ("", "-"):
        return "the program comes from the standard input"
    return ""
