"""What is mounted where: /proc/self/mountinfo, proc_pid_mountinfo(5). No policy."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

MOUNTINFO = "/proc/self/mountinfo"
"""poll(2) tells POLLERR | POLLPRI when something was mounted or unmounted since it was read."""


class Mount(NamedTuple):
    """One line of it."""

    id: int
    parent: int
    device: str
    """major:minor, as st_dev of the files on it (not on btrfs)."""
    root: str
    """The directory within the file system that is mounted."""
    point: str
    """Where, absolute."""
    kind: str
    """The type of the file system, with its subtype, as in fuse.sshfs."""
    source: str
    options: str
    """Those of the file system, which are not those of this mount."""


def parse(text: str) -> list[Mount]:
    """The mounts, in the order they were made. A line that is not understood is left out."""
    found = []
    for line in text.splitlines():
        head, _, tail = line.partition(" - ")
        before, after = head.split(" "), tail.split(" ")
        if len(before) < 6 or len(after) < 2 or not (before[0].isdigit() and before[1].isdigit()):
            continue
        kind, source, options = (*after, "", "")[:3]
        found.append(
            Mount(
                int(before[0]),
                int(before[1]),
                before[2],
                _unescaped(before[3]),
                _unescaped(before[4]),
                _unescaped(kind),
                _unescaped(source),
                options,
            )
        )
    return found


def mounts() -> list[Mount]:
    """All that is mounted in this mount namespace; none where /proc is not there."""
    try:
        with open(MOUNTINFO, "rb") as file:
            return parse(os.fsdecode(file.read()))
    except OSError:
        return []


def mount_of(path: str, among: Iterable[Mount]) -> Mount | None:
    """The mount that `path` is on: absolute, without links. Of several mounts on one point it is the last."""
    best = None
    for mount in among:
        if is_below(path, mount.point) and (best is None or len(mount.point) >= len(best.point)):
            best = mount
    return best


def mounts_below(path: str, among: Iterable[Mount]) -> list[Mount]:
    """Those on a directory below `path`, and seen there: not covered by a later one."""
    all_mounts = list(among)
    found = []
    for mount in all_mounts:
        if mount.point != path and is_below(mount.point, path):
            seen = mount_of(mount.point, all_mounts)
            if seen is not None and seen.id == mount.id:
                found.append(mount)
    return found


def layers(mount: Mount) -> list[str]:
    """The directories that an overlay is made of, as they were named when it was mounted; none of other types.

    What is changed in them while it is mounted is not told to who watches the overlay (and may do anything:
    Documentation/filesystems/overlayfs.rst; in practice a file that was not opened through it yet shows the change).
    """
    found: list[str] = []
    if mount.kind != "overlay":
        return found
    for option in mount.options.split(","):
        name, _, value = option.partition("=")
        value = _unescaped(value)
        if name in ("upperdir", "lowerdir+", "datadir+"):
            found.append(value)
        elif name == "lowerdir":  # several, between colons; one in a name has a backslash before it
            found += [layer.replace("\0", ":") for layer in value.replace("\\:", "\0").split(":") if layer]
    return found


def is_below(path: str, folder: str) -> bool:
    """Is `path` this folder, or in it, however deep?"""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _unescaped(word: str) -> str:
    """Blanks, tabs, newlines and backslashes are octal in it."""
    if "\\" not in word:
        return word
    import re  # rarely needed

    return os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8)]), os.fsencode(word)))
