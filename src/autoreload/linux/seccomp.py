"""seccomp_unotify(2): calls of bind and listen are seen, and may be answered, by another process. Linux 5.9.

Every other system call goes on as ever. The filter is inherited by all that is started, and cannot be removed; whoever
may not trace everybody has to give up the right to gain others (no_new_privs: sudo does not work below it).
"""

import fcntl
import os
import struct
from typing import NamedTuple

from autoreload.linux.libc import Int, Pointer, ULong, checked, function

_MACHINES = {"x86_64": (0xC000003E, 317, 49, 50), "aarch64": (0xC00000B7, 277, 200, 201)}
"""AUDIT_ARCH_*, and the numbers of seccomp, bind and listen."""
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _NOTIFY = 0x7FFF0000, 0x7FC00000
_AT_NUMBER, _AT_ARCHITECTURE = 0, 4
"""Offsets in struct seccomp_data."""
_SET_MODE_FILTER = 1
_NEW_LISTENER = 8
_PR_SET_NO_NEW_PRIVS = 38
_RECEIVE, _SEND, _ADD_DESCRIPTOR = 0xC0502100, 0xC0182101, 0x40182103
_SET_DESCRIPTOR = 1
_GO_ON = 1
_NOTIFICATION = 80


class Call(NamedTuple):
    """One that waits for its answer."""

    identity: int
    task: int
    """Who makes it: a thread."""
    is_listen: bool
    """Else it is bind."""
    descriptor: int
    pointer: int
    length: int


def watch() -> int:
    """From here on the calls of this process, and of all that it becomes and starts, are told through the descriptor
    that is returned. OSError where that is not possible."""
    architecture, seccomp, bind, listen = _machine()
    code = b"".join(
        struct.pack("=HBBI", *step)
        for step in (
            (_LOAD, 0, 0, _AT_ARCHITECTURE),
            (_JUMP_IF_EQUAL, 0, 4, architecture),
            (_LOAD, 0, 0, _AT_NUMBER),
            (_JUMP_IF_EQUAL, 1, 0, bind),
            (_JUMP_IF_EQUAL, 0, 1, listen),
            (_RETURN, 0, 0, _NOTIFY),
            (_RETURN, 0, 0, _ALLOW),
        )
    )
    import ctypes

    steps = ctypes.create_string_buffer(code, len(code))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(code) // 8, ctypes.addressof(steps)))
    call = function("syscall")
    arguments = (ULong(seccomp), ULong(_SET_MODE_FILTER), ULong(_NEW_LISTENER), Pointer(ctypes.addressof(program)))
    try:
        return checked(call(*arguments))
    except PermissionError:
        checked(function("prctl")(Int(_PR_SET_NO_NEW_PRIVS), ULong(1), ULong(0), ULong(0), ULong(0)))
        return checked(call(*arguments))


def receive(number: int) -> Call:
    """The next call. OSError: whoever made it has died."""
    data = bytearray(_NOTIFICATION)
    fcntl.ioctl(number, _RECEIVE, data)
    identity, task, _ = struct.unpack_from("=QII", data)  # struct seccomp_notif
    (nr,) = struct.unpack_from("=i", data, 16)
    descriptor, pointer, length = struct.unpack_from("=QQQ", data, 32)
    return Call(identity, task, nr == _machine()[3], descriptor & 0xFFFFFFFF, pointer, length & 0xFFFFFFFF)


def answer(number: int, call: Call, goes_on: bool) -> None:
    """Let it go on, or say that it has succeeded. OSError: whoever made it has died."""
    fcntl.ioctl(number, _SEND, struct.pack("=QqiI", call.identity, 0, 0, _GO_ON if goes_on else 0))


def replace(number: int, call: Call, ours: int, inherited: bool) -> None:
    """Put a duplicate of this descriptor of ours in the place of the one that the call is about. `inherited`: by what
    its process executes."""
    how = 0 if inherited else os.O_CLOEXEC
    fcntl.ioctl(
        number, _ADD_DESCRIPTOR, struct.pack("=QIIII", call.identity, _SET_DESCRIPTOR, ours, call.descriptor, how)
    )


def _machine() -> tuple[int, int, int, int]:
    try:
        return _MACHINES[os.uname().machine]
    except KeyError:
        raise OSError(38, "seccomp is not known on this machine") from None
