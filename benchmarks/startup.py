"""How long until `--help` is printed, and until the command runs?"""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import peers, tools
from benchmarks.processes import Running, wait
from benchmarks.tables import Section, median, p95, table
from benchmarks.tools import Tool
from benchmarks.watching import FIRST_START, Listener, make_tree

SPAWN = "import posix, sys; posix.posix_spawn(sys.argv[1], sys.argv[1:], posix.environ); posix.waitpid(-1, 0)"
SPAWN_FLOOR = Tool(
    "floor: python -I -S -c, posix_spawn",
    lambda command, _: [str(peers.PYTHON), "-I", "-S", "-c", SPAWN, *command],
    is_peer=False,
)
HELP: dict[str, tuple[Tool | None, list[str]]] = {
    "floor: python -I -S -c pass": (None, [str(peers.PYTHON), "-I", "-S", "-c", "pass"]),
    "floor: python -c pass": (None, [str(peers.PYTHON), "-c", "pass"]),
    "autoreload --help": (tools.AUTORELOAD, [str(peers.BIN / "autoreload"), "--help"]),
    "watchfiles --help": (tools.WATCHFILES, [str(peers.BIN / "watchfiles"), "--help"]),
    "watchmedo --help": (tools.WATCHMEDO, [str(peers.BIN / "watchmedo"), "--help"]),
    "nodemon --help": (tools.NODEMON, [str(peers.NODEMON), "--help"]),
    "entr (its usage; it has no --help)": (tools.ENTR_TOOL, ["entr", "-?"]),
}


def measure(scratch: Path, quick: bool) -> Section:
    """Both, in turns."""
    runs = 8 if quick else 40
    chance = random.Random(4)
    section = Section(
        "Start-up",
        f"The whole process from before `exec` to its end, and from before `exec` to the command's first instruction; "
        f"each {runs} times, in turns, in random order; a small tree of 200 files; files in the page cache.",
    )
    _help(section, runs, chance)
    _first_start(section, runs, chance, scratch)
    return section


def _help(section: Section, runs: int, chance: random.Random) -> None:
    calls = {name: argv for name, (tool, argv) in HELP.items() if tool is None or tools.available(tool)}
    times: dict[str, list[float]] = {name: [] for name in calls}
    environment = peers.environment()
    for run in range(runs + 1):
        for name in chance.sample(list(calls), len(calls)):
            before = time.monotonic()
            process = subprocess.Popen(
                calls[name],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            took = (wait(process, 30) - before) * 1000
            if run:  # the first one fills the caches
                times[name].append(took)
    own = median(times["autoreload --help"])
    rows: list[Sequence[str | float]] = [
        (name, median(values), p95(values), median(values) / own) for name, values in times.items()
    ]
    section.tables.append(table(("", "median ms", "p95 ms", "x autoreload"), rows))
    if "watchfiles --help" in times:
        theirs = median(times["watchfiles --help"])
        section.aim(f"--help in under half the time of watchfiles ({theirs:.0f} ms); {own:.0f} ms", own < theirs / 2)


def _first_start(section: Section, runs: int, chance: random.Random, scratch: Path) -> None:
    tree = scratch / "tree"
    file, *_ = make_tree(tree)
    listener = Listener(scratch / "starts")
    rows = tools.available(tools.FLOOR, SPAWN_FLOOR, tools.AUTORELOAD, *tools.PEERS, tools.SEED_NAIVE, tools.SEED_POLL)
    times: dict[Tool, list[float]] = {tool: [] for tool in rows}
    for run in range(runs + 1):
        for tool in chance.sample(rows, len(rows)):
            listener.clear()
            argv = tool.argv(peers.child(listener.path, file), str(scratch / "list"))
            with Running(argv, tree, scratch / "errors") as running:
                start = listener.wait(lambda start: True, FIRST_START)
                if start and run:
                    times[tool].append((start.at - running.started) / 1e6)
                time.sleep(0.05)
    listener.close()
    own = median(times[tools.AUTORELOAD])
    section.tables.append(
        table(
            ("exec of the tool to first instruction of the command", "median ms", "p95 ms", "x autoreload"),
            [(tool.name, median(values), p95(values), median(values) / own) for tool, values in times.items()],
        )
    )
