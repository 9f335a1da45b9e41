"""How long from the signal to the end, what is left when the tool is killed, and what does the guard weigh?"""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import tools
from benchmarks.peers import child, environment
from benchmarks.processes import Running, collect, descendants, named, usage, wait
from benchmarks.tables import Section, median, p95, table
from benchmarks.tools import Tool
from benchmarks.watching import FIRST_START, Listener, make_tree

GIVEN_UP = 2.0
DIRECT = "floor: kill and wait for the command itself"
GUARD = "reload-guard"


@dataclass
class Seen:
    """Of one tool, or of none."""

    command: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    left: int = 0
    killed: list[float] = field(default_factory=list)
    left_when_killed: int = 0
    runs: int = 0


def measure(scratch: Path, quick: bool) -> Section:
    """End each tool politely and, in every other run, with SIGKILL."""
    runs = 3 if quick else 10
    tree = scratch / "tree"
    file, *_ = make_tree(tree)
    listener, chance = Listener(scratch / "starts"), random.Random(6)
    rows = tools.available(tools.AUTORELOAD, *tools.PEERS, tools.SEED_NAIVE, tools.SEED_POLL)
    rows.remove(tools.WATCHFILES_LEAST)
    seen: dict[Tool | None, Seen] = {None: Seen(), **{tool: Seen() for tool in rows}}
    guards: list[tuple[float, float]] = []
    for _ in range(runs):
        for tool in chance.sample(list(seen), len(seen)):
            if tool is None:
                _without_tool(seen[None], file, listener)
                continue
            for number in (signal.SIGTERM, signal.SIGKILL):
                _one_end(tool, seen[tool], number, tree, file, listener, scratch, guards)
            seen[tool].runs += 1
    listener.close()
    return _section(seen, guards)


def _without_tool(seen: Seen, file: Path, listener: Listener) -> None:
    listener.clear()
    process = subprocess.Popen(child(listener.path, file), env=environment(), stdin=subprocess.DEVNULL)
    if listener.wait(lambda start: True, FIRST_START):
        before = time.monotonic()
        process.terminate()
        seen.command.append((wait(process, GIVEN_UP) - before) * 1000)
        seen.runs += 1
    else:
        wait(process, 0)


def _one_end(
    tool: Tool,
    seen: Seen,
    number: signal.Signals,
    tree: Path,
    file: Path,
    listener: Listener,
    scratch: Path,
    guards: list[tuple[float, float]],
) -> None:
    listener.clear()
    with Running(tool.argv(child(listener.path, file), str(scratch / "list")), tree, scratch / "errors") as running:
        start = listener.wait(lambda start: True, FIRST_START)
        if not start:
            print(f"    {tool.name} does not start: {running.complaint()}", flush=True)
            return
        listener.listen(0.4)
        pid = running.process.pid
        if tool is tools.AUTORELOAD:
            guards += [usage([guard])[:2] for guard in named(descendants(pid), GUARD)]
        times = _time_to_end((pid, start.pid), number)
        whole, command = times[pid], times[start.pid]
        if number == signal.SIGKILL:
            seen.left_when_killed += command is None
            seen.killed += [command] if command is not None else []
        else:
            seen.left += command is None or whole is None
            seen.command += [command] if command is not None else []
            seen.whole += [max(whole, command)] if whole is not None and command is not None else []


def _time_to_end(pids: tuple[int, int], number: signal.Signals) -> dict[int, float | None]:
    """Milliseconds from that signal to the first of them until each is dead; None: it outlived our patience."""
    ends: dict[int, float | None] = dict.fromkeys(pids)
    waiting = {os.pidfd_open(pid): pid for pid in pids}
    before = time.monotonic()
    os.kill(pids[0], number)
    while waiting and (left := before + GIVEN_UP - time.monotonic()) > 0:
        for descriptor in select.select(list(waiting), [], [], left)[0]:
            ends[waiting.pop(descriptor)] = (time.monotonic() - before) * 1000
            os.close(descriptor)
    for descriptor in waiting:
        os.close(descriptor)
    collect()
    return ends


def _section(seen: dict[Tool | None, Seen], guards: list[tuple[float, float]]) -> Section:
    section = Section(
        "From the signal to the end",
        "The tool is sent SIGTERM, and in other runs SIGKILL; the command dies of any signal at once. The end of each "
        "process is heard of through a pidfd; after SIGKILL that of the command only. What lives "
        f"{GIVEN_UP:g} s later was left behind.",
    )
    head = (
        "",
        "command gone ms",
        "p95",
        "tool gone too ms",
        "p95",
        "left behind",
        "tool killed: command gone ms",
        "left",
    )
    rows: list[Sequence[str | float]] = []
    for tool, got in seen.items():
        first = (tool.name if tool else DIRECT, median(got.command), p95(got.command))
        if not tool:
            rows.append((*first, "", "", "", "", ""))
            continue
        ends = (median(got.whole), p95(got.whole), f"{got.left} of {got.runs}")
        rows.append((*first, *ends, median(got.killed), f"{got.left_when_killed} of {got.runs}"))
    section.tables.append(table(head, rows))
    if guards:
        middle = median([pss for pss, _ in guards]), median([rss for _, rss in guards])
        section.findings.append(f"The guard process of autoreload: PSS {middle[0]:.1f} MB, RSS {middle[1]:.1f} MB.")
    own = seen[tools.AUTORELOAD]
    section.aim(
        f"nothing left behind; {own.left} after SIGTERM, {own.left_when_killed} after SIGKILL of the tool",
        own.runs > 0 and not own.left and not own.left_when_killed,
    )
    return section
