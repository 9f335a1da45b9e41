"""Which of the hard cases of watching does a tool notice, lose, or restart for in vain? Writes docs/hard-cases.md.

The cells of tools that are not asked for again are kept: they are in benchmarks/cases.json, with the day of their run.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import peers, processes, tools
from benchmarks.hard_cases import CASES, LIMIT_OF_WATCHES, Case, World
from benchmarks.processes import Running, end_all
from benchmarks.tables import table
from benchmarks.watching import FIRST_START, Listener, get_ready

PAGE = peers.ROOT / "docs" / "hard-cases.md"
KEPT = peers.HERE / "cases.json"
AT_ONCE = 4
"""So many tools have their turn at the same time: nothing is measured, so they may."""
QUIET = 1.0
"""After a change was noticed, further starts are counted for so long, seconds."""
CALM = 3.0
"""For so long nothing happens before what must not restart the command: contents are read in the background."""
VAIN = 2.5
"""So long is waited for a start that should not be."""
REPORTER = str(peers.HERE / "reporter.py")
FEW_WATCHES = f'echo {LIMIT_OF_WATCHES} >/proc/sys/user/max_inotify_watches; exec "$@"'

ENTR = 'tree=$2; list=$1; shift 2; find "$tree" -name "*.py" >"$list"; exec entr -n -r "$@" <"$list"'
Argv = Callable[[list[str], Path, Path], list[str]]
"""From the command, the tree, and a path beside it that the tool may use, to what is executed."""


INTRODUCTION = """\
Made by `benchmarks/run cases`: every cell is what happened in a run. `benchmarks/run cases --only autoreload` asks \
only the tools whose names begin so, and keeps the other cells. Do not edit it by hand.

Each case has a tree of its own. The tool watches the `.py` files in it and restarts a command that tells, through a \
pipe, what it reads in the files of the case at its start. A case begins when the tool has answered a save; \
what must not restart the command, {calm} s later.

- `noticed`: a command that read the last text was started within {limit} s (longer for the flood and FUSE), and is \
the one that runs. `+2`: it was started twice more than it had to be.
- `lost`: nothing was started. `stale`: something was, but what runs in the end has not read what was saved last.
- `ends`: the tool itself ended, with an error.
- `quiet`: nothing was started, and nothing had to be. `in vain 2`: two starts all the same.

