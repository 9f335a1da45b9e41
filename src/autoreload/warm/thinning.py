"""There are only so many snapshots: which one is let go, and how.

The child of the one that goes falls to the one above it (the nearest subreaper), which has to know so before. Hence two
steps, and one snapshot after the other.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from autoreload.warm.chain import Snapshot
from autoreload.warm.decide import superfluous

MOST_SNAPSHOTS = 6
"""Each holds some tenth of the program's memory for itself, and is made again by most restarts."""


class Thinning:
    """Lets one go, then perhaps another."""

    def __init__(self) -> None:
        self._leaver: Snapshot | None = None

    def look(self, snapshots: Sequence[Snapshot], hot: Collection[str]) -> None:
        """Are there too many? `hot`: the snapshots before these files are kept if possible."""
        if self._leaver in snapshots:
            return
        kept = {place for place, one in enumerate(snapshots) if one.facts["best"] or one.where[1] in hot}
        place = superfluous([one.facts["age"] for one in snapshots], MOST_SNAPSHOTS, kept)
        if place is not None:
            self.let_go(snapshots, place)

    def let_go(self, snapshots: Sequence[Snapshot], place: int) -> bool:
        """Drop that one, which is neither the first nor the last. False: another one is being dropped."""
        if self._leaver in snapshots:
            return False
        self._leaver = snapshots[place]
        snapshots[place - 1].stream.send("heir", snapshots[place + 1].pid)
        return True

    def answered(self, snapshots: Sequence[Snapshot], above: Snapshot, heir: int) -> None:
        """`above` knows who will be its child: now the one between them may go."""
        place = snapshots.index(above) + 1
        if place + 1 < len(snapshots) and snapshots[place] is self._leaver and snapshots[place + 1].pid == heir:
            snapshots[place].expected_to_end = snapshots[place].dropped = True
            snapshots[place].stream.send("drop")

    def cancel(self) -> None:
        """There is something else to do: whoever was chosen stays for now."""
        self._leaver = None
