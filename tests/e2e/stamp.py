"""The command of most tests: leaves a line in a log for each of its starts, then waits for its end.

    python -S -E stamp.py LOG [FILE...] [-- COMMAND [ARG...]]

The line tells what it read in the files (null: it is not there), and whether it was alone: it holds a lock that all
its descendants inherit, so it can get it only when nothing is left of the run before. With a COMMAND it becomes that.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import time


def main() -> None:
    """Log, then wait."""
    at = time.monotonic()
    standard = [number for number in (0, 1, 2) if is_open(number)]
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # to die in silence
    words = sys.argv[1:]
    split = words.index("--") if "--" in words else len(words)
    log, *files = words[:split]
    command = words[split + 1 :]
    lock = os.open(log + ".lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        alone = True
    except BlockingIOError:
        alone = False
    os.set_inheritable(lock, True)
    folder = os.stat(".")
    told = {
        "pid": os.getpid(),
        "at": at,
        "alone": alone,
        "folder": folder.st_ino,
        "standard": standard,
        "texts": {file: read(file) for file in files},
    }
    with open(log, "ab", 0) as file:
        file.write(json.dumps(told).encode() + b"\n")
    if command:
        os.execvp(command[0], command)
    while True:
        signal.pause()


def is_open(number: int) -> bool:
    """Is there such a descriptor?"""
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def read(path: str) -> str | None:
    """The text of the file."""
    try:
        with open(path, "rb") as file:
            return file.read().decode(errors="replace")
    except OSError:
        return None


if __name__ == "__main__":
    main()
