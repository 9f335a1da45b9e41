"""Does a process wait for a connection? As /proc/PID/task/TID/syscall tells: proc(5).

It takes the right to trace that process, as pidfd_getfd(2) does.
"""

import os
import struct
from collections.abc import Collection

_CALLS = {
    # accept, accept4; poll, ppoll; select, pselect6
    "x86_64": ((43, 288), (7, 271), (23, 270)),
    "aarch64": ((202, 242), (73,), (72,)),
}
_POLLFD = struct.Struct("=ihh")
_MOST = 4096
"""Descriptors that are looked at, of those that are polled."""


def waits(pid: int, numbers: Collection[int]) -> bool:
    """Is a thread of it in accept(2), poll(2) or select(2) with one of these descriptors? False if nobody tells."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return False
    return any(_thread_waits(pid, thread, numbers) for thread in threads)


def _thread_waits(pid: int, thread: str, numbers: Collection[int]) -> bool:
    accept, poll, select = _CALLS.get(os.uname().machine, ((), (), ()))
    try:
        with open(f"/proc/{pid}/task/{thread}/syscall", encoding="ascii") as file:
            words = file.read().split()
        if len(words) < 4:  # `running`
            return False
        call, first, second = int(words[0]), int(words[1], 16), int(words[2], 16)
        if call in accept:
            return first in numbers
        if call in poll:
            polled = _memory(pid, first, _POLLFD.size * min(second, _MOST))
            return any(number in numbers for number, _, _ in _POLLFD.iter_unpack(polled))
        if call in select and second:
            bits = _memory(pid, second, first // 8 + 1)
            return any(number < first and bits[number // 8] >> number % 8 & 1 for number in numbers)
    except (OSError, ValueError, OverflowError, struct.error):
        pass  # it is gone, may not be looked at, or is no longer there
    return False


def _memory(pid: int, address: int, size: int) -> bytes:
    with open(f"/proc/{pid}/mem", "rb", 0) as file:
        return os.pread(file.fileno(), size, address)
