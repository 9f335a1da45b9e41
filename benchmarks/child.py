"""What child.c does, where there is no C compiler. Run with -S -E; usage: child.py FIFO FILE..."""

import time

FIRST = time.monotonic_ns()

import os  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402


def text(path: str) -> str:
    """The first word of a file; "-" if there is none."""
    try:
        with open(path) as file:
            return (file.read(63).split() or ["-"])[0]
    except OSError:
        return "-"


line = " ".join([str(FIRST), str(os.getpid()), *map(text, sys.argv[2:])]) + "\n"
fifo = os.open(sys.argv[1], os.O_WRONLY | os.O_NONBLOCK)
os.write(fifo, line.encode())
os.close(fifo)
while True:
    signal.pause()
