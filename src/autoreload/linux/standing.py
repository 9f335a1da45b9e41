"""What a process is doing, looked at from outside: proc(5). Where it cannot be seen, OSError."""

from __future__ import annotations

import os
import time
from signal import SIGCHLD

from autoreload.linux.descendants import children

_CPUCLOCK_SCHED = 2
"""The clock of the processor time of all threads of a process (clock_getcpuclockid(3), linux/posix-timers.h)."""
_FUTEX = {"x86_64": "202", "aarch64": "98", "riscv64": "98", "ppc64le": "221", "s390x": "238", "armv7l": "240"}
"""The number of futex(2), by machine."""
_CHILD_FAULTS = 8
"""Field of /proc/PID/stat after the name: page faults of children that were waited for."""


def awaited_lock(pid: int) -> str:
    """What lock its main thread waits for: its address and more, see futex(2). Empty: for none, or nobody knows."""
    try:
        number, *arguments = _text(f"/proc/{pid}/syscall").split()
    except (OSError, ValueError):
        return ""
    return " ".join(arguments) if number == _FUTEX.get(os.uname().machine) else ""


def processor_time(pid: int) -> float:
    """Seconds that all its threads have used so far. OSError: it is gone."""
    return time.clock_gettime(~pid << 3 | _CPUCLOCK_SCHED)


def executable(pid: int) -> str:
    """The path of what it executes, without links."""
    return os.readlink(f"/proc/{pid}/exe")


def words(pid: int) -> list[str]:
    """Its command line."""
    return _text(f"/proc/{pid}/cmdline").split("\0")[:-1]


def is_asleep(pid: int) -> bool:
    """Is each of its threads waiting for something that happens outside? Then none is in the middle of reading a file:
    who waits for a disk is in state D."""
    return all(_fields(f"/proc/{pid}/task/{thread}/stat")[0] == "S" for thread in os.listdir(f"/proc/{pid}/task"))


def was_alone(pid: int) -> bool:
    """Has it no children, and has it never had any that it waited for, or that the kernel did not keep for it?"""
    if children(pid) or int(_fields(f"/proc/{pid}/stat")[_CHILD_FAULTS]):
        return False
    for line in _text(f"/proc/{pid}/status").splitlines():
        if line.startswith("SigIgn:"):
            return not int(line.split()[1], 16) >> (SIGCHLD - 1) & 1
    return False


def sees_the_same(pid: int) -> bool:
    """Does a path lead it where it leads us?"""
    if os.readlink(f"/proc/{pid}/root") != os.readlink("/proc/self/root"):
        return False
    return os.readlink(f"/proc/{pid}/ns/mnt") == os.readlink("/proc/self/ns/mnt")


def open_files(pid: int) -> set[str]:
    """The paths of what it has open, without links."""
    found = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.add(os.readlink(f"/proc/{pid}/fd/{name}"))
        except FileNotFoundError:
            pass  # closed meanwhile
    return found


def number_at(pid: int, address: int) -> int:
    """The number of 64 bits at that address of its memory. It takes the right to trace it: ptrace(2)."""
    fd = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return int.from_bytes(os.pread(fd, 8, address), "little")
    finally:
        os.close(fd)


def _fields(path: str) -> list[str]:
    """After the name, which may hold blanks and parentheses."""
    fields = _text(path).rpartition(")")[2].split()
    if len(fields) <= _CHILD_FAULTS:
        raise ProcessLookupError(path)
    return fields


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
