"""Who may know whom, how long a file may be, and what a start may import."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "src" / "autoreload"
FILES = sorted(PACKAGE.rglob("*.py"))
NAMES = [str(file.relative_to(PACKAGE)) for file in FILES]

EVERYTHING = None
MAY_IMPORT: dict[str, set[str] | None] = {
    "__init__": set(),
    "__main__": {"cli"},
    "checks": {"core", "git"},
    "cli": EVERYTHING,
    "config": {"errors", "settings"},
    "content": {"core", "linux"},
    "core": set(),
    "elsewhere": EVERYTHING,
    "errors": set(),
    "git": set(),
    "job": {"settings"},
    "linux": set(),
    "process": {"core", "errors", "linux"},
    "report": {"core", "errors"},
    "rules": {"core", "job", "process"},
    "runtime": set(),
    "scope": {"core", "errors"},
    "session": EVERYTHING,
    "startup": EVERYTHING,
    "settings": {"errors", "values"},
    "signals": {"linux"},
    "values": set(),
    "warm": {"core", "errors", "linux", "process", "runtime"},
    "warmth": EVERYTHING,
    "watch": {"core", "errors", "linux"},
}
"""Each module or folder of the package, and which others it may import; CONTRIBUTING.md has the drawing."""
THIRD_PARTY = {"scope": {"pathspec"}, "runtime": {"sitecustomize"}}
LONGEST = 450
SLOW_TO_IMPORT = ("asyncio", "dataclasses", "inspect", "pathspec")


def layer(name: str) -> str:
    """`core` for core/change.py and for autoreload.core.change; a folder is one layer."""
    return name.removesuffix(".py").replace("/", ".").split(".")[0]


def imported(source: str, file: str) -> set[str]:
    """Full names of all that the source imports, wherever in it, also for type checkers alone."""
    names: set[str] = set()
    folder = ["autoreload", *file.split("/")[:-1]]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = folder[: len(folder) + 1 - node.level] if node.level else []
            full = ".".join(base + (node.module.split(".") if node.module else []))
            # `from autoreload import core` names a layer only in its last part.
            names.update({f"autoreload.{alias.name}" for alias in node.names} if full == "autoreload" else {full})
    return names


def broken_rules(source: str, file: str) -> list[str]:
    """What the file imports though it must not, a line each."""
    own = layer(file)
    allowed = MAY_IMPORT[own]
    broken = []
    for name in sorted(imported(source, file)):
        top, _, rest = name.partition(".")
        if top == "autoreload":
            other = "__init__" if rest.startswith("__") or not rest else layer(rest)
            if allowed is not None and other not in allowed | {own, "__init__"}:
                broken.append(f"{own} may not import {name}")
        elif top not in sys.stdlib_module_names and top not in THIRD_PARTY.get(own, set()):
            broken.append(f"{own} may not import {name}, which is not in the standard library")
    return broken


@pytest.mark.parametrize("file", NAMES)
def test_a_file_imports_only_what_its_layer_may_know(file: str) -> None:
    """The pure part stays pure, and the two sides of the kernel do not know each other."""
    assert layer(file) in MAY_IMPORT, f"give {layer(file)} a row in MAY_IMPORT"
    assert broken_rules((PACKAGE / file).read_text(), file) == []


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("core/change.py", "import pathspec"),
        ("core/change.py", "from autoreload import errors"),
        ("core/change.py", "def late():\n    from ..watch import tree"),
        ("linux/inotify.py", "import autoreload.core.change"),
        ("watch/tree.py", "from autoreload.process import events"),
        ("watch/tree.py", "import pathspec"),
        ("scope.py", "import yaml"),
        ("process/guard.py", "from ..watch.backend import Backend"),
        ("process/guard.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from autoreload import session"),
        ("settings.py", "from . import report"),
        ("report.py", "from autoreload.session import Session"),
    ],
)
def test_a_forbidden_import_is_found(file: str, source: str) -> None:
    """The check can fail, whichever way the import is written."""
    assert len(broken_rules(source, file)) == 1


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("core/filter.py", "import os\nfrom .change import Change\nfrom autoreload.core import change"),
        ("watch/tree.py", "from autoreload.linux import inotify\nfrom .backend import Backend"),
        ("scope.py", "import pathspec\nfrom autoreload.core.filter import Filter"),
        ("session.py", "from . import core, watch\nfrom autoreload.process.runner import Runner"),
        ("report.py", "from autoreload import __version__"),
    ],
)
def test_an_allowed_import_passes(file: str, source: str) -> None:
    """Control: it does not find fault with everything."""
    assert broken_rules(source, file) == []


@pytest.mark.parametrize("file", NAMES)
def test_a_file_is_short_and_says_what_it_is_for(file: str) -> None:
    """A file over about 400 lines is asking to be two."""
    source = (PACKAGE / file).read_text()
    assert source.count("\n") <= LONGEST
    assert ast.get_docstring(ast.parse(source))


@pytest.mark.parametrize("module", ["cli", "session"])
def test_a_start_imports_nothing_slow(module: str) -> None:
    """A tool that restarts others must itself start fast, so these wait until they are needed, if ever."""
    code = f"import sys, autoreload.{module}; print(*sys.modules)"
    # -S: what the environment's own .pth files import is not our doing.
    environment = {"PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert [name for name in SLOW_TO_IMPORT if name in done.stdout.split()] == []
