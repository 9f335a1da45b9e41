"""What memory is free, and what a process takes: proc(5), cgroups(7). Sizes are bytes."""

from __future__ import annotations

import os

_CGROUPS = "/sys/fs/cgroup"
_V2 = ("memory.max", "memory.current", "inactive_file")
_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_UNLIMITED = 1 << 60
"""Version 1 writes a number near 2**63 where there is no limit."""


def free() -> int | None:
    """What may still be used without swapping, by the machine and by our control groups; None: nobody knows."""
    found = [left for left in (_available(), *_left_in_groups()) if left is not None]
    return max(0, min(found)) if found else None


def proportional(pid: int) -> int | None:
    """The memory of a process; of what it shares with n others, 1/(n+1). None: it is gone, or nobody may know."""
    return _field(_text(f"/proc/{pid}/smaps_rollup"), "Pss:")


def _available() -> int | None:
    return _field(_text("/proc/meminfo"), "MemAvailable:")


def _left_in_groups() -> list[int | None]:
    """In ours and each above it, as far as they can be seen: in a container that is its own alone."""
    left = []
    for line in _text("/proc/self/cgroup").splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0":
            top, names = _CGROUPS, _V2
        elif "memory" in controllers.split(","):
            top, names = f"{_CGROUPS}/memory", _V1
        else:
            continue
        folder = os.path.normpath(top + path)
        while folder.startswith(top):
            left.append(_left_in(folder, *names))
            folder = os.path.dirname(folder)
    return left


def _left_in(folder: str, limit: str, usage: str, cached: str) -> int | None:
    """None: it has no limit. What is cached of files, and was not used of late, is given up before it is reached."""
    try:
        most, used = int(_text(f"{folder}/{limit}")), int(_text(f"{folder}/{usage}"))
    except ValueError:
        return None
    if most >= _UNLIMITED:
        return None
    for line in _text(f"{folder}/memory.stat").splitlines():
        name, _, value = line.partition(" ")
        if name == cached:
            used -= int(value)
    return most - used


def _field(text: str, name: str) -> int | None:
    """In kB, as the kernel writes it: these are 1024 bytes."""
    for line in text.splitlines():
        if line.startswith(name):
            return int(line.split()[1]) << 10
    return None


def _text(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
