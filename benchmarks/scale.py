"""What does a tree of 1,000, 10,000, 100,000 folders cost: time until it is watched, memory, work when idle, a save?"""

from __future__ import annotations

import itertools
import os
import random
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import tools
from benchmarks.peers import child
from benchmarks.processes import Running, Usage, of_tool, usage
from benchmarks.tables import Section, median, number, table
from benchmarks.tools import Tool
from benchmarks.watching import Listener, Saver, Start

FILES = 10
"""In each folder."""
BETWEEN_SAVES = 0.1
"""More than any of the tools waits for another change: else a tool that waits for quiet would never restart."""
GIVEN_UP = 90.0
"""Seconds until a tool must have reacted."""
REST = 6.0
"""A tool is left alone for so long, and longer with more folders, before it is called idle, seconds."""
LIVELY = 30.0
"""Polling looks more often for so long after a change: that is not idle either."""
CALM, CALM_BY = 0.02, 240.0
"""Then it is waited for, so many seconds at most, until it takes less of a core than that."""
SAVES = 15
"""So many, once it is idle, give the latency."""
SAVE_GIVEN_UP = 10.0
LIMIT_OF_WATCHES = Path("/proc/sys/fs/inotify/max_user_watches")
OWN = (tools.AUTORELOAD, tools.AUTORELOAD_FANOTIFY, tools.AUTORELOAD_POLLING)


@dataclass
class Seen:
    """Of one tool, with one tree."""

    running: list[float] = field(default_factory=list)
    watching: list[float] = field(default_factory=list)
    memory: list[Usage] = field(default_factory=list)
    wakeups: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    note: str = ""


def measure(scratch: Path, quick: bool) -> Section:
    """One size after the other; with each, the tools take turns."""
    sizes = (1_000,) if quick else (1_000, 10_000, 100_000)
    idle = 2.0 if quick else 10.0
    section = Section(
        "Large trees: start, memory, idle, latency",
        f"Each folder holds {FILES} .py files, 1,000,000 in the largest tree; three levels; all is read before each "
        "round, so that the disk has no part in it. From before `exec` of the tool until it restarts the command for a "
        "file of the folder that was made first, in another round for one of the last; the slower of the two is given, "
        "since a tool may get to some folders late. The file is saved every "
        f"{BETWEEN_SAVES * 1000:.0f} ms until then, beginning at a random moment: that is how exact the time is. The "
        "command itself runs before. Memory is that of all processes of the tool without the command; PSS divides "
        "shared pages among their users. What the kernel holds for each watch (about 1 kB) is not in it. Idle: "
        f"voluntary context switches of all threads, and their time on a core, over {idle:g} s in which nothing "
        f"changes, begun some seconds later; with polling {LIVELY:g} s more, as it looks more often after a change; "
        f"and not before the tool has come to rest (under {CALM:.0%} of a core, or {CALM_BY:g} s later). "
        f"Then a file of the last folder is saved {SAVES} times: the median from just before the save to the first "
        "instruction of the restarted command.",
    )
    rows = tools.available(*OWN, *tools.PEERS, *tools.WATCHERS)
    rows.remove(tools.WATCHFILES_LEAST)
    slow: dict[Tool, float] = {}
    for size in sizes:
        if LIMIT_OF_WATCHES.exists() and int(LIMIT_OF_WATCHES.read_text()) < size * 1.1:
            section.findings.append(f"{size:,} folders are left out: fs.inotify.max_user_watches is too low here.")
            continue
        seen = _one_size(size, rows, slow, idle, scratch)
        section.tables.append(_table(size, seen, idle))
        _judge(section, size, seen, idle)
    return section


def _judge(section: Section, size: int, seen: dict[Tool, Seen], idle: float) -> None:
    own = seen[tools.AUTORELOAD]
    section.aim(
        f"no wake-ups when idle, with {size:,} folders; {sum(own.wakeups):.0f} in {len(own.wakeups)} x {idle:g} s",
        bool(own.wakeups) and not sum(own.wakeups),
    )
    polling, fanotify = seen.get(tools.AUTORELOAD_POLLING), seen.get(tools.AUTORELOAD_FANOTIFY)
    if polling is not None and polling.cpu and size * FILES == 10_000:
        share = median(polling.cpu) / 10
        section.aim(f"polling 10,000 files takes under 2 % of a core when idle; {share:.2f} %", share < 2)
    if size < 100_000:
        return
    theirs = {tool: max(got.watching) for tool, got in seen.items() if tool.is_peer and not got.note and got.watching}
    if theirs and own.watching:
        best, took = min(theirs, key=lambda tool: theirs[tool]), max(own.watching)
        text = f"watching {size:,} folders in under half the time of the best peer"
        section.aim(f"{text} ({best.name}, {theirs[best]:.2f} s); {took:.2f} s", took < theirs[best] / 2)
    if fanotify is not None and fanotify.watching:
        took = max(fanotify.watching)
        section.aim(f"watching {size:,} folders with fanotify in under 0.2 s; {took:.2f} s", took < 0.2)


