"""As little of a tool as can drive a runner: requests are lines on stdin, events lines of JSON on stdout.

    python tool.py autoreload COMMAND ARG...

Its command line has the word that people give to pkill, as that of the real one has. SIGTERM, or the end of stdin, ends
the tree and then the tool.
"""

from __future__ import annotations

import ast
import json
import os
import select
import signal
import sys
import time

from autoreload.linux.signalfd import SI_KERNEL, SignalFd
from autoreload.process.command import Command
from autoreload.process.events import Emptied
from autoreload.process.runner import Runner
from autoreload.process.terminal import Terminal

GRACE = float(os.environ.get("TOOL_GRACE", "0.3"))
LAST = 1 << 20
"""Token of the stop that ends the tool."""


def say(*words: object) -> None:
    """A line to the test."""
    os.write(1, json.dumps(words).encode() + b"\n")


def main() -> None:
    """The loop."""
    directory = os.environ.get("TOOL_DIRECTORY", os.getcwd())
    terminal = Terminal()
    passed = ast.literal_eval(os.environ.get("TOOL_PASSED", "()"))
    runner = Runner(Command(tuple(sys.argv[2:]), directory, "", False), terminal, passed=passed)
    signals = SignalFd((signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGTSTP))
    poll = select.poll()
    for source in (runner, signals, 0):
        poll.register(source, select.POLLIN)
    say("Tool", os.getpid(), runner.guard)
    while True:
        due = runner.deadline()
        ready = [fd for fd, _ in poll.poll(None if due is None else max(0, (due - time.monotonic()) * 1000 + 1))]
        events = runner.step(time.monotonic())
        if signals.fileno() in ready:
            for number, code, _ in signals.read():
                if number == signal.SIGCHLD:
                    events += runner.reap()
                elif number == signal.SIGTSTP:
                    say("Suspending")
                    terminal.suspend()
                    say("Continued")
                else:
                    runner.stop(LAST, signal.SIGTERM, GRACE, from_terminal=code == SI_KERNEL)
        if runner.fileno() in ready:
            events += runner.read()
        for event in events:
            say(type(event).__name__, *event)
            if isinstance(event, Emptied) and event.token == LAST:
                terminal.restore()
                runner.close()
                return
        if 0 in ready:
            data = os.read(0, 4096)
            if not data:
                poll.unregister(0)
                runner.stop(LAST, signal.SIGTERM, GRACE)
            for line in data.decode().splitlines():
                request(runner, terminal, line.split())


def request(runner: Runner, terminal: Terminal, words: list[str]) -> None:
    """Do what the test wants."""
    if words[0] == "start":
        terminal.restore()
        runner.start(int(words[1]))
    elif words[0] == "stop":
        runner.stop(int(words[1]), int(words[2]), float(words[3]), len(words) > 4)
    elif words[0] == "kill":
        runner.kill(int(words[1]))
    elif words[0] == "forward":
        runner.forward(int(words[1]))
    elif words[0] == "weak":
        say("Weak", runner.weak)
    elif words[0] == "guard":
        say("Guard", runner.guard)


if __name__ == "__main__":
    main()
