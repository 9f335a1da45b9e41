"""What a file looks like from outside, and when that may hide a change.

A file that is changed twice within one step of the clock that its times are taken from looks the same after the second
change as after the first. That step is a tick of the kernel, as a rule; two seconds on FAT; a whole second on some
servers. So a file that has just changed is doubted, until a change would show: its content is compared. How long ago it
changed is told by our own looking at it, for the clock may be that of another machine.
"""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from autoreload.core.identity import latest

TICK = 20_000_000
"""ns. File times change once a tick, some milliseconds on old kernels."""
LARGEST = 1 << 20
"""Bytes. Of a larger file the content is not read: it is told once more when it is no longer in doubt."""


class Doubt(NamedTuple):
    """A file that may change without a trace."""

    until: float
    """Monotonic s."""
    content: bytes
    """A digest; empty if nobody knows."""


Signature = tuple[int, int, int, int, Doubt | None]
"""mtime and ctime (ns), size, inode: compared with !=, since a restored file has an older time."""


def step(ctime: int) -> float:
    """s. How long, at most, the file system with such a time lets two changes look like one."""
    return max(TICK, latest(ctime) - ctime) / 1e9


def signature(info: os.stat_result, doubt: Doubt | None = None) -> Signature:
    """Of what is as `info` says."""
    return info.st_mtime_ns, info.st_ctime_ns, info.st_size, info.st_ino, doubt


def fresh(path: str, info: os.stat_result, now: float) -> Signature:
    """Of a file that is seen to have changed. `now`: monotonic s."""
    return signature(info, Doubt(now + step(info.st_ctime_ns), _content(path, info)))


def compared(path: str, info: os.stat_result, known: Signature, now: float) -> tuple[Signature, bool]:
    """The signature now of a file that was `known` to be like that; has it changed? `now`: monotonic s."""
    new = signature(info)
    if new[:4] != known[:4]:
        return fresh(path, info, now), True
    doubt = known[4]
    if doubt is None:
        return new, False
    content, certain = _content(path, info), now >= doubt.until
    changed = content != doubt.content if content and doubt.content else certain
    return signature(info, None if certain else Doubt(doubt.until, content)), changed


def _content(path: str, info: os.stat_result) -> bytes:
    if stat.S_ISLNK(info.st_mode):
        return _digest(os.fsencode(_target(path)))
    if not stat.S_ISREG(info.st_mode) or info.st_size > LARGEST:
        return b""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            return _digest(os.read(fd, LARGEST + 1))
        finally:
            os.close(fd)
    except OSError:
        return b""


def _target(link: str) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""


def _digest(data: bytes) -> bytes:
    try:
        from _blake2 import blake2b  # hashlib would load OpenSSL
    except ImportError:
        from hashlib import blake2b
    return blake2b(data, digest_size=16).digest()
