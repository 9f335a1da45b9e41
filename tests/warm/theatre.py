"""A project on disk, the warm runner on one side, plain Python on the other: do they come to the same?"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support import end_all, eventually, survivors

TOOL = Path(__file__).parent / "tool.py"
SOURCES = str(TOOL.parents[2] / "src")
RECORDER = '''
"""Keeps what the program did, and writes it down at the end."""
import json, os, random, sys, traceback, warnings
random.seed(1)  # a package is imported before the script in it
said = []
here = os.getcwd()
counted = []
def once_more():
    counted.append(1)
    if len(counted) > 3:
        raise ValueError("too often")
def text_of(error):  # what stands in for `open` has a frame, which cannot be hidden; nor where the import system is
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    return [line for line in lines if "runtime/opened.py" not in line and "<frozen importlib." not in line]
def hook(kind, error, trace):
    said.append(text_of(error.with_traceback(trace)))
def show(message, category, filename, lineno, file=None, line=None):
    said.append(warnings.formatwarning(message, category, filename, lineno, line))
sys.excepthook = hook
warnings.showwarning = show
def plain(value):
    return value if type(value) in (int, str, float, type(None)) else type(value).__name__
def end():
    names = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        ours = file and os.path.join(here, file).startswith(here) or name == "__main__"
        if ours and module is not sys.modules[__name__]:
            space = vars(module)
            names[name] = {key: plain(value) for key, value in space.items()}
            names[name]["__annotations__"] = repr(space.get("__annotations__"))
            names[name]["order"] = list(space)
            spec = space.get("__spec__")
            names[name]["__spec__"] = [
                str(getattr(spec, field, None)) for field in ("name", "origin", "cached", "parent", "has_location")
            ]
    state = [said, names, list(names), sys.argv, sys.path, os.getcwd(), len(warnings.filters)]
    with open(os.environ["STATE"] + ".new", "w") as file:
        json.dump(state, file)
    os.rename(os.environ["STATE"] + ".new", os.environ["STATE"])
'''
WITHIN = 20.0


class Theatre:
    """One project, and a tool that runs it."""

    def __init__(self, base: Path, mark: str, python: str, words: Sequence[str]) -> None:
        self.tree = base / "tree"
        self.tree.mkdir()
        self._command = [python, *words]
        self._warm, self._cold = base / "warm", base / "cold"
        environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        self._environ = {**environ, "MARK": mark}
        self.mark = mark
        self._run = 0
        self._there: set[str] = set()
        self.how: list[list[Any]] = []
        """How each restart was made, as `Restarted` tells it."""
        self._output = open(base / "output", "wb")  # noqa: SIM115 (closed by `close`)
        self.tool = subprocess.Popen(
            [sys.executable, str(TOOL), str(self.tree), *self._command],
            env={**self._environ, "PYTHONPATH": SOURCES, "STATE": str(self._warm), "PYTHONDONTWRITEBYTECODE": ""},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._output,
        )
        self._text = b""
        self.guard = int(self.expect("Tool")[2])
        self.write("recorder.py", RECORDER)

    def write(self, name: str, text: str) -> str:
        """A file of the project: its path."""
        path = self.tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)

    def remove(self, name: str) -> str:
        """One less: its path."""
        path = self.tree / name
        path.unlink()
        return str(path)

    def run(self, changed: list[str], prepared: bool = False) -> None:
        """Have the tool start the program after these changes, or for the first time; wait until it has come up.

        `prepared`: if it can be, it is resumed before the old one is known to be dead.
        """
        was_there = {path: path in self._there for path in changed} if self._run else None
        if self._run:
            self._ask("stop", self._run, was_there if prepared else None)
            self.expect("Emptied")
        self._warm.unlink(missing_ok=True)
        self._run += 1
        self._ask("start", self._run, was_there)
        self._there = {str(path) for path in self.tree.rglob("*") if path.is_file()}
        self.expect("Exited")

    def start_anew(self) -> None:
        """As `run`, where nothing is left that could be stopped."""
        self._run += 1
        self._warm.unlink(missing_ok=True)
        self._ask("start", self._run, None)
        self.expect("Exited")

    def snapshots(self, number: int) -> list[int]:
        """The pids of that many, the first one first."""

        def found() -> list[int]:
            left = [pid for pid in survivors(self.mark) if pid not in (self.tool.pid, self.guard)]
            return sorted(left) if len(left) == number else []

        return eventually(found, what=f"{number} snapshots")

    def warm(self) -> Any:
        """What the program came to."""
        return self._read(self._warm)

    def cold(self) -> Any:
        """What it comes to when it is started now."""
        self._cold.unlink(missing_ok=True)
        environ = {**self._environ, "PYTHONPATH": SOURCES, "STATE": str(self._cold), "PYTHONDONTWRITEBYTECODE": "1"}
        for cache in self.tree.rglob("__pycache__/*"):
            cache.unlink()
        subprocess.run(self._command, cwd=self.tree, env=environ, capture_output=True, timeout=WITHIN)
        return self._read(self._cold)

    def _read(self, path: Path) -> Any:
        return json.loads(path.read_text()) if path.exists() else None

    def _ask(self, *words: Any) -> None:
        assert self.tool.stdin
        self.tool.stdin.write(json.dumps(words).encode() + b"\n")
        self.tool.stdin.flush()

    def expect(self, what: str) -> list[Any]:
        """Wait for that to be told; other things before it are passed over."""
        limit = time.monotonic() + WITHIN
        assert self.tool.stdout
        while True:
            while b"\n" not in self._text:
                if not select.select([self.tool.stdout], [], [], max(0.0, limit - time.monotonic()))[0]:
                    raise AssertionError(f"no {what} after {self.how}")
                data = os.read(self.tool.stdout.fileno(), 1 << 16)
                assert data, f"the tool has ended: {Path(self._output.name).read_text()}"
                self._text += data
            line, _, self._text = self._text.partition(b"\n")
            told: list[Any] = json.loads(line)
            if told[0] == "Restarted":
                self.how.append(told[1:])
            if told[0] == what:
                return told

    def close(self) -> None:
        """End everything."""
        assert self.tool.stdin
        assert self.tool.stdout
        self.tool.stdin.close()
        try:
            self.tool.wait(WITHIN)
        finally:
            end_all(self.mark)
            self.tool.stdout.close()
            self._output.close()


@contextmanager
def theatre(
    base: Path, mark: str, python: str = sys.executable, words: Sequence[str] = ("app.py",)
) -> Iterator[Theatre]:
    """A project in that folder. `words`: how Python is called."""
    base.mkdir(parents=True, exist_ok=True)
    it = Theatre(base, mark, python, words)
    try:
        yield it
    finally:
        it.close()
