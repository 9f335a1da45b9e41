"""The two usual first designs of such a tool, written from their description, to have them in the same tables.

    python seeds.py poll COMMAND [ARG...]    look at the mtime of every .py file once a second; restart if any is newer
    python seeds.py naive COMMAND [ARG...]   inotify on each folder; stop and start the command once for every event

Both watch the current folder. They use nothing of autoreload.
"""

from __future__ import annotations

import ctypes
import os
import struct
import subprocess
import sys
import time
from collections.abc import Iterator

INTERVAL = 1.0
MODIFY, CLOSE_WRITE, MOVED_FROM, MOVED_TO, CREATE, DELETE = 0x2, 0x8, 0x40, 0x80, 0x100, 0x200
MASK = MODIFY | CLOSE_WRITE | MOVED_FROM | MOVED_TO | CREATE | DELETE
HEADER = struct.Struct("iIII")


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end, and wait for that without a limit."""
    process.terminate()
    process.wait()


def poll(command: list[str]) -> None:
    """Restart when an mtime is not what it was a second ago."""

    def times() -> Iterator[tuple[str, int]]:
        for folder, _, names in os.walk("."):
            for name in names:
                if name.endswith(".py"):
                    path = os.path.join(folder, name)
                    yield path, os.stat(path).st_mtime_ns

    process = subprocess.Popen(command)
    known = dict(times())
    while True:
        time.sleep(INTERVAL)
        found = dict(times())
        if found != known:
            known = found
            stop(process)
            process = subprocess.Popen(command)


def naive(command: list[str]) -> None:
    """Restart at each event of a file that ends in .py, one after the other."""
    libc = ctypes.CDLL(None, use_errno=True)
    inotify = libc.inotify_init()
    for folder, _, _ in os.walk("."):
        libc.inotify_add_watch(inotify, os.fsencode(folder), MASK)
    process = subprocess.Popen(command)
    while True:
        events = os.read(inotify, 1 << 16)
        offset = 0
        while offset < len(events):
            length = HEADER.unpack_from(events, offset)[3]
            name = events[offset + HEADER.size : offset + HEADER.size + length].rstrip(b"\0")
            offset += HEADER.size + length
            if name.endswith(b".py"):
                stop(process)
                process = subprocess.Popen(command)


if __name__ == "__main__":
    {"poll": poll, "naive": naive}[sys.argv[1]](sys.argv[2:])
