"""Ending a process tree where orphans cannot be inherited: prctl(PR_SET_CHILD_SUBREAPER) is denied.

Orphans fall to another process then (PID 1, as a rule), and nobody tells of them. So the descendants are looked up in
/proc before anything is signalled, and remembered by (pid, start time), which no other process can have. This is weaker
than a `Tree`: who lost its parent before the first look is not found, and "nothing is left" is no proof.
"""

from autoreload.linux import descendants
from autoreload.process.tree import Tree


class RememberedTree(Tree):
    """A tree of which we know only what was seen in time."""

    def __init__(self, keep: "set[int] | None" = None, roots: "dict[int, int] | None" = None) -> None:
        super().__init__(keep)
        self._known: dict[int, int] = dict(roots or {})
        """Pid to start time."""

    def look(self) -> None:
        """Remember who is there now, and forget who is gone."""
        direct = super().children()
        self._known = {pid: start for pid, start in self._known.items() if _lives(pid, start)}
        self._known |= descendants.below([*direct, *self._known])

    def reap(self) -> bool:
        """Collect the dead. True: nothing that we know of is left."""
        return super().reap() and not self.children()

    def children(self) -> list[int]:
        """Our children, and the descendants that we know of."""
        direct = super().children()
        self._known = {pid: start for pid, start in self._known.items() if _lives(pid, start)}
        return [*direct, *(pid for pid in self._known if pid not in direct and pid not in self.keep)]

    def stop(self, signal: int, deadline: float, from_terminal: bool = False) -> None:
        """As that of a tree; first of all, look."""
        self.look()
        super().stop(signal, deadline, from_terminal)

    def step(self, now: float) -> float | None:
        """As that of a tree, looking before each signal; often, for nobody tells when a stranger's child dies."""
        if self.stopping:
            self.look()
        due = super().step(now)
        return None if due is None else min(due, now + 0.02)


def _lives(pid: int, start: int) -> bool:
    try:
        state, _, began = descendants.process(pid)
    except OSError:
        return False
    return began == start and state not in "ZX"
