"""Which sockets a process has open, as proc(5) tells."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable

_SOCKET = "socket:["


def sockets(pid: int, wanted: Collection[int] | None) -> dict[int, list[int]]:
    """Under which numbers the process has sockets with these inodes (None: all); nothing if it is gone, or another
    user's."""
    found: dict[int, list[int]] = {}
    folder = f"/proc/{pid}/fd"
    try:
        names = os.listdir(folder)
    except OSError:
        return found
    for name in names:
        try:
            target = os.readlink(f"{folder}/{name}")
        except OSError:
            continue  # closed meanwhile
        if not target.startswith(_SOCKET):
            continue
        inode = int(target[len(_SOCKET) : -1])
        if wanted is None or inode in wanted:
            found.setdefault(inode, []).append(int(name))
    return found


def open_in(pids: Iterable[int], wanted: Collection[int]) -> set[int]:
    """Which of the inodes one of the processes has."""
    return {inode for pid in pids for inode in sockets(pid, wanted)}
