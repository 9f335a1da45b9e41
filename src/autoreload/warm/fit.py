"""Could a command be resumed, judged by what the kernel says of its process? Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

_EXECUTABLE = re.compile(r"python3\.(\d+)")
OLDEST, NEWEST = 9, 14
"""Minor versions of CPython 3."""
_CLOSED = "EIS"
"""With these options Python reads no PYTHONPATH, or imports no sitecustomize."""
_LAST = "cm"
"""What follows is the program's own."""
_VALUED = "WX"


def is_fit(executable: str, words: Sequence[str]) -> bool:
    """Is it a CPython that the runtime knows, and does it let it in? `executable`: its path, without links. `words`:
    the command line."""
    found = _EXECUTABLE.fullmatch(executable.rpartition("/")[2])
    if not found or not OLDEST <= int(found[1]) <= NEWEST:
        return False
    rest = list(words[1:])
    while rest:
        word = rest.pop(0)
        if word in ("-", "--") or not word.startswith("-"):
            break
        if word == "--check-hash-based-pycs":
            del rest[:1]
        for place, letter in enumerate(word[1:] if word[1] != "-" else ""):
            if letter in _CLOSED:
                return False
            if letter in _LAST:
                return True
            if letter in _VALUED:
                del rest[: place + 2 == len(word)]
                break
    return True
