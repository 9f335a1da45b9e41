"""Drive `tool.py` from a test."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support import end_all

HERE = Path(__file__).parent
SOURCES = str(HERE.parents[1] / "src")
PYTHON = [sys.executable, "-S", "-E"]
"""A command in Python that is up quickly."""


def unruly(kind: str, ready: Path) -> list[str]:
    """The command of that kind; `ready` is written when all of it is up."""
    return [*PYTHON, str(HERE / "unruly.py"), kind, str(ready)]


def code(source: str, *words: str) -> list[str]:
    """A command that executes this source."""
    return [*PYTHON, "-c", source, *words]


def environment(mark: str) -> dict[str, str]:
    """What the tool is started with."""
    return {**os.environ, "PYTHONPATH": SOURCES, "MARK": mark}


class Tool:
    """A running `tool.py`."""

    def __init__(self, process: subprocess.Popen[bytes], mark: str) -> None:
        self.process = process
        self.mark = mark
        self._text = b""
        self._tokens = 0
        self.guard = int(self.expect("Tool")[2])

    def ask(self, *words: object) -> None:
        """Send a request."""
        assert self.process.stdin
        self.process.stdin.write(" ".join(map(str, words)).encode() + b"\n")
        self.process.stdin.flush()

    def next(self, within: float = 10.0) -> list[Any]:
        """The next thing that it tells."""
        assert self.process.stdout
        limit = time.monotonic() + within
        while b"\n" not in self._text:
            if not select.select([self.process.stdout], [], [], max(0.0, limit - time.monotonic()))[0]:
                raise AssertionError(f"nothing more within {within} s")
            data = os.read(self.process.stdout.fileno(), 1 << 16)
            if not data:
                raise AssertionError(f"the tool has ended: {self.process.wait()}")
            self._text += data
        line, _, self._text = self._text.partition(b"\n")
        told: list[Any] = json.loads(line)
        return told

    def expect(self, what: str, within: float = 10.0) -> list[Any]:
        """The next thing of that name; others before it are passed over."""
        while (told := self.next(within))[0] != what:
            pass
        return told

    def start(self, run: int = 1) -> int:
        """Start the command: its pid."""
        self.ask("start", run)
        told = self.next()
        assert told[:2] == ["Started", run], told
        return int(told[2])

    def stop(self, sig: int = signal.SIGTERM, grace: float = 5.0) -> list[Any]:
        """End the tree, and wait until it is gone: (name, token, how many were killed)."""
        self._tokens += 1
        self.ask("stop", self._tokens, int(sig), grace)
        told = self.expect("Emptied")
        assert told[1] == self._tokens
        return told


@contextmanager
def tool(
    command: Sequence[str],
    mark: str,
    environ: Mapping[str, str] | None = None,
    before: Sequence[str] = (),
    interpreter: str = sys.executable,
    **popen: Any,
) -> Iterator[Tool]:
    """A tool for that command; whatever is left at the end is killed. `before`: words before those of the tool."""
    process = subprocess.Popen(
        [*before, interpreter, str(HERE / "tool.py"), "autoreload", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**environment(mark), **(environ or {})},
        **popen,
    )
    try:
        yield Tool(process, mark)
    finally:
        end_all(mark)
        assert process.stdin
        assert process.stdout
        process.wait()
        process.stdout.close()
        try:
            process.stdin.close()
        except BrokenPipeError:
            pass
