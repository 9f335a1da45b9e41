"""As little of a tool as can drive a warm runner: requests are lines of JSON on stdin, events the same on stdout.

    python tool.py FOLDER COMMAND ARG...

`["start", RUN, {PATH: WAS_THERE} or null]`, `["stop", TOKEN]`. The end of stdin ends the tree and then the tool.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time

from autoreload.linux.signalfd import SignalFd
from autoreload.process.bytecode import remove_stale
from autoreload.process.command import Command
from autoreload.process.runner import Runner
from autoreload.warm.injection import Terms
from autoreload.warm.runner import WarmRunner


def main() -> None:
    """The loop."""
    folder, *words = sys.argv[1:]
    plain = Runner(Command(tuple(words), folder, "", True))
    spacing = float(os.environ.get("TOOL_SPACING", "0"))
    terms = Terms(int(signal.SIGTERM), (folder,), folder, False, spacing)
    runner = WarmRunner(plain, terms, plain.environ)
    signals = SignalFd((signal.SIGCHLD,))
    poll = select.poll()
    for source in (runner, signals, 0):
        poll.register(source, select.POLLIN)
    print(json.dumps(["Tool", os.getpid(), runner.guard]), flush=True)
    while True:
        due = runner.deadline()
        ready = [fd for fd, _ in poll.poll(None if due is None else max(0, (due - time.monotonic()) * 1000 + 1))]
        events = runner.step(time.monotonic()) if due is not None and time.monotonic() >= due else []
        if signals.fileno() in ready:
            signals.read()
            events += runner.reap()
        events += runner.read()
        for event in events:
            print(json.dumps([type(event).__name__, *event]), flush=True)
        if 0 in ready:
            line = _line()
            if not line:
                runner.close()
                return
            what, *values = json.loads(line)
            if what == "start":
                remove_stale(values[1] or (), os.environ, folder)
                runner.start(*values)
            else:
                runner.stop(values[0], signal.SIGTERM, 5.0)


def _line() -> bytes:
    """The next request: unbuffered, for what was read ahead would not be polled for."""
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(0, 1)):
        line += byte
    return line


if __name__ == "__main__":
    main()
