"""What is mounted at or below the roots: which of it has to be polled, and whether that has changed.

Nothing in here touches a file system of others, which may not answer: who asks it waits in the kernel, and not even
SIGKILL ends that at once. The way of a path is followed up to where such a one is mounted (a fence), and no further.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Collection, Sequence

from autoreload.linux.mounts import MOUNTINFO, Mount, is_below, layers, mount_of, mounts, mounts_below
from autoreload.watch.backend import Root

REMOTE = frozenset(
    # of another machine
    "nfs nfs4 cifs smb3 smbfs ncpfs afs ceph glusterfs lustre beegfs gpfs orangefs ocfs2 gfs2 coda "
    # of the host of a virtual machine; 9p is also what Windows drives are in WSL 2, drvfs in WSL 1
    "9p v9fs drvfs virtiofs vboxsf vmhgfs prl_fs fakeowner hostfs shfs".split()
)
"""Types of file systems that are changed from another side, of which nothing is sent here: inotify(7)."""
PSEUDO = frozenset(
    "proc sysfs cgroup cgroup2 devpts devtmpfs mqueue debugfs tracefs securityfs bpf pstore configfs fusectl hugetlbfs "
    "rpc_pipefs nsfs binfmt_misc efivarfs autofs ramfs".split()
)
"""Types of which there is nothing to watch."""
_MAX_LINKS = 40
"""As the kernel: path_resolution(7)."""


def is_remote(kind: str) -> bool:
    """Is such a file system changed from another side? `fuseblk` is a disk of this machine (ntfs-3g)."""
    return kind in REMOTE or kind == "fuse" or kind.startswith("fuse.")


def has_another_side(mount: Mount, stops: Collection[str] = ()) -> bool:
    """Can it be changed by whom the kernel does not tell us of?

    An overlay can, if a layer of it is within reach. Those of a container's own root directory are not: they are on the
    host, and nobody in the container can change them.
    """
    return is_remote(mount.kind) or any(_is_within_reach(layer, stops) for layer in layers(mount))


def _is_within_reach(layer: str, stops: Collection[str]) -> bool:
    real = real_path(layer, stops) if layer.startswith("/") else ""
    return any(is_below(real, stop) for stop in stops) or os.path.isdir(real)


def fences(table: Sequence[Mount]) -> dict[str, Mount]:
    """Where file systems of others are mounted, and can be seen; not what is below such a mount, nor the root itself:
    there would be nothing left on this side."""
    found: dict[str, Mount] = {}
    for mount in sorted(table, key=lambda mount: mount.point):
        if not is_remote(mount.kind) or mount.point == "/" or any(is_below(mount.point, fence) for fence in found):
            continue  # there may be thousands of mounts, as where containers run
        seen = mount_of(mount.point, table)
        if seen is not None and seen.id == mount.id:
            found[mount.point] = mount
    return found


def real_path(path: str, among: Collection[str]) -> str:
    """`path` without links, as far as no fence `among` these has to be crossed to find that out."""
    todo = [name for name in path.split("/")[::-1] if name not in ("", ".")]
    here, links = "", 0
    while todo:
        name = todo.pop()
        if name == "..":
            here = here.rpartition("/")[0]
            continue
        here += f"/{name}"
        if here in among:
            return os.path.normpath("/".join([here, *todo[::-1]]))
        try:
            target = os.readlink(here)
        except OSError:
            continue
        links += 1
        if links > _MAX_LINKS:
            break
        here = "" if target.startswith("/") else here.rpartition("/")[0]
        todo += [name for name in target.split("/")[::-1] if name not in ("", ".")]
    return here or "/"


def is_beyond(path: str, fences: Collection[str]) -> bool:
    """Does this path lead to where one of the `fences` is, or beyond it, be it by links?"""
    real = real_path(path, fences) if fences else ""
    return any(is_below(real, fence) for fence in fences)


class MountsWatch:
    """Tells when something is mounted or unmounted, anywhere."""

    def __init__(self) -> None:
        # poll(2) tells of a change once for each descriptor. One is for whoever waits, the other one for `changed`.
        self._waited, self._asked = _open(), _open()
        self._poll = select.poll()
        if self._asked >= 0:
            self._poll.register(self._asked, select.POLLPRI)

    def fileno(self) -> int:
        """Has an exceptional condition (POLLPRI) when something was mounted; -1 without /proc."""
        return self._waited

    def changed(self) -> bool:
        """Was something mounted or unmounted since the last call?"""
        return self._asked >= 0 and bool(self._poll.poll(0))

    def close(self) -> None:
        """Let go of the descriptors."""
        for descriptor in (self._waited, self._asked):
            if descriptor >= 0:
                os.close(descriptor)
        self._waited = self._asked = -1


class Mounted(MountsWatch):
    """The mounts that concern some roots."""

    def __init__(
        self, roots: Sequence[Root], table: Callable[[], list[Mount]] = mounts, aside: Collection[str] = ()
    ) -> None:
        """`table` gives all mounts. Those at and below the points in `aside` are somebody else's concern."""
        self._aside = aside
        self._roots = roots
        self._table = table
        self._points: dict[str, int] = {}
        self.remote: dict[Root, Mount] = {}
        """What has to be polled."""
        super().__init__()
        self.update()

    def update(self) -> list[str]:
        """Look again. Where something was mounted or unmounted below the roots, as paths below them; a root itself, if
        it is on another mount now."""
        full = self._table()
        table = [mount for mount in full if not any(is_below(mount.point, point) for point in self._aside)]
        stops = self._aside or fences(full)
        points: dict[str, int] = {}
        self.remote = {}
        for root in self._roots:
            real = real_path(root.path, stops)
            if any(is_below(real, point) for point in self._aside):
                continue
            around = mount_of(real, table)
            if around is not None:
                points[root.path] = around.id
            if around is not None and has_another_side(around, stops):
                self.remote[root] = around
            if root.single:
                continue
            for mount in mounts_below(real, table):
                if mount.kind not in PSEUDO:
                    told = root.path.rstrip("/") + mount.point[len(real.rstrip("/")) :]
                    points[told] = mount.id
                    if has_another_side(mount, stops) and not any(is_below(told, known.path) for known in self.remote):
                        self.remote[Root(told)] = mount
        before, self._points = self._points, points
        return sorted({point for point, _ in before.items() ^ points.items()})


def _open() -> int:
    try:
        return os.open(MOUNTINFO, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return -1
