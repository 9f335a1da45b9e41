"""python -m benchmarks: measure, print the tables and, after full runs, write them to docs/benchmarks.md."""

from __future__ import annotations

import argparse
import fcntl
import importlib
import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import cases, peers, processes
from benchmarks.tables import Section

QUESTIONS = ("latency", "contents", "bursts", "scale", "startup", "noise", "bytecode", "stopping", "http", "warm")
CASES = "cases"
"""Has a page of its own: docs/hard-cases.md."""
NARROWED = ("http", "warm")
"""The questions that `--only` narrows, beside the cases."""
PAGE = peers.ROOT / "docs" / "benchmarks.md"
_SECTION = re.compile(r"<!-- question: (\w+) -->\n(.*?)(?=<!-- question: |\Z)", re.DOTALL)


def main() -> None:
    """Ask the questions one after the other."""
    parser = argparse.ArgumentParser(prog="benchmarks/run", description=__doc__)
    parser.add_argument("questions", nargs="*", metavar="QUESTION", help=f"{', '.join(QUESTIONS)} [default: all]")
    parser.add_argument(
        "--only",
        action="append",
        metavar="NAME",
        help="of the question cases: ask the tools whose names begin so; of http and warm: the servers, or "
        "applications, and tools (the page is not written then)",
    )
    parser.add_argument("--quick", action="store_true", help="few repetitions, small trees; the page is not written")
    chosen = parser.parse_args()
    unknown = [question for question in chosen.questions if question not in (*QUESTIONS, CASES)]
    if unknown:
        parser.error(f"there is no question {unknown[0]}: {', '.join(QUESTIONS)}")
    peers.CACHE.mkdir(exist_ok=True)
    with (peers.CACHE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SystemExit("benchmarks: another run is measuring; two at once would measure each other") from None
        _run(chosen.questions or [*QUESTIONS, CASES], chosen.quick, chosen.only or [])


def _run(questions: list[str], quick: bool, only: list[str]) -> None:
    problems = peers.prepare()
    processes.adopt_orphans()
    for problem in problems:
        print(problem)
    for question in questions:
        print(f"==> {question}", flush=True)
        if question == CASES:
            if not quick:
                cases.write(only)
            continue
        text = _ask(question, quick, only)
        print(text, flush=True)
        if not quick and not (only and question in NARROWED):
            PAGE.write_text(_page(problems, _sections() | {question: text}))


def _ask(question: str, quick: bool, only: list[str]) -> str:
    measure: Callable[..., Section] = importlib.import_module(f"benchmarks.{question}").measure
    scratch = Path(tempfile.mkdtemp(prefix="benchmarks-"))
    before, began = os.getloadavg()[0], time.monotonic()
    try:
        section = measure(scratch, quick, only) if question in NARROWED else measure(scratch, quick)
    finally:
        processes.end_all()
        shutil.rmtree(scratch, ignore_errors=True)
    return section.markdown((before, os.getloadavg()[0]), (time.monotonic() - began) / 60)


def _sections() -> dict[str, str]:
    """What the page says so far, by question."""
    text = PAGE.read_text() if PAGE.exists() else ""
    return {found[1]: found[2].strip() + "\n" for found in _SECTION.finditer(text)}


def _page(problems: list[str], sections: dict[str, str]) -> str:
    """These sections, in order, under the facts of the machine."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    kilobytes = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    facts = [
        f"- {os.cpu_count()} cores ({model}), {kilobytes / 1024**2:.0f} GB of memory, "
        f"Linux {platform.release().partition('-')[0]}, {_distribution()}",
        f"- {', '.join(peers.versions())}",
        *(f"- {problem}" for problem in problems),
    ]
    parts = [
        "# Benchmarks\n\n"
        "Made by `benchmarks/run` (all questions) or `benchmarks/run QUESTION` (one of them: "
        f"{', '.join(QUESTIONS)}); `--quick` gives an impression within minutes and leaves this page alone. It needs "
        "Python 3.11 or newer, and uses entr, inotifywait, watchman, npm (for nodemon) and gcc if they are there. The "
        "sections of other questions stay as they are. Do not edit it by hand.\n\n"
        "All tools of a table were measured in the same run, in turns, with the same command, tree and files. Compare "
        "within a table only: another machine, or the same one with another load, gives other figures. Which changes "
        "are noticed, lost, or a restart in vain is told in [Hard cases](hard-cases.md).\n",
        "\n".join(facts) + "\n",
        *(f"<!-- question: {name} -->\n{sections[name]}" for name in QUESTIONS if name in sections),
    ]
    return "\n".join(parts)


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return "an unknown distribution"


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


if __name__ == "__main__":
    main()
