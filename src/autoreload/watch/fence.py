"""Where no link may lead: what is no folder of files, and what may keep whoever looks at it waiting."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from autoreload.linux.mounts import Mount, mount_of, mounts
from autoreload.watch.mounted import PSEUDO, is_remote

NO_FILES = frozenset(("/proc", "/sys", "/dev"))
"""Whatever is mounted there."""


class Fence:
    """What may be looked at for the sake of a link. Asks the table of mounts only, never the file systems."""

    def __init__(self, table: Callable[[], list[Mount]] = mounts, closed: Collection[str] = ()) -> None:
        """`table` gives all mounts. `closed`: mount points that are somebody else's concern."""
        self._table = table
        self._closed = closed
        self._open: dict[str, bool] | None = None
        self._remote: frozenset[str] = frozenset()

    def forget(self) -> None:
        """Something may have been mounted: read the table anew when it is needed."""
        self._open = None

    def build(self, reals: Iterable[str]) -> None:
        """Read the table. File systems of other machines stand open if one of these paths (without links) is on them:
        those are looked at all the same."""
        table = self._table()
        used = {mount.id for mount in (mount_of(real or "/", table) for real in reals) if mount is not None}
        self._remote = frozenset(mount.point.rstrip("/") for mount in table if is_remote(mount.kind))
        self._open = dict.fromkeys(NO_FILES, False)
        for mount in table:  # of several on one point, the last one is seen
            self._open[mount.point.rstrip("/")] = (
                mount.point not in NO_FILES
                and mount.kind not in PSEUDO
                and mount.point not in self._closed
                and (mount.id in used or not is_remote(mount.kind))
            )

    @property
    def built(self) -> bool:
        """Is the table known?"""
        return self._open is not None

    def allows(self, path: str) -> bool:
        """May it be looked at? Absolute, its parent without links."""
        return (self._open or {}).get(self._point(path), True)

    def is_remote(self, path: str) -> bool:
        """Is it on a file system that is changed from another side?"""
        return self._point(path) in self._remote

    def _point(self, path: str) -> str:
        """Where what it is on is mounted."""
        points = self._open or {}
        path = path.rstrip("/")
        while path and path not in points:
            path = path[: path.rfind("/")]
        return path
