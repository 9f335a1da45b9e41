"""What is on the disk as a restart is due: the facts for `decide`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from autoreload.warm.chain import Chain
from autoreload.warm.decide import SOURCE, Decision, Touched, decide
from autoreload.warm.disk import Disk
from autoreload.warm.hot import LARGEST, Hot

_NOT_SEEN = "no CPython 3.9 to 3.14 was seen to start (its options -E, -I and -S keep snapshots out)"
_NO_POINT = "its main process imported nothing after enough work"


class Facts:
    """Remembers from start to start what it has to."""

    def __init__(self, directory: str) -> None:
        """`directory`: where the command starts."""
        self.hot = Hot()
        self.disk = Disk()
        self.cold: Callable[[str], str] = _no_pattern
        """By which pattern a change of this file is always a new start; empty: by none."""
        self._directory = directory
        self._inode = self.disk.inode(directory)
        self._present: set[str] = set()
        """Files that changed before a start, and were there then."""
        self._refusals: list[tuple[str, str]] = []
        """Why the program that was ended last had no snapshot."""

    def ended(self, chain: Chain) -> None:
        """Nothing is left of that one."""
        self._refusals = chain.refusals

    def starts_cold(self) -> None:
        """The command is started, in what is the directory now."""
        self._inode = self.disk.inode(self._directory)
        self._refusals = []

    def decide(self, chain: Chain, changed: Mapping[str, bool | None] | None) -> Decision:
        """Who may serve. `changed`: as in `WarmRunner.start`, which is called once for each start."""
        decision = self.foresee(chain, changed)
        self._look(changed)
        return decision

    def foresee(self, chain: Chain, changed: Mapping[str, bool | None] | None) -> Decision:
        """As `decide`, for a start that may be made soon."""
        for path in changed or ():
            self._remember(path)
        return self._decide(chain, changed)

    def _decide(self, chain: Chain, changed: Mapping[str, bool | None] | None) -> Decision:
        if changed is None:
            return Decision((), "")
        if not chain.snapshots:
            why, path = next(iter(self._refusals or chain.refusals), ("", ""))
            return Decision((), f"no snapshot: {why}" if why else _NOT_SEEN, path, lasting=True)
        if self.disk.inode(self._directory) != self._inode:
            return Decision((), "the start directory is another one")
        if chain.overflowed:
            return Decision((), "the program uses too many files")
        if path := chain.behind_link(changed):
            return Decision((), "a link on the way to {} may lead elsewhere by now", path)
        burst = {chain.resolved(path): self._touched(chain, path, was_there) for path, was_there in changed.items()}
        decision = decide(chain.known(), burst, chain.stale())
        if len(chain.snapshots) == 1 and decision.candidates:
            why, path = next(iter(chain.refusals), (_NO_POINT, ""))
            return decision._replace(nearer=f"there is no nearer one: {why}", nearer_path=path)
        return decision

    def _touched(self, chain: Chain, path: str, was_there: bool | None) -> Touched:
        real = chain.resolved(path)
        if was_there is None:
            was_there = chain.was_there(real) or path in self._present
        by_itself = chain.was_opened_by_itself(real)
        return Touched(self.disk.exists(path), was_there, chain.was_opened(real), self.cold(path), by_itself)

    def _remember(self, path: str) -> None:
        if path.endswith(SOURCE):
            content = self.disk.head(path, LARGEST)
            if content is not None:
                self.hot.changed(path, content)

    def _look(self, changed: Iterable[str] | None) -> None:
        """Which of these are there as the program starts: when one changes again soon, nobody else may know yet."""
        if changed is None:  # something may have changed all the same
            self._present.clear()
        for path in changed or ():
            if self.disk.exists(path):
                self._present.add(path)
            else:
                self._present.discard(path)


def _no_pattern(path: str) -> str:
    return ""
