"""What polling keeps in mind of a root, and what is done where the file system does not say what is there."""

from __future__ import annotations

import errno
import os
from typing import NamedTuple

from autoreload.watch.backend import Root
from autoreload.watch.known import Known
from autoreload.watch.signature import Doubt

AWAY = frozenset(
    (
        errno.ENOTCONN,
        errno.ECONNABORTED,
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.EIO,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ETIMEDOUT,
    )
)
"""What a file system answers whose daemon died (FUSE), or whose server is not reached (SMB, NFS mounted `soft`)."""
UNKNOWN = AWAY | {errno.EMFILE, errno.ENFILE, errno.ENOMEM}
"""What says nothing of what is there; of a single file also if the disk is broken."""


class Away(Exception):
    """The file system cannot say what is there, so that what is known of it stays."""


def unless_away(error: OSError) -> None:
    """Raise `Away` if this error says nothing of what is there."""
    if error.errno in UNKNOWN:
        raise Away


def keep(path: str, root: Root, tree: Tree) -> None:
    """What is known of this file or folder stays; if nothing is to be found out about the root either, of everything.
    Else one broken file would keep all others from being looked at. Raises `Away`."""
    identity(root.path, follow=True)
    tree.away = True
    tree.kept.append(path)


class Tree:
    """What is known of a root."""

    __slots__ = ("away", "folders", "kept", "since", "single")

    def __init__(self, since: int) -> None:
        self.since: int | None = since
        """Until the first look is over."""
        self.away = False
        """Could something not be looked at the last time?"""
        self.kept: list[str] = []
        """What that was."""
        self.folders: Known[Doubt | None] = Known(None)
        self.single = False
        """Of what is behind a link: is it a file?"""


class Folder(NamedTuple):
    """A folder to look at, and the way to it."""

    path: str
    above_key: tuple[int, int] | None
    above: Folder | None

    def is_below(self, key: tuple[int, int]) -> bool:
        """Is a folder above it this one?"""
        folder: Folder | None = self
        while folder is not None:
            if folder.above_key == key:
                return True
            folder = folder.above
        return False


def identity(path: str, follow: bool) -> tuple[int, int] | None:
    """Which file or folder this is; None: there is none. Raises `Away`."""
    try:
        info = os.stat(path, follow_symlinks=follow)
    except OSError as error:
        unless_away(error)
        return None
    return info.st_dev, info.st_ino
