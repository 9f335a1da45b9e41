"""Who may stand between the guard and the command: `uv run`, which starts it as a child and waits for it.

It passes signals and the exit status on, and when the command has ended, so does it. All snapshots are below it. Only
who is known to run nothing else is let through: the command of `sh -c` may be followed by another.
"""

from __future__ import annotations

import os

from .kernel import content

_PARENT = 1
"""Field of /proc/PID/stat after the name."""
_DEPTH = b"UV_RUN_RECURSION_DEPTH"
"""Counted up by `uv run` for the command, and for nothing that it runs before, such as what builds the project."""


def stands_between(pid: int, guard: int) -> bool:
    """Is that parent of this process such a wrapper, and the guard its own parent?"""
    try:
        fields = content(f"/proc/{pid}/stat").rpartition(b")")[2].split()
        return (
            int(fields[_PARENT]) == guard
            and os.path.basename(os.readlink(f"/proc/{pid}/exe")) == "uv"
            and _children(pid) == [os.getpid()]
            and os.environb.get(_DEPTH) not in (None, _environment(pid).get(_DEPTH))
        )
    except (OSError, ValueError, IndexError):
        return False


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        found += map(int, content(f"/proc/{pid}/task/{thread}/children").split())
    return found


def _environment(pid: int) -> dict[bytes, bytes]:
    """With which it was started."""
    pairs = (pair.partition(b"=") for pair in content(f"/proc/{pid}/environ").split(b"\0"))
    return {name: value for name, _, value in pairs}