def _one_size(size: int, rows: list[Tool], slow: dict[Tool, float], idle: float, scratch: Path) -> dict[Tool, Seen]:
    print(f"    making {size:,} folders", flush=True)
    tree = scratch / f"tree{size}"
    files = _grow(tree, size)
    listener, saver, chance = Listener(scratch / "starts"), Saver(), random.Random(3)
    seen = {tool: Seen() for tool in rows}
    for tool in rows:
        if slow.get(tool, 0) * 10 > GIVEN_UP:
            seen[tool].note = f"left out: {slow[tool]:.0f} s with a tenth of the folders"
    for count, file in enumerate(files):
        # After the last one: a tool that was asked for the first may still be at work on the others.
        seconds = idle if count == len(files) - 1 else 0
        _read(tree)
        for tool in chance.sample(rows, len(rows)):
            if not seen[tool].note:
                print(f"        {tool.name}", flush=True)
                rest = REST + size / 20_000 + (LIVELY if tool is tools.AUTORELOAD_POLLING else 0)
                _one_start(tool, seen[tool], tree, file, listener, saver, chance, seconds, rest)
    listener.close()
    shutil.rmtree(tree)
    slow |= {tool: GIVEN_UP if got.note else max(got.watching) for tool, got in seen.items()}
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
    rest: float,
) -> None:
    listener.clear()
    beside = tree.parent
    with Running(tool.argv(child(listener.path, file), str(beside / "list")), tree, beside / "errors") as running:
        while not (first := listener.wait(lambda start: True, 1.0)):
            if running.process.poll() is None and time.monotonic_ns() < running.started + GIVEN_UP * 1e9:
                continue
            seen.note = f"did not start the command: {running.complaint()[-60:]}"
            return
        seen.running.append((first.at - running.started) / 1e9)
        listener.listen(chance.uniform(0, BETWEEN_SAVES))
        deadline = running.started + int(GIVEN_UP * 1e9)
        reaction = _reaction(file, listener, saver, deadline)
        if not reaction:
            seen.note = f"did not react within {GIVEN_UP:.0f} s"
            return
        seen.watching.append((reaction.at - running.started) / 1e9)
        if not idle:
            return
        listener.listen(rest)
        own = of_tool(running.process.pid, {start.pid for start in listener.starts})
        _wait_until_calm(own)
        before, began = usage(own), time.monotonic()
        time.sleep(idle)
        after, seconds = usage(own), time.monotonic() - began
        seen.memory.append(before)
        seen.wakeups.append(after.wakeups - before.wakeups)
        seen.cpu.append((after.cpu - before.cpu) / seconds * 1000)
        seen.latencies += _latencies(file, listener, saver, chance)


def _wait_until_calm(pids: list[int]) -> None:
    """As long as work is done in the background (contents are read), it is not idle; that takes its time."""
    deadline = time.monotonic() + CALM_BY
    while time.monotonic() < deadline:
        before = usage(pids).cpu
        time.sleep(2)
        if usage(pids).cpu - before < 2 * CALM:
            return


def _latencies(file: Path, listener: Listener, saver: Saver, chance: random.Random) -> Iterator[float]:
    """ms from a save to the start that read it; none follow one that had no start."""
    for _ in range(SAVES):
        at, word = saver.save(file)
        start = listener.wait(lambda s, word=word: s.texts == (word,), SAVE_GIVEN_UP)  # type: ignore[misc]
        if not start:
            return
        yield (start.at - at) / 1e6
        listener.listen(chance.uniform(0.2, 0.5))


def _reaction(file: Path, listener: Listener, saver: Saver, deadline: int) -> Start | None:
    """Save the file again and again until a start follows. `deadline`: monotonic nanoseconds."""
    listener.clear()
    while time.monotonic_ns() < deadline:
        saver.save(file)
        if start := listener.wait(lambda start: True, BETWEEN_SAVES):
            return start
    return None


def _read(tree: Path) -> None:
    """Have it all in the caches of the kernel."""
    for folder, _, names in os.walk(tree):
        for name in names:
            os.stat(os.path.join(folder, name))


def _table(size: int, seen: dict[Tool, Seen], idle: float) -> str:
    columns = (
        "command runs after s,watching after s,x autoreload,PSS MB,RSS MB,idle: wake-ups per s,CPU ms per s,save ms"
    )
    rows: list[Sequence[str | float]] = []
    own = max(seen[tools.AUTORELOAD].watching, default=float("nan"))
    for tool, got in seen.items():
        if got.note or not got.memory:
            rows.append((tool.name, number(median(got.running)), got.note, *[""] * 6))
            continue
        memory = median([one.pss for one in got.memory]), median([one.rss for one in got.memory])
        watching = max(got.watching), max(got.watching) / own
        work = median(got.wakeups) / idle, median(got.cpu), median(got.latencies)
        rows.append((tool.name, median(got.running), *watching, *memory, *work))
    return table((f"{size:,} folders, {size * FILES:,} files", *columns.split(",")), rows)


def _grow(tree: Path, size: int) -> list[Path]:
    """Make a tree of `size` folders with their files. Returns one of the first and of the last folder."""

    def folders() -> Iterator[Path]:
        for top in itertools.count():
            yield tree / f"d{top}"
            for middle in range(10):
                yield tree / f"d{top}" / f"e{middle}"
                yield from (tree / f"d{top}" / f"e{middle}" / f"f{leaf}" for leaf in range(20))

    tree.mkdir()
    files = [folder / "module0.py" for folder in itertools.islice(folders(), size)]
    for file in files:
        file.parent.mkdir()
        for number_in_folder in range(FILES):
            descriptor = os.open(file.parent / f"module{number_in_folder}.py", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC)
            os.write(descriptor, b"start\n")
            os.close(descriptor)
    return [files[0], files[-1]]
