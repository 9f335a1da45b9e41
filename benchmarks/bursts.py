"""How many starts does a burst of saves cause, and does the last one see what was saved last?"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import tools
from benchmarks.tables import Section, median, table
from benchmarks.tools import Tool
from benchmarks.watching import Ground, Listener, Saver

QUIET = 0.45
"""A burst is over when its last content runs and nothing has started for so long, seconds."""
CLOSE = 0.003
"""Pauses that are well below any settling time: whoever starts twice then has not settled at all, seconds."""
GIVEN_UP = 3.0
"""Or when nothing has started for so long, whatever runs: then it is stale."""


@dataclass
class Seen:
    """Of one tool."""

    starts: list[int] = field(default_factory=list)
    starts_if_close: list[int] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    stale: int = 0


def measure(scratch: Path, quick: bool) -> Section:
    """2 to 8 saves of 1 to 3 files within 0 to 20 ms; the tools take turns."""
    rounds, bursts = (1, 6) if quick else (4, 26)
    ground = Ground(scratch, seed=2)
    rows = tools.available(
        tools.FLOOR, tools.AUTORELOAD, tools.AUTORELOAD_AT_ONCE, *tools.PEERS, tools.SEED_NAIVE, tools.SEED_POLL
    )
    seen = {tool: Seen() for tool in rows}
    for tool, _ in ground.turns(rows, rounds, ground.files):
        for _ in range(bursts):
            _burst(seen[tool], ground.files, ground.listener, ground.saver, ground.chance)
    return _section(seen)


def _burst(seen: Seen, files: list[Path], listener: Listener, saver: Saver, chance: random.Random) -> None:
    saves, span = chance.randint(2, 8), chance.uniform(0, 0.02)
    among = chance.sample(files, chance.randint(1, 3))
    listener.clear()
    for number in range(saves):
        last, _ = saver.save(chance.choice(among))
        if number < saves - 1:
            time.sleep(span / (saves - 1))
    truth = tuple(path.read_text().strip() for path in files)
    quiet_since = time.monotonic()
    while True:
        latest = max(listener.starts, default=None)
        fresh = latest is not None and latest.texts == truth
        left = quiet_since + (QUIET if fresh else GIVEN_UP) - time.monotonic()
        if left <= 0:
            break
        heard = len(listener.starts)
        if listener.wait(lambda start, heard=heard: listener.starts.index(start) >= heard, left):  # type: ignore[misc]
            quiet_since = time.monotonic()
    seen.starts.append(len(listener.starts))
    if span / (saves - 1) < CLOSE:
        seen.starts_if_close.append(len(listener.starts))
    if latest is not None and fresh:
        seen.delays.append((latest.at - last) / 1e6)
    else:
        seen.stale += 1


def _section(seen: dict[Tool, Seen]) -> Section:
    section = Section(
        "Bursts",
        "2 to 8 saves of 1 to 3 files within 0 to 20 ms, at random. The command reads all three files at its start; a "
        f"burst ended stale if the command that was started last, {GIVEN_UP:g} s later, had not read what was saved "
        "last. The delay is that from the last save to the last start, where that is not stale.",
    )
    rows: list[Sequence[str | float]] = []
    for tool, got in seen.items():
        count = len(got.starts)
        starts = sum(got.starts) / count if count else float("nan")
        close = sum(got.starts_if_close) / len(got.starts_if_close) if got.starts_if_close else float("nan")
        last = (max(got.starts, default=0), f"{got.stale} of {count}", median(got.delays))
        rows.append((tool.name, starts, close, *last))
    head = ("", "starts per burst", f"if pauses < {CLOSE * 1000:.0f} ms", "most", "ended stale", "median delay ms")
    section.tables.append(table(head, rows))
    own = seen[tools.AUTORELOAD]
    if own.starts:
        average = sum(own.starts) / len(own.starts)
        section.aim(f"1.0 starts per burst; it is {average:.2f}", average < 1.05)
        section.aim(f"no stale ending; there were {own.stale}", not own.stale)
    return section
