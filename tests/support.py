"""What tests of real processes share."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeVar

T = TypeVar("T")


def eventually(condition: Callable[[], T | Literal[False] | None], within: float = 10.0, what: str = "") -> T:
    """Wait until the condition is truthy, and return what it was; fail after `within` seconds.

    A limit that is reached is a failed test, so it may be generous: it costs nothing when all is well.
    """
    limit = time.monotonic() + within
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > limit:
            raise AssertionError(f"not within {within} s: {what or condition}")
        time.sleep(0.005)


def survivors(mark: str) -> list[int]:
    """Pids of the living processes that have `mark` in their environment, which every descendant inherits."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if mark.encode() in Path(f"/proc/{name}/environ").read_bytes():
                    found.append(int(name))
            except OSError:
                pass  # gone meanwhile
    return found


def command_line(pid: int) -> str:
    """The words of a process, empty if it is gone or a zombie."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def state(pid: int) -> str:
    """`R`, `S`, `D`, `T`, `Z`; empty if the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""


def end_all(mark: str) -> None:
    """Kill what has the mark, until nothing has."""

    def none_left() -> bool:
        left = survivors(mark)
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return not left

    eventually(none_left, what=f"an end of {mark}")
