"""Commands that are hard to end: `python -S -E unruly.py KIND FILE`.

FILE gets a line when all processes of the kind are up; a kind that goes on forking ends when FILE is removed. With
`is_quiet` a test sees that no comet is left.
"""

from __future__ import annotations

import os
import signal
import sys
import time

KINDS: dict[str, int] = {
    "polite": 1,
    "deaf": 1,
    "background": 2,
    "setsid": 2,
    "daemon": 2,
    "deaf_grandchild": 3,
    "storm": 20,
    "stopped": 2,
    "own_group": 2,
    "comet": 2,
}
"""Each kind, and how many processes it has at least."""
LEAVE_SOMETHING = [kind for kind in KINDS if kind not in ("polite", "deaf")]
"""Those of which something lives on when only the command itself is ended."""


def is_quiet(file: str | os.PathLike[str]) -> bool:
    """Has no comet touched the file for a while? One that lives does so every millisecond or two."""
    return time.time() - os.stat(file).st_mtime > 0.2


def up() -> None:
    """All are there."""
    with open(sys.argv[2], "a") as file:
        file.write("up\n")


def rest() -> None:
    """Until a signal ends it."""
    while True:
        signal.pause()


def deafen() -> None:
    """Ignore what one ignores to be left in peace."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def main() -> None:
    """Be of that kind."""
    kind = sys.argv[1]
    if kind == "polite":
        up()
    elif kind == "deaf":
        deafen()
        up()
    elif kind in ("background", "setsid", "own_group", "stopped"):
        if not os.fork():
            if kind == "setsid":
                os.setsid()
            if kind == "own_group":
                os.setpgid(0, 0)
            up()
            if kind == "stopped":
                os.kill(os.getpid(), signal.SIGSTOP)
            rest()
    elif kind == "daemon":
        if not os.fork():
            os.setsid()
            if not os.fork():
                deafen()
                up()
                rest()
            os._exit(0)
        os.wait()
    elif kind == "deaf_grandchild":
        if not os.fork():
            if not os.fork():
                deafen()
                up()
            rest()
    elif kind == "storm":
        storm()
    elif kind == "comet":
        comet()
    rest()


def storm() -> None:
    """Four processes that have children as fast as they can, all of them deaf and in sessions of their own."""
    deafen()
    for forker in range(4):
        if os.fork():
            continue
        for born in range(150):
            if not os.fork():
                os.setsid()
                rest()
            if (forker, born) == (3, 20):
                up()
            if not os.path.exists(sys.argv[2]) and born > 20:
                os._exit(0)
            time.sleep(0.0005)
        rest()


def comet() -> None:
    """A process that has a child and exits, which has a child and exits, ... Each touches FILE: they live too short
    a time to be seen in /proc."""
    if not os.fork():
        up()
        while True:
            try:
                os.utime(sys.argv[2])
            except FileNotFoundError:
                os._exit(0)
            if os.fork():
                os._exit(0)


if __name__ == "__main__":
    main()
