"""fanotify(7) with file handles: the calls, the constants, and the events as they come. No policy.

A file is named by a *key*: four bytes that tell its file system from others, then its struct file_handle.
"""

from __future__ import annotations

import os
import struct
import sys
from _ctypes import byref
from array import array
from typing import NamedTuple

from autoreload.linux.libc import Int, Pointer, ULongLong, checked, function

FAN_MODIFY = 0x2
FAN_CLOSE_WRITE = 0x8
FAN_CREATE = 0x100
FAN_DELETE = 0x200
FAN_Q_OVERFLOW = 0x4000
FAN_RENAME = 0x10000000
FAN_ONDIR = 0x40000000

FAN_CLOEXEC = 0x1
FAN_NONBLOCK = 0x2
FAN_UNLIMITED_QUEUE = 0x10
FAN_REPORT_FID = 0x200
FAN_REPORT_DIR_FID = 0x400
FAN_REPORT_NAME = 0x800
FAN_REPORT_TARGET_FID = 0x1000
FAN_REPORT_DFID_NAME_TARGET = FAN_REPORT_FID | FAN_REPORT_DIR_FID | FAN_REPORT_NAME | FAN_REPORT_TARGET_FID
"""The directory, the name in it, and the file of that name itself: Linux 5.17, as FAN_RENAME."""

FAN_MARK_ADD = 0x1
FAN_MARK_FILESYSTEM = 0x100

_INFO_FID = 1
_INFO_DFID_NAME = 2
_INFO_DFID = 3
_INFO_OLD_DFID_NAME = 10
_INFO_NEW_DFID_NAME = 12

_VERSION = 3
_AT_FDCWD = -100
_MAX_HANDLE = 128
"""MAX_HANDLE_SZ: no handle is longer, open_by_handle_at(2)."""

_HEAD = struct.Struct("=IBBHQii")
"""struct fanotify_event_metadata: event_len, vers, reserved, metadata_len, mask, fd, pid; native byte order."""
_INFO = struct.Struct("=BBH8sI")
"""struct fanotify_event_info_fid up to the length of the handle: info_type, pad, len, fsid, handle_bytes."""
_HANDLE = struct.Struct("=Ii")
"""struct file_handle without the handle: handle_bytes, handle_type."""
_FSID = 8
"""Bytes of __kernel_fsid_t."""


class Event(NamedTuple):
    """One event."""

    mask: int
    pid: int
    """Of the process that did it; 0 if it is in another pid namespace."""
    folder: bytes = b""
    """Key of the directory; of a rename, the old one."""
    name: bytes = b""
    """In that directory; "." for itself."""
    target: bytes = b""
    """Key of what has that name."""
    new_folder: bytes = b""
    """Of a rename."""
    new_name: bytes = b""


class Fanotify:
    """A fanotify group. Every call that fails raises OSError with the kernel's errno."""

    __slots__ = ("_mark", "fd")

    def __init__(self, unlimited: bool = True) -> None:
        """EPERM: no CAP_SYS_ADMIN; EINVAL: older than Linux 5.17; ENOSYS: none in this kernel; EMFILE: too many.

        `unlimited`: the queue never overflows.
        """
        flags = FAN_CLOEXEC | FAN_NONBLOCK | FAN_REPORT_DFID_NAME_TARGET
        self._mark = function("fanotify_mark")
        self.fd = checked(
            function("fanotify_init")(flags | (FAN_UNLIMITED_QUEUE if unlimited else 0), os.O_RDONLY | os.O_CLOEXEC)
        )

    def mark(self, path: str, mask: int) -> None:
        """Tell of the whole file system that `path` is on.

        EPERM: not permitted; ENODEV: it has no identity; EOPNOTSUPP: no handles; EXDEV: a subvolume of btrfs.
        """
        # The wrapper of libc takes the mask as one 64-bit value, also where the system call takes two halves.
        checked(self._mark(self.fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, ULongLong(mask), _AT_FDCWD, os.fsencode(path)))

    def read(self, size: int) -> bytes:
        """Whole events, at most `size` bytes; BlockingIOError when there are none."""
        return os.read(self.fd, size)

    def close(self) -> None:
        """Close the group: the kernel drops its marks."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def parse(data: bytes) -> list[Event]:
    """The events in what `Fanotify.read` gave."""
    events, at, end = [], 0, len(data)
    while at < end:
        length, version, _, head, mask, _, pid = _HEAD.unpack_from(data, at)
        if version != _VERSION:
            raise OSError(f"fanotify events of version {version}, not {_VERSION}")
        folder = name = target = new_folder = new_name = b""
        inner, at = at + head, at + length
        while inner < at:
            kind, _, size, _, handle = _INFO.unpack_from(data, inner)
            start, name_at = inner + 4, inner + _INFO.size + 4 + handle
            if kind in (_INFO_DFID_NAME, _INFO_OLD_DFID_NAME):
                folder = data[start : start + 4] + data[start + _FSID : name_at]
                name = data[name_at : inner + size].rstrip(b"\0")
            elif kind == _INFO_NEW_DFID_NAME:
                new_folder = data[start : start + 4] + data[start + _FSID : name_at]
                new_name = data[name_at : inner + size].rstrip(b"\0")
            elif kind == _INFO_FID:
                target = data[start : start + 4] + data[start + _FSID : name_at]
            elif kind == _INFO_DFID:
                folder, name = data[start : start + 4] + data[start + _FSID : name_at], b"."
            inner += size
        events.append(Event(mask, pid, folder, name, target, new_folder, new_name))
    return events


def file_system(path: str) -> bytes:
    """What the keys of all files on the file system of `path` begin with.

    Half of its f_fsid: not every C library gives the other half, statvfs(3).
    """
    return (os.statvfs(path or "/").f_fsid & 0xFFFFFFFF).to_bytes(4, sys.byteorder)


def key_of(path: str) -> bytes:
    """The key of what is at `path` (a link at its end is not followed). EOPNOTSUPP: the file system has no handles."""
    handle, mount_id = array("B", _HANDLE.pack(_MAX_HANDLE, 0) + bytes(_MAX_HANDLE)), Int()
    address = Pointer(handle.buffer_info()[0])
    checked(_name_to_handle(_AT_FDCWD, os.fsencode(path or "/"), address, byref(mount_id), 0))
    size, _ = _HANDLE.unpack_from(handle)
    return file_system(path) + handle.tobytes()[: _HANDLE.size + size]


def open_key(mount: int, key: bytes) -> int:
    """Open a directory by its key, as a part of the mount that the directory `mount` (a descriptor) is in.

    ESTALE: it is gone; EPERM: no CAP_DAC_READ_SEARCH; EOPNOTSUPP: no handles here. See open_by_handle_at(2).
    """
    return checked(_open_by_handle(mount, key[4:], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))


_open_by_handle = function("open_by_handle_at")
_name_to_handle = function("name_to_handle_at")
