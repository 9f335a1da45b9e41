"""Numbers to words: medians, tables in Markdown, and whether an aim was met."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


def median(values: Sequence[float]) -> float:
    """NaN if there are none."""
    return statistics.median(values) if values else float("nan")


def p95(values: Sequence[float]) -> float:
    """95 of 100 are no greater. NaN if there are none."""
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.95))] if values else float("nan")


def number(value: float) -> str:
    """With three significant digits, or as `-` if there is none."""
    if value != value:
        return "-"
    if value == 0:
        return "0"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str | float]]) -> str:
    """Names to the left, numbers to the right."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    for row in rows:
        cells = [
            cell if isinstance(cell, str) else str(cell) if isinstance(cell, int) else number(cell) for cell in row
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


@dataclass
class Section:
    """The answer to one question."""

    title: str
    method: str
    tables: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    def aim(self, text: str, met: bool) -> None:
        """Note whether an aim was met in this run."""
        self.findings.append(f"Aim: {text}: **{'met' if met else 'missed'}**.")

    def markdown(self, load: tuple[float, float], minutes: float) -> str:
        """As it stands in the page. `load`: the load average before and after."""
        parts = [f"## {self.title}", self.method, *self.tables]
        if self.findings:
            parts.append("\n".join(f"- {finding}" for finding in self.findings))
        parts.append(f"Load average before and after: {load[0]:.1f} and {load[1]:.1f}; it took {minutes:.0f} min.")
        return "\n\n".join(parts) + "\n"
