"""What is prepared while the old program still ends: a snapshot resumes already, and what is resumed waits at its gate.

It serves the start that follows if that is for the same changes, and nothing has changed since. If anything else
becomes of it, nobody knows, for it did nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from autoreload.linux import standing
from autoreload.linux.clock import changed_from_now
from autoreload.warm.chain import Chain, Snapshot

_CTIME = 1
"""Place in a signature."""
_MARK_BITS = 32
_LOST = (1 << _MARK_BITS) - 1

Signatures = Mapping[str, object]
"""Of each file what tells it from another one in its place."""


class Overlap:
    """At most one is prepared at a time."""

    def __init__(
        self, signatures: Callable[[Iterable[str]], Signatures], is_up_to_date: Callable[[Snapshot, int, int], bool]
    ) -> None:
        """`signatures`: those of some files, as they are now. `is_up_to_date`: is what the process with that pid, which
        that snapshot has forked, has read so far older than that moment, in file time (ns)?"""
        self._signatures = signatures
        self._is_up_to_date = is_up_to_date
        self._since = 0
        self._pid = 0
        self._candidates: list[Snapshot] = []
        """The first of them was asked, or has prepared it; none: nothing is prepared."""
        self._told: dict[str, Any] = {}
        self._for: Signatures = {}
        self._number = 0
        self.is_ready = False
        """Has it been forked?"""

    def __bool__(self) -> bool:
        """Is anything prepared, or about to be?"""
        return bool(self._candidates)

    def begin(self, candidates: Sequence[Snapshot], told: Mapping[str, Any], changed: Iterable[str]) -> None:
        """Ask the first of these. What was prepared before is not wanted any more."""
        self.cancel()
        self._since = changed_from_now()
        self._candidates, self._told, self._for = list(candidates), dict(told), self._signatures(changed)
        self._ask()

    def _ask(self) -> None:
        self._number += 1
        if self._candidates:
            self._candidates[0].stream.send("prepare", {**self._told, "number": self._number}, list(self._for))

    def is_for(self, changed: Iterable[str]) -> bool:
        """Was it begun for these files as they are now?"""
        return bool(self._for) and self._for == self._signatures(changed)

    def prepared(self, number: int, pid: int) -> None:
        """The snapshot that was asked has forked."""
        if number == self._number:
            self.is_ready, self._pid = True, pid

    def unprepared(self, number: int, path: str) -> bool:
        """It cannot, because of a file in progress: then the next one, as for a start. Without a path it can, but not
        yet: to go on from further up would take longer than to wait for it. True: nothing will be prepared."""
        if number != self._number or not self._candidates:
            return False
        self._candidates = self._candidates[1:] if path else []
        self._ask()
        return not self._candidates

    def take(self, candidates: Sequence[Snapshot], changed: Iterable[str]) -> tuple[list[Snapshot], bool]:
        """Whom to ask for the start that is due, and whether the first of them is to release what it has prepared.

        `candidates`: who may serve, the best first. Whoever is asked ends all below it, but what is prepared further up
        would stay: so nobody below the one that has it is asked.
        """
        asked = self._candidates[0] if self._candidates else None
        fits = (
            asked is not None
            and self.is_ready
            and asked in candidates
            and self.is_for(changed)
            and self._is_up_to_date(asked, self._pid, self._since)
        )
        self._candidates, self._for, self.is_ready = [], {}, False
        self._number += 1
        if asked is None:
            return list(candidates), False
        others = [one for one in candidates if one.depth <= asked.depth and (one is not asked or not fits)]
        return ([asked, *others] if fits else others), fits

    def gone(self, snapshot: Snapshot) -> None:
        """That one has ended, and what it had prepared with it."""
        if snapshot in self._candidates:
            self.cancel()

    def cancel(self) -> None:
        """What is prepared is not wanted."""
        if self._candidates:
            self._candidates[0].stream.send("discard")
        self._candidates, self._for, self.is_ready = [], {}, False
        self._number += 1


def is_up_to_date(
    chain: Chain, snapshot: Snapshot, pid: int, since: int, changed: Iterable[str], hear: Callable[[], None]
) -> bool:
    """Has nothing changed since that moment (file time, ns) that the prepared process told to use? The old program may
    write, as it ends, a module that it has read already. What changed before is known, and `changed`.

    It tells of each file before it reads it, and how many there were stands in its memory. `hear`: have the chain hear
    what was told by now. Files of installed packages it does not tell of; see runtime/telling.py.
    """
    address, mark = snapshot.facts["telling"]
    try:
        number = standing.number_at(pid, address)
    except OSError:
        return False
    hear()
    if number >> _MARK_BITS != mark or number & _LOST > len(chain.told.get(pid, ())):
        return False
    told = {chain.resolved(name) for name in chain.told.get(pid, ())}
    now = chain.disk.signatures(list(told.difference(map(chain.resolved, changed))))
    return all(signature is not None and signature[_CTIME] < since for signature in now.values())
