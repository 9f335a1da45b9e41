"""epoll(7) of other processes: what they watch, and how to take something out of that."""

import fcntl
import os

from autoreload.linux.libc import Int, Pointer, checked, function
from autoreload.linux.pidfd import take

EPOLL_CTL_DEL = 2
_EPOLL = "anon_inode:[eventpoll]"
_HIGH = 512
"""Where a descriptor of ours is put aside."""


def watched(pid: int) -> list[tuple[int, int, int]]:
    """(number of the epoll descriptor, number that is watched, its inode), of all that the process has."""
    found = []
    folder = f"/proc/{pid}"
    try:
        names = os.listdir(f"{folder}/fd")
    except OSError:
        return []
    for name in names:
        try:
            if os.readlink(f"{folder}/fd/{name}") != _EPOLL:
                continue
            with open(f"{folder}/fdinfo/{name}") as file:
                found += [(int(name), *_target(line)) for line in file if line.startswith("tfd:")]
        except OSError:
            continue  # closed meanwhile
    return found


def _target(line: str) -> tuple[int, int]:
    """`tfd: 5 events: 19 data: 5  pos:0 ino:1a2b sdev:8`"""
    fields = line.replace(":", " ").split()
    return int(fields[1]), int(fields[fields.index("ino") + 1], 16)


def unwatch(pid: int, epoll: int, number: int, ours: int) -> bool:
    """Let that epoll of the process no longer watch its descriptor `number`, of which `ours` is a duplicate. False: it
    did not. OSError if the process may not be traced.

    The kernel looks for the file and for the number. So ours gets the number of theirs for a moment; what has it here
    is put aside: we are one thread, and nobody else sees it.
    """
    theirs = take(pid, epoll)
    try:
        aside = _put_aside(number)
        try:
            if number != ours:
                os.dup2(ours, number, inheritable=False)
            try:
                checked(function("epoll_ctl")(Int(theirs), Int(EPOLL_CTL_DEL), Int(number), Pointer(None)))
            except FileNotFoundError:
                return False
            return True
        finally:
            _put_back(number, aside, number == ours)
    finally:
        os.close(theirs)


def _put_aside(number: int) -> int:
    """A duplicate of what we have under that number; -1: nothing."""
    try:
        return fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, _HIGH)
    except OSError:
        return -1


def _put_back(number: int, aside: int, is_ours: bool) -> None:
    if aside >= 0:
        if not is_ours:
            os.dup2(aside, number, inheritable=False)
        os.close(aside)
    elif not is_ours:
        os.close(number)
