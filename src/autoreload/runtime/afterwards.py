"""Doing something with a module of Python's own as soon as it has been imported."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

_LIBRARY = os.path.dirname(os.__file__) + "/"


class Loader:
    """Loads a module by its own loader, then calls `then` with it."""

    def __init__(self, loader: Any, then: Callable[[ModuleType], None]) -> None:
        self._loader = loader
        self._then = then

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def exec_module(self, module: ModuleType) -> None:
        """Part of importlib.abc.Loader."""
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._then(module)


def followed(spec: Any, then: Callable[[ModuleType], None]) -> Any:
    """The spec of a module of the standard library, with such a loader; None: it is another one of that name."""
    if spec is None or not hasattr(spec.loader, "exec_module") or not str(spec.origin).startswith(_LIBRARY):
        return None
    spec.loader = Loader(spec.loader, then)
    return spec
