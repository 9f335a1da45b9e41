"""What does comparing the contents of files cost between a save and the start that follows?"""

from __future__ import annotations

from pathlib import Path

from benchmarks import tools
from benchmarks.latency import latencies
from benchmarks.tables import Section, median, p95, table

MEASURABLE = 0.05
"""Of the latency; less is lost in the noise of one run."""


def measure(scratch: Path, quick: bool) -> Section:
    """With and without it, in turns."""
    rounds, saves = (2, 6) if quick else (10, 20)
    seen = latencies(scratch, [tools.AUTORELOAD, tools.AUTORELOAD_UNCOMPARED], rounds, saves)
    times = {tool: got.latencies for tool, got in seen.items()}
    without = median(times[tools.AUTORELOAD_UNCOMPARED])
    section = Section(
        "What the comparison of contents costs",
        "A restart is spared if a file is what it was. That is found out between the save and the stop of the old "
        f"process, while the burst settles. The method is that of the first table, in {rounds} rounds of {saves} saves "
        "each.",
    )
    head = ("", "median ms", "p95 ms", "x without")
    rows = [(tool.name, median(values), p95(values), median(values) / without) for tool, values in times.items()]
    section.tables.append(table(head, rows))
    more = median(times[tools.AUTORELOAD]) / without - 1
    section.aim(f"no measurable cost (under {MEASURABLE:.0%}); it is {more:+.1%}", more < MEASURABLE)
    return section
