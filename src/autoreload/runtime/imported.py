"""The files that the program has imported by now: a later version of one that does not compile is no reason to end it.

Asked for when a socket is bound, and when a process accepts for the first time; an import itself costs nothing.
"""

from __future__ import annotations

import os
import sys

SEPARATOR = "\0"
LONGEST = 1 << 16
"""Characters that are told at once."""
_NOT_EDITED = ("/site-packages/", "/dist-packages/")


def untold(told: set[str]) -> str:
    """Those that are not in `told`, which has them afterwards. Without the standard library and installed packages."""
    library = os.path.dirname(os.__file__) + "/"
    found: list[str] = []
    room = LONGEST
    for module in list(sys.modules.values()):
        try:
            path = object.__getattribute__(module, "__dict__").get("__file__")
        except (AttributeError, TypeError):
            continue  # some put other things there
        if type(path) is not str or path in told or not path.endswith((".py", ".pyw")) or path.startswith(library):
            continue
        if any(word in path for word in _NOT_EDITED):
            continue
        room -= len(path) + 1
        if room < 0:
            break
        told.add(path)
        found.append(path if path.startswith("/") else os.path.abspath(path))
    return SEPARATOR.join(found)