`autoreload` is what it does by itself (inotify, and polling where that tells nothing); the next two have `--backend` \
set. `entr` and `hupper` are given the list of files that there is at their start; the two loops restart the command \
for each line that `inotifywait -m` and `watchman-wait -m 0` print. {versions}.
"""


class Column(NamedTuple):
    """One tool."""

    name: str
    needs: str
    """A program, or the path of one."""
    argv: Argv
    python_only: bool = False
    """It starts a Python module, not a command."""


def _own(*options: str) -> Argv:
    program = str(peers.BIN / "autoreload")
    return lambda command, tree, beside: [program, *options, "--watch", str(tree), "-e", ".py", "--", *command]


def _shell(script: str, *words: str) -> Argv:
    return lambda command, tree, beside: ["/bin/bash", "-c", script, "sh", str(beside), str(tree), *words, *command]


def _as_module(*words: str) -> Argv:
    """A tool that starts reporter.py as a module, whose words are in a variable then. `{tree}` is filled in."""
    return lambda command, tree, beside: [
        *("env", f"REPORTER={' '.join(command)}", f"PYTHONPATH={peers.HERE}"),
        *(word.format(tree=tree) for word in words),
    ]


BIN = str(peers.BIN) + "/"
COLUMNS = (
    Column("autoreload", BIN + "autoreload", _own()),
    Column("autoreload, fanotify", BIN + "autoreload", _own("--backend", "fanotify")),
    Column("autoreload, polling", BIN + "autoreload", _own("--backend", "polling")),
    Column(
        "nodemon",
        str(peers.NODEMON),
        lambda command, tree, beside: [
            *(str(peers.NODEMON), "-q", "-I", "-e", "py", "-w", str(tree), "-x", " ".join(command)),
        ],
    ),
    Column(
        "watchfiles",
        BIN + "watchfiles",
        lambda command, tree, beside: [
            *(BIN + "watchfiles", "--filter", "python", "--target-type", "command", " ".join(command), str(tree)),
        ],
    ),
    Column(
        "watchmedo",
        BIN + "watchmedo",
        lambda command, tree, beside: [
            *(BIN + "watchmedo", "auto-restart", "-d", str(tree), "-R", "-p", "*.py;**/*.py", "--", *command),
        ],
    ),
    Column("entr", "entr", _shell(ENTR)),
    Column("inotifywait, in a loop", "inotifywait", _shell(tools.INOTIFYWAIT)),
    Column("watchman-wait, in a loop", "watchman", _shell(tools.WATCHMAN, tools.WATCHMAN_WAIT)),
    Column(
        "uvicorn",
        BIN + "uvicorn",
        _as_module(BIN + "uvicorn", "--reload", "--reload-dir", "{tree}", "--port", "0", "reporter:app"),
        python_only=True,
    ),
    Column(
        "hupper",
        BIN + "hupper",
        _as_module(BIN + "hupper", "-m", "reporter", "-w", "{tree}/**/*.py"),
        python_only=True,
    ),
)


def write(only: Sequence[str]) -> None:
    """Ask the columns whose names begin with one of the words in `only` (none: all), and write the page."""
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    chosen = [column for column in COLUMNS if not only or column.name.startswith(tuple(only))]
    asked = [column for column in chosen if shutil.which(column.needs)]
    for name, cells in zip([column.name for column in asked], _side_by_side(asked), strict=True):
        kept[name] = {"day": time.strftime("%Y-%m-%d"), "cells": cells}
    kept["versions"] = peers.versions()
    KEPT.write_text(json.dumps(kept, indent=1) + "\n")
    PAGE.write_text(_page(kept))


def _side_by_side(columns: list[Column]) -> list[dict[str, str]]:
    """The cells of each. Each column is asked in a process of its own, which adopts what its tool leaves behind."""
    results = [Path(tempfile.mkstemp(prefix="cases-")[1]) for _ in columns]
    running: set[int] = set()
    try:
        for column, result in zip(columns, results, strict=True):
            if len(running) == AT_ONCE:
                running.discard(os.wait()[0])
            running.add(_fork(column, result))
        while running:
            running.discard(os.wait()[0])
    finally:  # interrupted: each ends its tool, and unmounts
        for pid in running:
            os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)
    cells = [json.loads(result.read_text() or "{}") for result in results]
    for result in results:
        result.unlink()
    return cells


def _fork(column: Column, result: Path) -> int:
    pid = os.fork()
    if not pid:
        try:
            processes.adopt_orphans()
            result.write_text(json.dumps(dict(_ask(column))))
        finally:
            os._exit(0)
    return pid


def _ask(column: Column) -> Iterator[tuple[str, str]]:
    for case in CASES:
        if case.few_watches and "fanotify" in column.name:
            yield case.name, "needs none"
            continue
        scratch = Path(tempfile.mkdtemp(prefix="case-"))
        world = World(scratch / "tree", scratch / "outside")
        try:
            cell = _cell(column, case, world, scratch)
        except Exception as error:  # one cell must not cost the others
            cell = f"failed: {error}"
        finally:
            end_all()
            for undo in reversed(world.undo):
                try:
                    undo()
                except Exception as error:
                    print(f"    {case.name}: {error}", flush=True)
            shutil.rmtree(scratch, ignore_errors=True)
        print(f"    {column.name}: {case.name}: {cell}", flush=True)
        yield case.name, cell


def _cell(column: Column, case: Case, world: World, scratch: Path) -> str:
    for name in ("pkg/ready.py", "pkg/a.py", "pkg/sub/c.py"):
        world.save(world.tree / name)
    case.prepare(world)
    listener = Listener(scratch / "starts")
    files = [world.tree / name for name in ("pkg/ready.py", *case.files)]
    argv = column.argv(_command(column, case, listener.path, files), world.tree, scratch / "beside")
    if case.few_watches:
        argv = ["unshare", "-U", "-r", "sh", "-c", FEW_WATCHES, "sh", *argv]
    try:
        with Running(argv, scratch, scratch / "errors") as running:
            if case.early:
                ready = listener.wait(lambda start: True, FIRST_START) is not None
            else:
                ready = get_ready(column.name, running, listener, world.saver, files[0])
                listener.listen(CALM if case.vain else 0.5)
            if not ready and running.process.poll() is not None:
                return "ends"
            if not ready:
                return "lost" if listener.starts else "does not start"
            return _outcome(case, world, listener, files[1:])
    finally:
        listener.close()


def _command(column: Column, case: Case, fifo: Path, files: list[Path]) -> list[str]:
    if not case.python and not column.python_only:
        return peers.child(fifo, *files)
    words = [str(fifo), *map(str, files)]
    if case.python:
        words[-1] = f"import:{words[-1]}"
    return words if column.python_only else [str(peers.PYTHON), "-S", "-E", REPORTER, *words]


def _outcome(case: Case, world: World, listener: Listener, files: list[Path]) -> str:
    listener.clear()
    steps = 0
    began = time.monotonic_ns()
    for _ in _steps(case, world):
        if case.vain:
            starts = listener.listen(VAIN)
            return f"in vain {starts}" if starts else "quiet"
        truth, began_now = [_text(file) for file in files], began
        if not listener.wait(lambda s: s.at >= began_now and [*s.texts[1:]] == truth, case.limit):  # noqa: B023
            return "stale" if listener.starts else "lost"
        steps += 1
        listener.listen(QUIET)
        if [*max(listener.starts).texts[1:]] != truth:
            return "stale"
        began = time.monotonic_ns()
    further = len(listener.starts) - steps - case.besides
    return "noticed" if further <= 0 else f"noticed, +{further}"


def _steps(case: Case, world: World) -> Iterator[None]:
    """Acts; after each `yield` something must be noticed."""
    acting = case.act(world)
    if acting is not None:
        yield from acting
    yield


def _text(file: Path) -> str:
    """What the command should have read."""
    try:
        return (file.read_text().split() or ["-"])[0].strip("'")
    except OSError:
        return "-"


def _page(kept: dict[str, Any]) -> str:
    columns = [column.name for column in COLUMNS if column.name in kept]
    parts = [
        "# Hard cases\n",
        INTRODUCTION.format(versions=", ".join(kept["versions"]), limit=f"{CASES[0].limit:g}", calm=f"{CALM:g}"),
    ]
    for title, vain in (("What must be noticed", False), ("What must not restart the command", True)):
        rows = [
            (case.name, *(_shown(kept[name]["cells"].get(case.name, "not run")) for name in columns))
            for case in CASES
            if case.vain is vain
        ]
        parts.append(f"## {title}\n\n{table(('', *columns), rows)}\n")
    days: dict[str, list[str]] = {}
    for name in columns:
        days.setdefault(kept[name]["day"], []).append(name)
    parts.append("".join(f"- Run on {day}: {', '.join(names)}.\n" for day, names in sorted(days.items())))
    return "\n".join(parts)


def _shown(cell: str) -> str:
    return cell if cell.startswith(("noticed", "quiet", "needs none", "not run")) else f"**{cell}**"
