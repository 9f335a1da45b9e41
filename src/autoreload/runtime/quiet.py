"""Doing something again, or something of our own, without the warnings that belong to the first time."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    filters: list[Any]
else:
    from _warnings import filters

_IGNORE = ("ignore", None, Warning, None, 0)


def quietly(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call it; nothing warns meanwhile.

    Not by warnings.catch_warnings, which has to be imported, and makes Python forget what it has warned of already.
    """
    found = getattr(sys.modules.get("warnings"), "filters", filters)
    if type(found) is not list:
        return function(*arguments)
    found.insert(0, _IGNORE)
    try:
        return function(*arguments)
    finally:
        if _IGNORE in found:
            found.remove(_IGNORE)
