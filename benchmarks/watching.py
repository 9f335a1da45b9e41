"""A scratch tree, and the starts of the command in it as they happen."""

from __future__ import annotations

import os
import random
import select
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.peers import child
from benchmarks.processes import Running
from benchmarks.tools import Tool

FIRST_START = 20.0
"""A tool that has not started its command by then is given up, seconds."""
READY = 10.0
"""The same for one that does not react to saves."""


class Start(NamedTuple):
    """The command was started."""

    at: int
    """Its first instruction, monotonic nanoseconds."""
    pid: int
    texts: tuple[str, ...]
    """What it found in the files."""


class Listener:
    """Hears from each command that starts, through a FIFO: waiting costs nothing and sees nothing late."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self._rest = b""
        self.starts: list[Start] = []

    def clear(self) -> None:
        """Forget all that was heard, also what is still on its way."""
        self._hear(0)
        self._rest = b""
        self.starts.clear()

    def wait(self, wanted: Callable[[Start], bool], limit: float) -> Start | None:
        """The first start that is wanted, heard before or not; None: there was none within `limit` seconds."""
        deadline, looked_at = time.monotonic() + limit, 0
        while True:
            while looked_at < len(self.starts):
                if wanted(self.starts[looked_at]):
                    return self.starts[looked_at]
                looked_at += 1
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self._hear(left)

    def listen(self, seconds: float) -> int:
        """Hear for so long. Returns the number of starts."""
        before, deadline = len(self.starts), time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._hear(left)
        return len(self.starts) - before

    def _hear(self, limit: float) -> None:
        if not select.select([self._descriptor], [], [], limit)[0]:
            return
        try:
            heard = os.read(self._descriptor, 1 << 16)
        except BlockingIOError:  # it happens, though select(2) said otherwise
            return
        *lines, self._rest = (self._rest + heard).split(b"\n")
        for line in lines:
            at, pid, *texts = line.decode().split(" ")
            self.starts.append(Start(int(at), int(pid), tuple(texts)))

    def close(self) -> None:
        """Remove the FIFO."""
        os.close(self._descriptor)
        self.path.unlink()


class Saver:
    """Saves files with words that were never used before."""

    def __init__(self) -> None:
        self._count = 0

    def save(self, path: Path) -> tuple[int, str]:
        """Save a word, as an editor that writes in place does. Returns (just before, monotonic nanoseconds; it)."""
        self._count += 1
        word = f"word{self._count:06}"
        before = time.monotonic_ns()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC)
        os.write(descriptor, word.encode() + b"\n")
        os.close(descriptor)
        return before, word


def make_tree(tree: Path) -> list[Path]:
    """A small project of 200 files. Returns the three that will be saved."""
    sub = tree / "pkg" / "sub"
    sub.mkdir(parents=True)
    for number in range(200):
        folder = sub if number % 2 else sub.parent
        (folder / f"m{number}.py").write_text("start\n")
    return [sub.parent / f"m{number}.py" for number in (0, 2, 4)]


def get_ready(name: str, running: Running, listener: Listener, saver: Saver, path: Path) -> bool:
    """Wait until the tool `name` has started its command and reacts to a save. `path` is the command's first file."""
    if listener.wait(lambda start: True, FIRST_START):
        listener.listen(0.5)
        deadline = time.monotonic() + READY
        while time.monotonic() < deadline:
            _, word = saver.save(path)
            if listener.wait(lambda start, word=word: start.texts[:1] == (word,), 1.5):  # type: ignore[misc]
                listener.listen(0.5)
                return True
    print(f"    {name} does not react: {running.complaint() or 'it says nothing'}", flush=True)
    return False


class Ground:
    """The small project of `make_tree`, and rounds in which the tools have their turns on it, in random order."""

    def __init__(self, scratch: Path, seed: int) -> None:
        self._scratch = scratch
        self._tree = scratch / "tree"
        self.files = make_tree(self._tree)
        self.listener, self.saver, self.chance = Listener(scratch / "starts"), Saver(), random.Random(seed)

    def turns(self, rows: Sequence[Tool], rounds: int, files: Sequence[Path]) -> Iterator[tuple[Tool, Running]]:
        """Each tool as often as there are `rounds`, ready, with a command that reads `files`."""
        for _ in range(rounds):
            for tool in self.chance.sample(rows, len(rows)):
                self.listener.clear()
                argv = tool.argv(child(self.listener.path, *files), str(self._scratch / "list"))
                with Running(argv, self._tree, self._scratch / "errors") as running:
                    if get_ready(tool.name, running, self.listener, self.saver, files[0]):
                        yield tool, running
        self.listener.close()
