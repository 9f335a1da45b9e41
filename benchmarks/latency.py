"""How long from a save to the first instruction of the restarted command?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import tools
from benchmarks.tables import Section, median, p95, table
from benchmarks.tools import Tool
from benchmarks.watching import Ground

GIVEN_UP = 2.5
"""A save without a start of its own after so many seconds is counted as one that never got any."""


@dataclass
class Seen:
    """Of one tool."""

    latencies: list[float] = field(default_factory=list)
    saves: int = 0
    starts: int = 0
    missed: int = 0


def measure(scratch: Path, quick: bool) -> Section:
    """Save, wait for the start, pause at random; the tools take turns in rounds."""
    rounds, saves = (2, 6) if quick else (8, 25)
    rows = tools.available(
        tools.FLOOR, tools.AUTORELOAD, tools.AUTORELOAD_AT_ONCE, *tools.PEERS, tools.SEED_NAIVE, tools.SEED_POLL
    )
    return _section(latencies(scratch, rows, rounds, saves), rounds)


def latencies(scratch: Path, rows: Sequence[Tool], rounds: int, saves: int) -> dict[Tool, Seen]:
    """So many saves in each round, one after the other, with a command that tells when it starts."""
    ground = Ground(scratch, seed=1)
    file, *_ = ground.files
    seen = {tool: Seen() for tool in rows}
    for tool, _ in ground.turns(rows, rounds, [file]):
        _one_round(seen[tool], saves, file, ground)
    return seen


def _one_round(seen: Seen, saves: int, file: Path, ground: Ground) -> None:
    listener = ground.listener
    before = len(listener.starts)
    for _ in range(saves):
        at, word = ground.saver.save(file)
        start = listener.wait(lambda s, at=at, word=word: s.texts == (word,) and s.at >= at, GIVEN_UP)  # type: ignore[misc]
        seen.saves += 1
        if start:
            seen.latencies.append((start.at - at) / 1e6)
        else:
            seen.missed += 1
        time.sleep(ground.chance.uniform(0.1, 0.4))
    listener.listen(0.5)
    seen.starts += len(listener.starts) - before


def _section(seen: dict[Tool, Seen], rounds: int) -> Section:
    own = median(seen[tools.AUTORELOAD].latencies)
    section = Section(
        "From a save to the command's first instruction",
        f"One file of 200 in a small tree is written in place; {rounds} rounds, in each of which every tool has its "
        "turn, in random order; random pauses of 0.1 to 0.4 s after each start. The time runs from just before the "
        "file is opened for writing to the first instruction of the command, which then reads what was saved. A save "
        f"that no start had read after {GIVEN_UP:g} s had none of its own. Two rows show what settling costs: "
        "`--debounce 0`, and the library of watchfiles with its waits set to 1 ms (its command has no option for it).",
    )
    rows: list[Sequence[str | float]] = []
    for tool, got in seen.items():
        middle, starts = median(got.latencies), got.starts / max(1, got.saves)
        row = (tool.name, middle, p95(got.latencies), middle / own, starts, f"{got.missed} of {got.saves}")
        rows.append(row)
    head = ("", "median ms", "p95 ms", "x autoreload", "starts per save", "saves without a start of their own")
    section.tables.append(table(head, rows))
    middles = {tool: median(got.latencies) for tool, got in seen.items() if tool.is_peer and got.latencies}
    if middles:
        best = min(middles, key=lambda tool: middles[tool])
        text = f"under a third of the best peer's median ({best.name}, {middles[best]:.1f} ms); it is {own:.1f} ms"
        section.aim(text, own < middles[best] / 3)
    return section
