"""Starts tools and ends all they started; asks /proc what a process tree holds and does."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Self

from benchmarks import peers

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """From here on whatever a tool leaves behind becomes a child of this process, and is found by `end_all`. And an
    ignored SIGINT (a job in the background) would be inherited by commands that are stopped with it."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler if number != signal.SIGQUIT else signal.SIG_DFL)


class Running:
    """A tool at work, in a session of its own. Leaving the context ends it and all its processes."""

    def __init__(self, argv: Sequence[str], directory: Path, errors: Path) -> None:
        self._errors = errors
        with errors.open("wb") as file:
            self.started = time.monotonic_ns()
            self.process = subprocess.Popen(
                argv,
                cwd=directory,
                env=peers.environment() | {"PWD": str(directory)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=file,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def complaint(self) -> str:
        """The last that it said."""
        return self._errors.read_text(errors="replace")[-500:].strip()

    def end(self) -> None:
        """Politely, then not."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                pass
        end_all()
        self.process.poll()


def end_all(limit: float = 5.0) -> None:
    """Kill and collect every process below this one."""
    deadline = time.monotonic() + limit
    while (left := descendants(os.getpid())) and time.monotonic() < deadline:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        collect()
        time.sleep(0.002)
    if left:
        raise RuntimeError(f"processes {left} cannot be ended")


def wait(process: subprocess.Popen[bytes], limit: float) -> float:
    """Wait for its end, at most `limit` seconds, then kill it. Returns when it ended, or infinity; monotonic seconds.

    Popen.wait(limit) would not do: it looks after 0.5, 1.5, 3.5, 7.5 ... ms, and times would be one of these.
    """
    descriptor = os.pidfd_open(process.pid)
    try:
        ended = bool(select.select([descriptor], [], [], limit)[0])
        at = time.monotonic() if ended else float("inf")
    finally:
        os.close(descriptor)
    if not ended:
        process.kill()
    process.wait()
    return at


def collect() -> None:
    """Reap what is dead."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def descendants(root: int) -> list[int]:
    """All processes below `root`, dead but unreaped ones too."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path("/proc", entry, "stat").read_text(errors="replace")
            except OSError:
                continue
            children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry))
    found, wave = [], [root]
    while wave:
        wave = [child for parent in wave for child in children.get(parent, [])]
        found += wave
    return found


def of_tool(root: int, commands: Iterable[int]) -> list[int]:
    """The processes of a tool: `root` and what is below, without the commands and what is below those."""
    of_commands = {pid for command in commands for pid in (command, *descendants(command))}
    return [pid for pid in (root, *descendants(root)) if pid not in of_commands]


class Usage(NamedTuple):
    """What processes hold and have done so far."""

    pss: float
    """MB of memory, shared pages divided among their users."""
    rss: float
    """MB of memory, shared pages counted in full."""
    wakeups: int
    """Voluntary context switches of all threads."""
    cpu: float
    """Seconds on a core."""


def usage(pids: Iterable[int]) -> Usage:
    """The sums over these processes."""
    total = Usage(0, 0, 0, 0)
    for pid in pids:
        place = Path("/proc", str(pid))
        try:
            memory = _fields(place / "smaps_rollup")
            threads = list((place / "task").iterdir())
            wakeups = sum(_fields(thread / "status")["voluntary_ctxt_switches"] for thread in threads)
            cpu = sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads)
        except (OSError, KeyError):
            continue
        total = Usage(
            total.pss + memory["Pss"] / 1024,
            total.rss + memory["Rss"] / 1024,
            total.wakeups + wakeups,
            total.cpu + cpu / 1e9,
        )
    return total


def named(pids: Iterable[int], name: str) -> list[int]:
    """Those that ps(1) calls so."""
    return [pid for pid in pids if Path("/proc", str(pid), "comm").read_text().strip() == name]


def _fields(path: Path) -> dict[str, int]:
    """The numbers of a file of `name: value` lines."""
    pairs = (line.split(":", 1) for line in path.read_text(errors="replace").splitlines() if ":" in line)
    return {name: int(words[0]) for name, value in pairs if (words := value.split()) and words[0].isdigit()}
