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


def begins(module: ModuleType) -> None:
    """`random` has just been imported: what does it begin with?"""
    global _origin
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
