"""Threads that Python knows nothing of: whose are they?

A fork copies only the thread that calls it. Some libraries provide for that (pthread_atfork) and were seen to work in
the child; with any other a snapshot is refused. Whose thread it is, its stack tells: the libraries that the return
addresses on it lead to.
"""

from __future__ import annotations

import posix
import sys
from _thread import get_native_id
from time import monotonic, sleep

from .kernel import content, open_read_only
from .quiet import quietly

KNOWN = ("libscipy_openblas", "libopenblas", "libiomp5", "libomp", "libmkl", "libarrow", "_multiarray_umath")
"""Parts of the names of libraries whose threads survive a fork."""
_ALWAYS_THERE = ("libc.", "libc-", "libpthread", "ld-", "libpython", "python", "libm.", "libm-", "libgcc", "libstdc++")
_LARGEST = 8192
_WORD = 8
_SPINNING = ("libscipy_openblas", "libopenblas")
"""Those whose threads are busy with nothing for some 30 ms after each work, and after they were started. They are sent
away before a fork and come back when they are needed; all they work at, the main thread waits for."""
PATIENCE = 0.003
"""Seconds until all other threads must have waited for something."""
BUSY = "a thread of a library is busy"
_DESCRIPTOR = 2304
"""Bytes at the top of a thread's stack that hold what the C library knows of it (glibc: struct pthread), or more."""


def refusal(maps: bytes) -> str:
    """Why the native threads of this process stand against a fork; empty: nothing does. BUSY: it may soon be so.

    `maps`: /proc/self/maps.
    """
    own = get_native_id()
    others = [int(name) for name in posix.listdir("/proc/self/task") if int(name) != own]
    if not others:
        return ""
    lines = maps.decode(errors="replace").splitlines()
    code = Code(lines)
    until = monotonic() + PATIENCE
    starters: dict[int, list[str]] | None = None
    for thread in others:
        pointer = _stack_pointer(thread)
        if pointer is None:
            starters = _starters(lines, others, code) if starters is None else starters
            if any(spinning in name for name in starters.get(thread, ()) for spinning in _SPINNING):
                continue
        while pointer is None and monotonic() < until:
            sleep(0.0002)
            pointer = _stack_pointer(thread)
        if pointer is None:
            return BUSY
        names = code.names(_memory(pointer, _LARGEST)) if pointer else []
        if not any(known in name for name in names for known in KNOWN):
            return f"a thread of {names[0] if names else 'an unknown library'} is running"
    return ""


def count() -> int:
    """How many threads there are."""
    return len(posix.listdir("/proc/self/task"))


def fork() -> int:
    """fork(2), whatever `os.fork` is by now. Threads, about which Python would warn, are known to survive it."""
    if sys.version_info < (3, 12) or count() == 1:
        return posix.fork()
    return int(quietly(posix.fork))


class Code:
    """Where the code of the libraries is, without that of those that are always there."""

    def __init__(self, lines: list[str]) -> None:
        """`lines`: of /proc/self/maps, which is in the order of the addresses."""
        self._first: list[int] = []
        self._rest: list[tuple[int, str]] = []
        for line in lines:
            fields = line.split(None, 5)
            if len(fields) == 6 and "x" in fields[1] and fields[5].startswith("/"):
                name = fields[5].rpartition("/")[2]
                if not name.startswith(_ALWAYS_THERE):
                    first, after = _range(fields[0])
                    self._first.append(first)
                    self._rest.append((after, name))

    def names(self, data: bytes) -> list[str]:
        """The libraries that words in there are addresses of."""
        names: dict[str, None] = {}
        for address in _words(data):
            low, high = 0, len(self._first)
            while low < high:  # bisect(self._first, address): the module may have to be loaded
                middle = (low + high) // 2
                low, high = (low, middle) if address < self._first[middle] else (middle + 1, high)
            if low and address < self._rest[low - 1][0]:
                names[self._rest[low - 1][1]] = None
        return list(names)


def _starters(lines: list[str], threads: list[int], code: Code) -> dict[int, list[str]]:
    """The libraries whose code each thread was started with, as far as that is known.

    At the top of its stack, glibc keeps where that itself is (twice), the number of the thread and the function it
    began with. With another C library nothing is found.
    """
    found = {}
    guard = 0
    for line in lines:
        fields = line.split(None, 5)
        first, after = _range(fields[0])
        if first == guard and fields[1] == "rw-p" and len(fields) == 5:
            top = _memory(after - 2 * _DESCRIPTOR, 2 * _DESCRIPTOR)
            words = _words(top)
            for place, word in enumerate(words[:-2]):
                if word == after - 2 * _DESCRIPTOR + place * _WORD == words[place + 2]:
                    rest = top[place * _WORD :]
                    numbers = set(words[place:]).intersection(threads)
                    if len(numbers) == 1:
                        found[numbers.pop()] = code.names(rest)
        guard = after if fields[1] == "---p" else 0
    return found


def _range(text: str) -> tuple[int, int]:
    first, _, after = text.partition("-")
    return int(first, 16), int(after, 16)


def _words(data: bytes) -> list[int]:
    return memoryview(data[: len(data) // _WORD * _WORD]).cast("Q").tolist()


def _stack_pointer(thread: int) -> int | None:
    """proc(5): the last but one field of /proc/self/task/TID/syscall; 0: nobody knows; None: it does not wait."""
    try:
        fields = content(f"/proc/self/task/{thread}/syscall").split()
    except OSError:
        return 0
    return int(fields[-2], 16) if len(fields) > 2 else None


def _memory(pointer: int, size: int) -> bytes:
    """What is there, so many bytes or fewer."""
    fd = open_read_only("/proc/self/mem")
    try:
        while size >= _WORD:
            try:
                return posix.pread(fd, size, pointer)
            except OSError:
                size //= 2
    finally:
        posix.close(fd)
    return b""
