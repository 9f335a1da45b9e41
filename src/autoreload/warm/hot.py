"""The files that were edited last: they are the ones that will be edited next, so they get a snapshot of their own."""

from __future__ import annotations

MOST = 3
LARGEST = 1 << 20
"""Bytes. Of a larger file the place of the change is not looked for."""


class Hot:
    """The last few Python files that changed, and where."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._contents: dict[str, bytes] = {}

    def changed(self, path: str, content: bytes) -> None:
        """That file is now this. The first time it is unknown where it changed: then it counts as at its end. The same
        once more is no other change."""
        before = self._contents.pop(path, None)
        place = self._places.pop(path, len(content))
        self._places[path] = place if before in (None, content[:LARGEST]) else common_prefix(before or b"", content)
        self._contents[path] = content[:LARGEST]
        while len(self._places) > MOST:
            oldest = next(iter(self._places))
            del self._places[oldest], self._contents[oldest]

    def places(self) -> dict[str, int]:
        """Each of them, the one that changed last at the end, and its first changed byte."""
        return dict(self._places)


def common_prefix(one: bytes, other: bytes) -> int:
    """How many bytes both begin with."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
