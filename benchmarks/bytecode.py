"""Edits of equal size in quick succession: how many does a restarted Python program not see?

Python trusts cached bytecode if the source has the same size and the same mtime, in whole seconds.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import tools
from benchmarks.peers import PYTHON
from benchmarks.processes import Running
from benchmarks.tables import Section, table
from benchmarks.tools import Tool
from benchmarks.watching import FIRST_START, Listener

EDITS = 24
APART = 0.12
SETTLED = 8.0
"""So long after the last edit a program may still start that sees it, seconds."""
PROGRAM = """\
import os, signal, sys, time
at = time.monotonic_ns()
with open(sys.argv[2]) as file:
    before = file.read().strip().strip("'")
import module
with open(sys.argv[2]) as file:
    after = file.read().strip().strip("'")
fifo = os.open(sys.argv[1], os.O_WRONLY | os.O_NONBLOCK)
os.write(fifo, f"{at} {os.getpid()} {before} {after} {module.__doc__}\\n".encode())
while True:
    signal.pause()
"""


@dataclass
class Seen:
    """Of one tool."""

    rounds: int = 0
    old: int = 0
    unseen: int = 0
    ended_old: int = 0


def measure(scratch: Path, quick: bool) -> Section:
    """24 edits of one module, and who ran which of them."""
    rounds = 1 if quick else 3
    tree = scratch / "tree"
    (tree / "pkg").mkdir(parents=True)
    (tree / "app.py").write_text(PROGRAM)
    module = tree / "module.py"
    listener, chance = Listener(scratch / "starts"), random.Random(5)
    rows = tools.available(tools.AUTORELOAD, *tools.PEERS, tools.SEED_NAIVE, tools.SEED_POLL)
    rows.remove(tools.WATCHFILES_LEAST)
    seen = {tool: Seen() for tool in rows}
    for _ in range(rounds):
        for tool in chance.sample(rows, len(rows)):
            _one_round(tool, seen[tool], tree, module, listener, scratch)
    listener.close()
    section = Section(
        "Old bytecode",
        f"A Python program imports a module that is edited {EDITS} times, {APART * 1000:.0f} ms apart, each time with "
        "the same size. Python trusts its cached bytecode if size and mtime, in whole seconds, are those of the "
        "source; so a restart within the second may run the old code. An edit is served old if a program that found "
        "its text in the file had imported something else; it is unseen if no program found it there. `ended old`: "
        f"{SETTLED:g} s after the last edit, the program that was started last still runs something else.",
    )
    table_rows: list[Sequence[str | float]] = [
        (
            tool.name,
            f"{got.old} of {got.rounds * EDITS}",
            f"{got.unseen} of {got.rounds * EDITS}",
            f"{got.ended_old} of {got.rounds}",
        )
        for tool, got in seen.items()
    ]
    section.tables.append(table(("", "edits served by old bytecode", "unseen", "ended old"), table_rows))
    own = seen[tools.AUTORELOAD]
    section.aim(f"no edit served by old bytecode; there were {own.old}", own.rounds > 0 and not own.old)
    return section


def _one_round(tool: Tool, seen: Seen, tree: Path, module: Path, listener: Listener, scratch: Path) -> None:
    for cached in tree.rglob("*.pyc"):
        cached.unlink()
    _edit(module, "edit00")
    listener.clear()
    # Not -B, and -E: whatever the environment says, bytecode is cached.
    command = [str(PYTHON), "-S", "-E", str(tree / "app.py"), str(listener.path), str(module)]
    with Running(tool.argv(command, str(scratch / "list")), tree, scratch / "errors") as running:
        if not listener.wait(lambda start: True, FIRST_START):
            print(f"    {tool.name} does not start: {running.complaint()}", flush=True)
            return
        listener.listen(1.5)
        words = [f"edit{number + 1:02}" for number in range(EDITS)]
        began = time.monotonic()
        for number, word in enumerate(words):
            listener.listen(began + number * APART - time.monotonic())
            _edit(module, word)
        listener.wait(lambda start: start.texts[2] == words[-1], SETTLED)
        listener.listen(1.0)
    settled = [start for start in listener.starts if start.texts[0] == start.texts[1]]
    seen.rounds += 1
    seen.old += len({start.texts[0] for start in settled if start.texts[2] != start.texts[0]} & set(words))
    seen.unseen += len(set(words) - {start.texts[0] for start in settled})
    seen.ended_old += max(listener.starts).texts[2] != words[-1]


def _edit(path: Path, word: str) -> None:
    """Write it in one go, as a program that is just starting must not find half of it."""
    beside = path.with_suffix(".new")
    beside.write_text(f"'{word}'\n")
    os.replace(beside, path)
