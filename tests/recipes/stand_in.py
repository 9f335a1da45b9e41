"""Stands in for the programs of the recipes: logs that it started and how it ended, and holds the port it was given.

What it is called decides what it does: by default it serves until a signal ends it. The log is $STAND_IN_LOG.
"""

import os
import signal
import socket
import sys
import time
from types import FrameType

NAME = os.path.basename(sys.argv[0])
if NAME == "__main__.py":
    NAME = os.path.basename(os.path.dirname(os.path.abspath(sys.argv[0])))
PORT_FOLLOWS = ("--port", "--bind", "--listen", "-p")
HELD: "list[socket.socket]" = []
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def log(*words: str) -> None:
    """A line, whole."""
    fd = os.open(os.environ["STAND_IN_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, (" ".join((NAME, *words)) + "\n").encode())
    os.close(fd)


def hold_port() -> None:
    """As a server that does not ask for a port that is still in use."""
    for option, value in zip(sys.argv[:-1], sys.argv[1:], strict=True):
        if option in PORT_FOLLOWS:
            held = socket.socket()
            held.bind(("127.0.0.1", int(value.rpartition(":")[2])))
            held.listen()
            HELD.append(held)


def serve() -> None:
    """Until a signal comes."""

    def end(number: int, frame: "FrameType | None") -> None:
        if NAME == "celery":
            time.sleep(0.3)  # the task that it is at
        log("ended", signal.Signals(number).name)
        os._exit(0)

    for number in SIGNALS:
        signal.signal(number, end)
    if NAME == "debugpy":
        adapt()
    hold_port()
    log("started", *sys.argv[1:])
    while True:
        signal.pause()


def adapt() -> None:
    """As debugpy does: the port is held by a process that left this one."""
    ready, told = os.pipe()
    if not os.fork():
        os.setsid()
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        hold_port()
        os.write(told, b".")
        while True:
            signal.pause()
    os.close(told)
    if not os.read(ready, 1):
        sys.exit("the adapter has no port")
    del sys.argv[1:3]


def sudo() -> None:
    """The environment is kept with -E, but for PATH, which is never yours."""
    words = sys.argv[1:]
    kept = dict(os.environ)
    if words[:1] == ["-E"]:
        words = words[1:]
    else:
        kept = {name: kept[name] for name in ("STAND_IN_LOG", "MARK")}
    os.environ.clear()
    os.environ.update(kept, PATH="/usr/bin:/bin")
    os.execvp(words[0], words)


def run_child(words: "list[str]") -> None:
    """As npm and uv: a child, to which the signals that come are passed on."""
    child = os.posix_spawnp(words[0], words, os.environ)
    for number in SIGNALS:
        signal.signal(number, lambda number, frame: os.kill(child, number))
    _, status = os.waitpid(child, 0)
    sys.exit(os.waitstatus_to_exitcode(status) & 0xFF)


def make() -> None:
    """Writes what it builds."""
    log("started", *sys.argv[1:])
    for built in ("main.o", "app"):
        with open(built, "w") as file:
            file.write(f"#!/bin/sh\nexec ./server.py # {time.time()}\n")
        os.chmod(built, 0o755)
    log("ended", "built")


if __name__ == "__main__":
    if NAME == "sudo":
        sudo()
    elif NAME == "uv":
        run_child(sys.argv[2:])
    elif NAME == "npm":
        import json

        with open("package.json") as package:
            run_child(["sh", "-c", json.load(package)["scripts"][sys.argv[2]]])
    elif NAME == "make":
        make()
    elif NAME == "trytond-admin":
        log("started", *sys.argv[1:])
        log("ended", "done")
    else:
        serve()
