"""The generator of the module `random` across a fork.

The module reseeds it in each child (os.register_at_fork), so a program that had seeded it would not be repeatable any
more: its state is given back. But if nobody has seeded it, each start is to see other numbers. Which of the two it is,
tells the state: without a seed it is what the import of the module made of it, some numbers later.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

BLOCKS = 64
"""So far it is looked: a generator makes 624 words of 32 bits at a time. Beyond that it counts as seeded."""
_WORDS = 624
_origin: Any = None
"""The state that nobody chose; None: nobody knows it, and it counts as seeded."""


class Loader:
    """Loads `random` by its own loader, and takes note of what it begins with."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def exec_module(self, module: ModuleType) -> None:
        """Part of importlib.abc.Loader."""
        global _origin
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        _origin = module._inst.getstate()


class Saved:
    """The generator at the moment when this is made."""

    def __init__(self) -> None:
        module = sys.modules.get("random")
        self._generator: Any = getattr(module, "_inst", None)
        self._state: Any = None
        if self._generator is not None:
            state = self._generator.getstate()
            if _origin is None or not follows(module, _origin, state):
                self._state = state

    def give_back(self) -> None:
        """In a child."""
        global _origin
        if self._state is not None:
            self._generator.setstate(self._state)
        elif self._generator is not None:
            _origin = self._generator.getstate()


def follows(module: Any, origin: Any, state: Any) -> bool:
    """Does a generator that began with `origin` come to `state`? `module`: `random`."""
    other = module.Random(0)
    other.setstate(origin)
    for _ in range(BLOCKS):
        if other.getstate()[1][:_WORDS] == state[1][:_WORDS]:
            return True
        other.getrandbits(32 * _WORDS)
    return False
