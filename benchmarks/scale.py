"""What does a tree of 1,000, 10,000, 100,000 folders cost: time until it is watched, memory, and work when idle?"""

from __future__ import annotations

import itertools
import random
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import tools
from benchmarks.peers import child
from benchmarks.processes import Running, Usage, end_all, of_tool, usage
from benchmarks.tables import Section, median, table
from benchmarks.tools import Tool
from benchmarks.watching import FIRST_START, Listener, Saver

BETWEEN_SAVES = 0.1
"""More than any of the tools waits for another change: else a tool that waits for quiet would never restart."""
GIVEN_UP = 90.0
"""Seconds until a tool must have reacted."""
LIMIT_OF_WATCHES = Path("/proc/sys/fs/inotify/max_user_watches")


@dataclass
class Seen:
    """Of one tool, with one tree."""

    watching: list[float] = field(default_factory=list)
    memory: list[Usage] = field(default_factory=list)
    wakeups: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    note: str = ""


def measure(scratch: Path, quick: bool) -> Section:
    """One size after the other; with each, the tools take turns."""
    sizes = (1_000,) if quick else (1_000, 10_000, 100_000)
    idle = 2.0 if quick else 10.0
    section = Section(
        "Large trees: start, memory, idle",
        "Each folder holds one .py file; three levels. From before `exec` of the tool until a save of the file in the "
        "folder that was made last has restarted the command: it is saved every "
        f"{BETWEEN_SAVES * 1000:.0f} ms until then, beginning at a random moment, so that is how exact the time is. "
        "Memory is that of all processes of the tool without the command; PSS divides shared pages among their users. "
        "What the kernel holds for each watch (about 1 kB) is not in it. Idle: voluntary context switches of all "
        f"threads, and their time on a core, over {idle:g} s in which nothing changes, begun 2 s after the restart.",
    )
    rows = tools.available(tools.AUTORELOAD, *tools.PEERS, tools.SEED_NAIVE, tools.SEED_POLL)
    rows.remove(tools.WATCHFILES_LEAST)
    slow: dict[Tool, float] = {}
    for size in sizes:
        if LIMIT_OF_WATCHES.exists() and int(LIMIT_OF_WATCHES.read_text()) < size * 1.1:
            section.findings.append(f"{size:,} folders are left out: fs.inotify.max_user_watches is too low here.")
            continue
        seen = _one_size(size, rows, slow, 1 if quick or size > 10_000 else 2, idle, scratch)
        section.tables.append(_table(size, seen, idle))
        own = seen[tools.AUTORELOAD]
        section.aim(
            f"no wake-ups when idle, with {size:,} folders; {sum(own.wakeups):.0f} in {len(own.wakeups)} x {idle:g} s",
            not sum(own.wakeups),
        )
    return section


def _one_size(
    size: int, rows: list[Tool], slow: dict[Tool, float], rounds: int, idle: float, scratch: Path
) -> dict[Tool, Seen]:
    print(f"    making {size:,} folders", flush=True)
    tree = scratch / f"tree{size}"
    file = _grow(tree, size)
    listener, saver, chance = Listener(scratch / "starts"), Saver(), random.Random(3)
    seen = {tool: Seen() for tool in rows}
    for tool in rows:
        if slow.get(tool, 0) * 10 > GIVEN_UP:
            seen[tool].note = f"left out: {slow[tool]:.0f} s with a tenth of the folders"
    for _ in range(rounds):
        for tool in chance.sample(rows, len(rows)):
            if not seen[tool].note:
                _one_start(tool, seen[tool], tree, file, listener, saver, chance, idle)
    listener.close()
    shutil.rmtree(tree)
    slow |= {tool: median(got.watching) if got.watching else GIVEN_UP for tool, got in seen.items()}
    return seen


def _one_start(
    tool: Tool,
    seen: Seen,
    tree: Path,
    file: Path,
    listener: Listener,
    saver: Saver,
    chance: random.Random,
    idle: float,
) -> None:
    listener.clear()
    file.write_text("start\n")
    beside = tree.parent
    with Running(tool.argv(child(listener.path, file), str(beside / "list")), tree, beside / "errors") as running:
        if not listener.wait(lambda start: True, max(FIRST_START, GIVEN_UP)):
            seen.note = "did not start the command"
            return
        listener.listen(chance.uniform(0, BETWEEN_SAVES))
        restart, first = None, len(listener.starts)
        while not restart and time.monotonic_ns() < running.started + GIVEN_UP * 1e9:
            saver.save(file)
            restart = listener.wait(lambda start: listener.starts.index(start) >= first, BETWEEN_SAVES)
        if not restart:
            seen.note = f"did not react within {GIVEN_UP:.0f} s"
            return
        seen.watching.append((restart.at - running.started) / 1e9)
        listener.listen(2.0)
        own = of_tool(running.process.pid, {start.pid for start in listener.starts})
        before, began = usage(own), time.monotonic()
        time.sleep(idle)
        after, seconds = usage(own), time.monotonic() - began
        seen.memory.append(before)
        seen.wakeups.append(after.wakeups - before.wakeups)
        seen.cpu.append((after.cpu - before.cpu) / seconds * 1000)
    end_all()


def _table(size: int, seen: dict[Tool, Seen], idle: float) -> str:
    head = (f"{size:,} folders", "watching after s", "PSS MB", "RSS MB", "idle: wake-ups per s", "CPU ms per s")
    rows: list[Sequence[str | float]] = []
    for tool, got in seen.items():
        if not got.watching:
            rows.append((tool.name, got.note, "", "", "", ""))
            continue
        memory = median([one.pss for one in got.memory]), median([one.rss for one in got.memory])
        rows.append((tool.name, median(got.watching), *memory, median(got.wakeups) / idle, median(got.cpu)))
    return table(head, rows)


def _grow(tree: Path, size: int) -> Path:
    """Make a tree of `size` folders with a file each. Returns the file of the last one."""

    def folders() -> Iterator[Path]:
        for top in itertools.count():
            yield tree / f"d{top}"
            for middle in range(10):
                yield tree / f"d{top}" / f"e{middle}"
                yield from (tree / f"d{top}" / f"e{middle}" / f"f{leaf}" for leaf in range(20))

    tree.mkdir()
    folder = tree
    for folder in itertools.islice(folders(), size):
        folder.mkdir()
        (folder / "module.py").write_text("start\n")
    return folder / "module.py"
