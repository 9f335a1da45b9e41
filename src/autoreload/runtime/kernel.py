"""The few calls of the kernel that Python has no name for: prctl(2), signalfd(2), and pidfd_open(2) in some builds.

As in linux/libc.py of the tool, `_ctypes` is used without `ctypes`: it is much less to import.
"""

from __future__ import annotations

import posix
from _ctypes import (
    FUNCFLAG_CDECL,
    FUNCFLAG_USE_ERRNO,
    CFuncPtr,
    _SimpleCData,
    addressof,
    dlopen,
    dlsym,
    get_errno,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    _Value = _SimpleCData[Any]
else:
    _Value = _SimpleCData

PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36
"""Kept by exec, not handed on by fork."""
_SFD_FLAGS = 0o2004000
"""SFD_CLOEXEC | SFD_NONBLOCK."""
_SYS_PIDFD_OPEN = 434
"""The same on every machine."""
_CHILD_FAULTS = 8
"""After the name. exec keeps it."""
_SIGINFO = 128
_SIGNALS = 64


class _Int(_Value):
    _type_ = "i"


class _ULong(_Value):
    _type_ = "L"


class _Bytes(_Value):
    _type_ = "z"


class Number(_Value):
    """64 bits that stay where they are."""

    _type_ = "Q"

    def address(self) -> int:
        """Where they are."""
        return addressof(self)


class _Function(CFuncPtr):
    _flags_ = FUNCFLAG_CDECL | FUNCFLAG_USE_ERRNO
    _restype_ = _Int


def _function(name: str) -> _Function:
    return _Function(dlsym(dlopen(None, 0), name))  # type: ignore[arg-type]


_prctl = _function("prctl")
_signalfd = _function("signalfd")
_syscall = _function("syscall")


def _checked(result: int) -> int:
    if result == -1:
        raise OSError(get_errno(), posix.strerror(get_errno()))
    return result


def inherit_orphans(yes: bool) -> None:
    """Be (or no longer be) the parent of every descendant that loses its own. OSError: it is denied."""
    zero = _ULong(0)
    _checked(_prctl(_Int(PR_SET_CHILD_SUBREAPER), _ULong(1 if yes else 0), zero, zero, zero))


def leave_no_core() -> None:
    """This process dumps no core when a signal kills it."""
    zero = _ULong(0)
    _prctl(_Int(PR_SET_DUMPABLE), zero, zero, zero, zero)


def signal_descriptor() -> int:
    """A descriptor that is readable when a signal is pending, whichever: all must be blocked. OSError: denied."""
    return _checked(_signalfd(_Int(-1), _Bytes(b"\xff" * (_SIGNALS // 8) + bytes(120)), _Int(_SFD_FLAGS)))


def pending(descriptor: int) -> list[tuple[int, int]]:
    """(signal, si_code) of each that was pending; they no longer are."""
    try:
        data = posix.read(descriptor, 16 * _SIGINFO)
    except BlockingIOError:
        return []
    found = []
    for start in range(0, len(data), _SIGINFO):
        # struct signalfd_siginfo: ssi_signo, ssi_errno, ssi_code, each 4 bytes
        number = int.from_bytes(data[start : start + 4], "little")
        code = int.from_bytes(data[start + 8 : start + 12], "little", signed=True)
        found.append((number, code))
    return found


_open = posix.open
"""Before anybody replaced it, see opened.py."""


def open_read_only(path: str) -> int:
    """A descriptor of that file, and nobody takes note of it."""
    return _open(path, posix.O_RDONLY | posix.O_CLOEXEC)


def content(path: str) -> bytes:
    """What a file of /proc holds, or any other. `open` may be somebody else's by now. OSError: it cannot be read."""
    descriptor = open_read_only(path)
    try:
        parts: list[bytes] = []
        while True:
            part = posix.read(descriptor, 1 << 16)
            if not part:
                return b"".join(parts)
            parts.append(part)
    finally:
        posix.close(descriptor)


def faults_of_children() -> int:
    """Minor page faults of the children that were waited for: 0 if there were none. See proc(5), /proc/PID/stat.
    exec keeps it."""
    return int(content("/proc/self/stat").rpartition(b")")[2].split()[_CHILD_FAULTS])


def process_descriptor(pid: int) -> int:
    """A descriptor that is readable once the process is dead. OSError: Linux before 5.3, or denied."""
    opened = getattr(posix, "pidfd_open", None)
    if opened is not None:
        return int(opened(pid))
    return _checked(_syscall(_ULong(_SYS_PIDFD_OPEN), _Int(pid), _Int(0)))
