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

KNOWN = ("libscipy_openblas", "libopenblas", "libiomp5", "libomp", "libmkl", "libarrow", "_multiarray_umath")
"""Parts of the names of libraries whose threads survive a fork."""
_ALWAYS_THERE = ("libc.", "libc-", "libpthread", "ld-", "libpython", "python", "libm.", "libm-", "libgcc", "libstdc++")
_LARGEST = 8192
_WORD = 8
PATIENCE = 0.003
"""Seconds until all threads must have waited for something: those of OpenBLAS are busy for a while after each work."""
BUSY = "a thread of a library is busy"


def refusal() -> str:
    """Why the native threads of this process stand against a fork; empty: nothing does. BUSY: it may soon be so."""
    own = get_native_id()
    others = [int(name) for name in posix.listdir("/proc/self/task") if int(name) != own]
    if not others:
        return ""
    libraries = _libraries()
    until = monotonic() + PATIENCE
    for thread in others:
        pointer = _stack_pointer(thread, until)
        if pointer is None:
            return BUSY
        names = _on_stack(pointer, libraries) if pointer else []
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
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return posix.fork()


def _libraries() -> list[tuple[int, int, str]]:
    """(first address, first after it, name) of the code that is mapped."""
    found = []
    for line in content("/proc/self/maps").decode(errors="replace").splitlines():
        fields = line.split(None, 5)
        if len(fields) == 6 and "x" in fields[1] and fields[5].startswith("/"):
            first, _, after = fields[0].partition("-")
            found.append((int(first, 16), int(after, 16), fields[5].rpartition("/")[2]))
    return found


def _on_stack(pointer: int, libraries: list[tuple[int, int, str]]) -> list[str]:
    data = _memory(pointer)
    names: dict[str, None] = {}
    for start in range(0, len(data) - _WORD + 1, _WORD):
        address = int.from_bytes(data[start : start + _WORD], "little")
        for first, after, name in libraries:
            if first <= address < after and not name.startswith(_ALWAYS_THERE):
                names[name] = None
    return list(names)


def _stack_pointer(thread: int, until: float) -> int | None:
    """proc(5): the last but one field of /proc/self/task/TID/syscall; 0: nobody knows; None: it does not wait."""
    while True:
        try:
            fields = content(f"/proc/self/task/{thread}/syscall").split()
        except OSError:
            return 0
        if len(fields) > 2:
            return int(fields[-2], 16)
        if monotonic() >= until:
            return None
        sleep(0.0002)


def _memory(pointer: int) -> bytes:
    """What is on the stack from there on."""
    fd = open_read_only("/proc/self/mem")
    try:
        size = _LARGEST
        while size >= _WORD:
            try:
                return posix.pread(fd, size, pointer)
            except OSError:
                size //= 2
    finally:
        posix.close(fd)
    return b""
