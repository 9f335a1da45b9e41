"""inotify(7): the calls, the constants, and the events as they come. No policy."""

from __future__ import annotations

import os
import struct
from typing import NamedTuple

from autoreload.linux.libc import checked, function

IN_MODIFY = 0x2
IN_ATTRIB = 0x4
IN_CLOSE_WRITE = 0x8
IN_MOVED_FROM = 0x40
IN_MOVED_TO = 0x80
IN_CREATE = 0x100
IN_DELETE = 0x200
IN_DELETE_SELF = 0x400
IN_MOVE_SELF = 0x800
IN_Q_OVERFLOW = 0x4000
IN_IGNORED = 0x8000
IN_ONLYDIR = 1 << 24
IN_DONT_FOLLOW = 1 << 25
IN_EXCL_UNLINK = 1 << 26
IN_MASK_ADD = 1 << 29
IN_ISDIR = 1 << 30

_HEAD = struct.Struct("=iIII")
"""struct inotify_event: wd, mask, cookie, len; native byte order, no padding on any architecture."""


class Event(NamedTuple):
    """One struct inotify_event."""

    wd: int
    mask: int
    name: str
    """Of the entry in the watched directory; "" if the event is about the directory itself."""


class Inotify:
    """An inotify instance. Every call that fails raises OSError with the kernel's errno."""

    __slots__ = ("_add", "_remove", "fd")

    def __init__(self) -> None:
        """ENOSYS, EMFILE (instances or descriptors), ENFILE, ENOMEM as in inotify_init(2); EPERM under seccomp."""
        # The wrappers of libc, not syscall numbers: they are the same on every architecture.
        self._add, self._remove = function("inotify_add_watch"), function("inotify_rm_watch")
        self.fd = checked(function("inotify_init1")(os.O_NONBLOCK | os.O_CLOEXEC))

    def add(self, path: str, mask: int) -> int:
        """The watch descriptor of `path`: a new one, or the one its inode has already.

        ENOSPC: fs.inotify.max_user_watches is reached (not the disk); others as in inotify_add_watch(2).
        """
        wd = self._add(self.fd, os.fsencode(path), mask)
        return wd if wd >= 0 else checked(wd)  # called for every directory of a tree

    def remove(self, wd: int) -> None:
        """EINVAL: the kernel has removed it already, its IN_IGNORED is in the queue."""
        checked(self._remove(self.fd, wd))

    def read(self, size: int) -> bytes:
        """Whole events, at most `size` bytes; BlockingIOError when there are none."""
        return os.read(self.fd, size)

    def close(self) -> None:
        """Close the instance: the kernel drops its watches."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def parse(data: bytes) -> list[Event]:
    """The events in what `Inotify.read` gave."""
    events, at, end = [], 0, len(data)
    while at < end:
        wd, mask, _cookie, length = _HEAD.unpack_from(data, at)
        at += _HEAD.size + length
        name = os.fsdecode(data[at - length : at].rstrip(b"\0")) if length else ""
        events.append(Event(wd, mask, name))
    return events
