"""Do snapshots save this program anything? Not one whose child processes do the work: they begin anew in any case.

A resume from the start of a program costs more than it saves: what follows runs with the hooks of the runtime, takes
snapshots of its own, and its memory is shared with what waits above it. That was measured as a tenth of the time that
a start takes. So such a program is started as without --warm, until a file changes that it uses itself. What its child
processes use makes no difference to that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from autoreload.linux.descendants import NoProc, children
from autoreload.warm.chain import Chain
from autoreload.warm.decide import SOURCE

SAVED = 0.12
"""A snapshot has to save such a part of a start, or it is slower than that."""
IN_VAIN = "snapshots would save nothing, for child processes do the work"


def saves_nothing(age: float, seconds: float | None, has_children: bool) -> bool:
    """Is the last snapshot not worth it? `age`: what the program had done by then, seconds. `seconds`: how long it
    takes to come to rest; None: nobody knows. Pure."""
    return has_children and seconds is not None and age < SAVED * seconds


class Worth:
    """Remembers how the program came to rest, and whether snapshots of it are in vain."""

    def __init__(self) -> None:
        self._seconds: float | None = None
        self._has_children = False
        self._used: Collection[str] | None = None
        """What the program uses itself; None: snapshots are not in vain, or it is not known."""

    def rested(self, pid: int, seconds: float | None) -> None:
        """It has come to rest so many seconds after its start. `pid`: the program, below its snapshots; 0: unknown."""
        if not pid:
            return
        self._seconds = seconds
        try:
            self._has_children = bool(children(pid))
        except (OSError, NoProc):
            self._has_children = False

    def is_chain_in_vain(self, chain: Chain, changed: Iterable[str] | None) -> bool:
        """Is the program to be started without snapshots? `chain`: what there is now. `changed`: since the last start;
        None: nobody knows."""
        age = chain.snapshots[-1].facts["age"] if chain.snapshots else None
        paths = None if changed is None else list(map(chain.resolved, changed))
        return self.is_in_vain(age, paths, chain.used_by_itself())

    def is_in_vain(self, age: float | None, changed: Iterable[str] | None, used: Collection[str]) -> bool:
        """The same. `age`: see above; None: there are no snapshots now. `changed`: paths without links. `used`: what
        the program that has snapshots uses itself."""
        if age is not None:
            self._used = used if saves_nothing(age, self._seconds, self._has_children) else None
        known = self._used
        if known is None or changed is None or any(path in known or not path.endswith(SOURCE) for path in changed):
            self._used = None
        return self._used is not None

    @property
    def gives_up(self) -> bool:
        """What was answered last."""
        return self._used is not None
