"""What child.c does, as a Python program that also imports: for reloaders that start Python only, and for bytecode.

    python reporter.py FIFO FILE...      FILE as `import:PATH` is imported, and its docstring told

The words may come as one line in the variable REPORTER, where the reloader passes none on.
"""

import os
import signal
import sys
import time

FIRST = time.monotonic_ns()


def text(word: str) -> str:
    """The first word of a file, or of the docstring of a module; "-" if there is none."""
    kind, _, path = word.rpartition(":")
    try:
        if kind:
            folder, name = os.path.split(path)
            sys.path.insert(0, folder)
            return (__import__(name.removesuffix(".py")).__doc__ or "-").strip()
        with open(path) as file:
            return (file.read(63).split() or ["-"])[0]
    except (OSError, ImportError):
        return "-"


def report(words: list[str]) -> None:
    """One line into the FIFO."""
    line = " ".join([str(FIRST), str(os.getpid()), *map(text, words[1:])]) + "\n"
    fifo = os.open(words[0], os.O_WRONLY | os.O_NONBLOCK)
    os.write(fifo, line.encode())
    os.close(fifo)


async def app(scope: object, receive: object, send: object) -> None:
    """For uvicorn: answers nothing."""


if "REPORTER" in os.environ:
    report(os.environ["REPORTER"].split())
elif __name__ == "__main__":
    report(sys.argv[1:])
if __name__ == "__main__":
    while True:
        signal.pause()
