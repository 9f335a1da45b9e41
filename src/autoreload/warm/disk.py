"""What the tool itself asks the disk for the sake of snapshots. Where a file system may not answer, somebody else is to
be asked in its stead (elsewhere.py): nothing here may wait for it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

Signature = tuple[int, int, int, int]
"""What tells a changed file from the same: see runtime/used.py."""
UNKNOWN: Signature = (-1, -1, -1, -1)
"""Of what could not be asked in time: that of no file."""


class Disk:
    """The disk of this machine."""

    def signatures(self, paths: Sequence[str]) -> Mapping[str, Signature | None]:
        """That of each of these paths; None: there is no file."""
        return signatures(paths)

    def inode(self, path: str) -> tuple[int, int] | None:
        """Which file or folder this is; None: there is none."""
        try:
            status = os.stat(path)
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def exists(self, path: str) -> bool:
        """Is there anything?"""
        return os.path.exists(path)

    def head(self, path: str, most: int) -> bytes | None:
        """What the file begins with, at most so many bytes; None: nobody knows."""
        return head(path, most)

    def real(self, path: str) -> str:
        """The path without links, as far as that can be known here."""
        return os.path.realpath(path)

    def is_beyond(self, path: str) -> bool:
        """Does it lead to where nobody should look?"""
        return False


def signatures(paths: Sequence[str]) -> dict[str, Signature | None]:
    """See `Disk`."""
    found: dict[str, Signature | None] = {}
    for path in paths:
        try:
            status = os.stat(path)
            found[path] = status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino
        except OSError:
            found[path] = None
    return found


def head(path: str, most: int) -> bytes | None:
    """See `Disk`."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # not to wait for what is a pipe by now
    except OSError:
        return None
    try:
        with open(fd, "rb") as file:
            return file.read(most)
    except OSError:
        return None
