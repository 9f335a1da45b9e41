"""On sys.meta_path: sees each import before it is looked up, and never finds anything itself.

So the program's own finders work as they do without us. The exception are files that were edited of late: their loader
is replaced by one that runs them in steps.
"""

from __future__ import annotations

import sys
from _frozen_importlib_external import SourceFileLoader
from posix import stat

from . import generator, stepwise
from .afterwards import followed
from .used import absolute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .program import Program


class Finder:
    """The first of the finders."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._afterwards = {"random": generator.begins, "_sqlite3": program.watch_databases}

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> Any:
        """Part of importlib.abc.MetaPathFinder."""
        program = self._program
        program.looks_up()
        if not program.here():
            return None
        if name in self._afterwards and path is None:
            spec = followed(self._found(name, path, target), self._afterwards[name])
            if spec is not None:
                return spec
        # No snapshot is due most of the time, and no file is hot: then it is of no interest where the module is.
        if program.hot or not program.entry or program.due():
            file = self._first_party(name, path)
            if file:
                if not program.entry and not file.endswith("/__init__.py"):
                    program.entry = file
                in_steps = program.takes_apart(file)
                program.point("before", file, in_steps)
                program.looks_up()  # that may have been long ago
                if in_steps:
                    return self._in_steps(name, path, target)
        return None

    def _first_party(self, name: str, path: Sequence[str] | None) -> str:
        """Where it would be in one of the watched folders; empty: it is not there."""
        last = name.rpartition(".")[2]
        try:
            folders = list(sys.path if path is None else path)
        except Exception:
            return ""
        for folder in folders:
            if type(folder) is not str:
                continue
            folder = absolute(folder)
            if not self._program.watches(folder):
                continue
            for file in (f"{folder}/{last}/__init__.py", f"{folder}/{last}.py"):
                try:
                    stat(file)
                except OSError:
                    continue
                return file
        return ""

    def _found(self, name: str, path: Sequence[str] | None, target: Any) -> Any:
        """What the other finders find."""
        for finder in list(sys.meta_path):
            find = getattr(finder, "find_spec", None)
            spec = None if finder is self or find is None else find(name, path, target)
            if spec is not None:
                return spec
        return None

    def _in_steps(self, name: str, path: Sequence[str] | None, target: Any) -> Any:
        """That, with a loader of ours if it is the plain one."""
        spec = self._found(name, path, target)
        if (
            spec is not None
            and type(spec.loader) is SourceFileLoader
            and self._program.takes_apart(spec.origin)
            and not (_may_be_main(name) and not stepwise.compiles(spec.origin))
        ):
            spec.loader = stepwise.Loader(spec.loader.name, spec.loader.path, self._program)
        return spec


def _may_be_main(name: str) -> bool:
    """May runpy be looking for it? If it does not compile, nothing of ours is to be in the traceback."""
    return name.endswith("__main__") or getattr(sys, "argv", [""])[:1] == ["-m"]
