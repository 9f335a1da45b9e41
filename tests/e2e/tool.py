"""The real command in a scratch tree, driven by a test."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.support import end_all, eventually, survivors

HERE = Path(__file__).parent
SOURCES = str(HERE.parents[1] / "src")
AUTORELOAD = (sys.executable, "-m", "autoreload")
PYTHON = (sys.executable, "-S", "-E")
"""A Python that is up quickly."""


class Run(NamedTuple):
    """One start of `stamp.py`, as it told."""

    pid: int
    at: float
    """Of its first instruction, monotonic seconds."""
    alone: bool
    """Nothing was left of the run before."""
    folder: int
    """Inode of the directory it was started in."""
    standard: list[int]
    """Which of the descriptors 0, 1 and 2 are open."""
    texts: dict[str, str | None]


class Project:
    """A scratch tree, and beside it whatever autoreload and its command write."""

    def __init__(self, base: Path, mark: str) -> None:
        self.base = base
        self.mark = mark
        self.tree = base / "tree"
        self.tree.mkdir()
        self.log = base / "runs"
        self.stderr = base / "stderr"
        self.stdout = base / "stdout"
        (base / "home").mkdir()
        self.environ = {
            **os.environ,
            "PYTHONPATH": SOURCES,
            "HOME": str(base / "home"),
            "MARK": mark,
            "TERM": "xterm",
        }
        for name in ("NO_COLOR", "FORCE_COLOR", "XDG_CONFIG_HOME", "VIRTUAL_ENV", "PYTHONPYCACHEPREFIX"):
            self.environ.pop(name, None)

    def write(self, name: str, text: str = "") -> Path:
        """A file of the tree."""
        path = self.tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def folders(self) -> list[Path]:
        """All that is to be watched in the tree."""
        found = []
        for folder, inner, _ in os.walk(self.tree):
            found.append(Path(folder))
            inner[:] = [name for name in inner if name not in (".git", "__pycache__", "node_modules")]
        return found

    def stamp(self, *files: str, then: Sequence[str] = ()) -> list[str]:
        """The words of a command that logs its starts, and what it reads in these files."""
        return [*PYTHON, str(HERE / "stamp.py"), str(self.log), *files, *(["--", *then] if then else [])]

    def runs(self) -> list[Run]:
        """The starts so far. At each of them nothing was left of the one before."""
        try:
            lines = self.log.read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return []
        runs = [Run(**json.loads(line)) for line in lines]
        assert all(run.alone for run in runs), "started beside what was left of the run before"
        return runs

    def wait_for_start(self, number: int, within: float = 15.0) -> Run:
        """The start of that number, counted from 1."""
        return eventually(lambda: self.runs()[number - 1 : number], within, f"start {number}")[0]

    def wait_for_text(self, name: str, text: str | None, within: float = 15.0) -> Run:
        """The first start of a run that has read this in the file."""
        return eventually(
            lambda: next((run for run in self.runs() if run.texts[name] == text), None),
            within,
            f"a run that has read {text!r} in {name}",
        )


class Tool:
    """A running autoreload."""

    def __init__(self, process: subprocess.Popen[bytes], project: Project) -> None:
        self.process = process
        self.project = project
        self._passed = 0

    @property
    def pid(self) -> int:
        """Of autoreload itself."""
        return self.process.pid

    def guard(self) -> int:
        """Pid of the process that guards the command."""
        return next(pid for pid in children(self.pid) if "reload-guard" in comm(pid))

    def text(self) -> str:
        """Everything it has written to stderr."""
        return self.project.stderr.read_text(errors="replace")

    def lines(self) -> list[str]:
        """The same, as the texts of its messages, without their arrows."""
        return [line.removeprefix("==> ").removesuffix(" <==") for line in self.text().splitlines()]

    def expect(self, pattern: str, within: float = 15.0) -> re.Match[str]:
        """Wait for a line of its own with that in it, after the one that was expected last."""

        def found() -> re.Match[str] | None:
            for number, line in enumerate(self.lines()):
                if number >= self._passed and (match := re.search(pattern, line)):
                    self._passed = number + 1
                    return match
            return None

        try:
            return eventually(found, within)
        except AssertionError:
            raise AssertionError(f"no line with {pattern!r} after line {self._passed} of:\n{self.text()}") from None

    def restarts(self) -> list[str]:
        """What the lines about restarts say for which files they were."""
        found = [re.fullmatch("Modification detected, restart process: (.*)", line) for line in self.lines()]
        return [match[1] for match in found if match]

    def watching(self, *folders: Path) -> None:
        """Wait until these (default: all of the tree) are watched."""
        inodes = {folder.stat().st_ino for folder in folders or self.project.folders()}
        eventually(lambda: inodes <= watched(self.pid), what=f"watches: {self.text()}")

    def send(self, number: int) -> None:
        """Send it one."""
        self.process.send_signal(number)

    def ended(self, code: int = 0, within: float = 15.0) -> None:
        """Wait for its end: the exit code, and that nothing is left."""
        assert self.process.wait(within) == code, self.text()
        self.nothing_left()

    def end(self, number: int = signal.SIGTERM, code: int = 0) -> None:
        """End it by a signal."""
        self.send(number)
        self.ended(code)

    def nothing_left(self) -> None:
        """No process that descends from it."""
        eventually(lambda: not survivors(self.project.mark), what="an empty tree")


@contextmanager
def autoreload(
    project: Project,
    *words: str,
    environ: Mapping[str, str | None] | None = None,
    before: Sequence[str] = (),
    tool: Sequence[str] = AUTORELOAD,
    **popen: Any,
) -> Iterator[Tool]:
    """Start it with these words in the tree of the project; whatever is left at the end is killed.

    `before`: words before its own. `environ`: added to that of the project, None takes away.
    """
    merged: dict[str, str | None] = {**project.environ, **(environ or {})}
    with open(project.stderr, "ab") as stderr, open(project.stdout, "ab") as stdout:
        popen = {"stdin": subprocess.DEVNULL, "stdout": stdout, "stderr": stderr, "cwd": project.tree, **popen}
        process = subprocess.Popen(
            [*before, *tool, *words],
            env={name: value for name, value in merged.items() if value is not None},
            **popen,
        )
    it = Tool(process, project)
    try:
        yield it
    finally:
        end_all(project.mark)
        process.wait()
        text = it.text()
        assert f"{SOURCES}/autoreload/" not in text, text
        assert "this is a bug" not in text, text


def run_briefly(project: Project, *words: str, **popen: Any) -> tuple[int, str, str]:
    """For a call that ends by itself: exit code, stdout, stderr."""
    options = {"cwd": project.tree, "env": project.environ, "stdin": subprocess.DEVNULL, **popen}
    done = subprocess.run([*AUTORELOAD, *words], capture_output=True, text=True, timeout=20, **options)
    return done.returncode, done.stdout, done.stderr


def children(pid: int) -> list[int]:
    """Of any process."""
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            found += map(int, Path(f"/proc/{pid}/task/{task}/children").read_text().split())
    except OSError:
        pass
    return found


def comm(pid: int) -> str:
    """The name of a process."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def watched(pid: int) -> set[int]:
    """The inodes that a process watches through inotify."""
    found = set()
    try:
        for fd in os.listdir(f"/proc/{pid}/fdinfo"):
            for line in Path(f"/proc/{pid}/fdinfo/{fd}").read_text().splitlines():
                if match := re.match(r"inotify wd:\w+ ino:(\w+)", line):
                    found.add(int(match[1], 16))
    except OSError:
        pass
    return found


def later(seconds: float) -> None:
    """Let time pass, where it is the passing of time that is tested."""
    time.sleep(seconds)
