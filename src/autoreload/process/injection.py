"""How the runtime comes into the Python of the command: by two variables of its environment.

`runtime/inject/sitecustomize.py` is the other side, and takes them out again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from autoreload.runtime.protocol import injected


class Injection:
    """What the runtime is told at each start."""

    def __init__(self, environ: Mapping[bytes, bytes]) -> None:
        """`environ`: that of the command, without us."""
        self._before = environ.get(b"PYTHONPATH")
        self._parts: dict[str, Callable[[], Any]] = {}
        self.variables: dict[bytes, bytes] = {}
        """Others, for any command."""

    def add(self, part: str, told: Callable[[], Any]) -> None:
        """That part of the runtime is to do something in the command, and is told this; with None it is left out."""
        self._parts[part] = told

    def environ(self, guard: int) -> dict[bytes, bytes]:
        """What the environment needs for the next start. `guard`: pid of the parent of the command."""
        parts = {part: what for part, told in self._parts.items() if (what := told()) is not None}
        if not parts:
            return dict(self.variables)
        return {**self.variables, **injected(self._before, {"guard": guard, **parts})}
