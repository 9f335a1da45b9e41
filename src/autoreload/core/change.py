"""What a backend says about the disk, in the terms the decision is made in."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Kind(Enum):
    """What happened to a file. Only `OPENED` and `MODIFIED` are unfinished: more is expected to follow."""

    WRITTEN = "written"
    """Closed after having been open for writing."""
    APPEARED = "appeared"
    """There, and complete: moved in, linked, a symlink, or found by looking at the disk."""
    VANISHED = "vanished"
    """Deleted or moved out."""
    OPENED = "opened"
    """Created and not closed yet: half a file."""
    MODIFIED = "modified"
    """Written to and not closed yet; also truncate(2), which never closes anything."""


class Change(NamedTuple):
    """One thing that happened to one file. Directories are never told of: a backend tells of the files in them."""

    kind: Kind
    path: str
    """Absolute; bytes that are not UTF-8 as surrogates (os.fsdecode)."""
    synthesized: bool = False
    """Found by looking at the disk, not told by the kernel."""
    pid: int = 0
    """Of the process that did it; 0: nobody knows."""
