"""pidfd_getfd(2): a duplicate of another process's descriptor. Linux 5.6.

It takes the right to trace that process: the same user, and where Yama restricts that (ptrace_scope 1) a descendant.
"""

import os

from autoreload.linux.libc import Int, ULong, checked, function

_SYS_PIDFD_GETFD = 438
"""The same on every architecture; glibc has a name for it since 2.36, musl has none."""


def take(pid: int, number: int) -> int:
    """A duplicate, close-on-exec, of what that process has under that number. OSError if that is not allowed."""
    process = os.pidfd_open(pid)
    try:
        syscall = function("syscall")
        return checked(syscall(ULong(_SYS_PIDFD_GETFD), Int(process), Int(number), ULong(0)))
    finally:
        os.close(process)
