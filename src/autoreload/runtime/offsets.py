"""Where in its open files the program is: an offset belongs to the open file, which all forks share (fork(2)).

What one of them reads, the next would not get to see. A pipe or a terminal has no offset; the standard streams are not
the program's own, and a new start would find them as they are.
"""

from __future__ import annotations

import os
from stat import S_ISDIR, S_ISREG


def save() -> list[tuple[int, int]]:
    """(descriptor, offset) of each file and folder that is open."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        if fd <= 2:
            continue
        try:
            mode = os.fstat(fd).st_mode
            if S_ISREG(mode) or S_ISDIR(mode):
                found.append((fd, os.lseek(fd, 0, os.SEEK_CUR)))
        except OSError:
            continue  # that of the listing itself
    return found


def give_back(saved: list[tuple[int, int]]) -> None:
    """In a child of the process that saved them, before anything else is opened."""
    for fd, offset in saved:
        try:
            os.lseek(fd, offset, os.SEEK_SET)
        except OSError:
            continue  # a folder of a file system that cannot
