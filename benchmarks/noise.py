"""What does a file that does not matter, but is written to all the time, cost a tool?"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import tools
from benchmarks.processes import Running, of_tool, usage
from benchmarks.tables import Section, median, table
from benchmarks.tools import Tool
from benchmarks.watching import Ground, Listener

INTERVAL = 0.005
RATE = f"{1 / INTERVAL:.0f}"


@dataclass
class Seen:
    """Of one tool."""

    wakeups: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    starts: int = 0


def measure(scratch: Path, quick: bool) -> Section:
    """Write lines to a file beside the sources; the tools take turns."""
    rounds, seconds = (1, 2.0) if quick else (2, 10.0)
    ground = Ground(scratch, seed=7)
    file, *_ = ground.files
    rows = tools.available(tools.AUTORELOAD, *tools.PEERS, tools.SEED_NAIVE, tools.SEED_POLL)
    rows.remove(tools.WATCHFILES_LEAST)
    seen = {tool: Seen() for tool in rows}
    for tool, running in ground.turns(rows, rounds, [file]):
        _one_round(seen[tool], running, ground.listener, file.with_name("notes.txt"), seconds)
    return _section(seen, seconds)


def _one_round(seen: Seen, running: Running, listener: Listener, noisy: Path, seconds: float) -> None:
    own = of_tool(running.process.pid, {start.pid for start in listener.starts})
    descriptor = os.open(noisy, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC)
    listener.listen(1.0)
    listener.clear()
    before, began = usage(own), time.monotonic()
    while time.monotonic() < began + seconds:
        os.write(descriptor, b"a line of a log\n")
        time.sleep(INTERVAL)
    after, took = usage(own), time.monotonic() - began
    seen.starts += listener.listen(0.5)
    os.close(descriptor)
    seen.wakeups.append((after.wakeups - before.wakeups) / took)
    seen.cpu.append((after.cpu - before.cpu) / took * 1000)


def _section(seen: dict[Tool, Seen], seconds: float) -> Section:
    section = Section(
        "A busy file that does not matter",
        f"A program writes a line to `notes.txt`, beside the .py files, {RATE} times a second for {seconds:g} s, as a "
        "log in the source tree is written. The file stays open. Nothing may start.",
    )
    rows: list[Sequence[str | float]] = [
        (tool.name, median(got.wakeups), median(got.cpu), got.starts) for tool, got in seen.items()
    ]
    section.tables.append(table(("", "wake-ups per s", "CPU ms per s", "starts"), rows))
    return section
