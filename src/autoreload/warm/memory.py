"""How much memory the snapshots take, and which has to go when that is too much.

It is read some time after the last of them was taken, never between a save and a start: for a process of a gigabyte
that takes some 20 ms.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from autoreload.linux import memory

WEIGHED_AFTER = 1.0
"""Seconds without another snapshot."""
SHARE = 4
"""Of what is free, one part of so many is for the snapshots."""


class Memory:
    """What they take, as far as it is known."""

    def __init__(self, most: int | None = None) -> None:
        """`most`: bytes that they may take; None: a share of what is free."""
        self._most = most

    def sizes(self, pids: Sequence[int]) -> list[int] | None:
        """Of each of these processes, bytes; None: nobody knows."""
        found = [memory.proportional(pid) for pid in pids]
        sizes = [size for size in found if size is not None]
        return sizes if len(sizes) == len(found) else None

    def allowed(self, taken: int) -> int | None:
        """Bytes that all of them may take, `taken` of which they have already; None: nobody knows."""
        if self._most is not None:
            return self._most
        free = memory.free()
        return None if free is None else (free + taken) // SHARE


def too_much(sizes: Sequence[int], allowed: int | None, needed: Collection[int]) -> int | None:
    """Which snapshot to drop, for together they take more than is `allowed`; None: none.

    `sizes`: the first one first. The oldest goes first, those that are `needed` go last. The first stays, for it is
    the command in the eyes of the guard; the last as well, for it ends the program.
    """
    if allowed is None or sum(sizes) <= allowed:
        return None
    inner = range(1, len(sizes) - 1)
    return next((place for place in inner if place not in needed), next(iter(inner), None))
