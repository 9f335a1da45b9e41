"""What the files were when the command was last started, as far as that is certain.

Pure: the readings are arguments. What a file *is* was digested by whoever read it; here it is 20 bytes that are equal
or not. The times are those of files: nanoseconds of CLOCK_REALTIME_COARSE.

A file is read some time after the start, so what was read is what the command can have found only if the file has not
changed in between. Two things must say so:
- its ctime is older than the start. Whatever happens to a file sets that to the present, and nothing can set it back.
- no change of it is heard before everything up to the moment of the reading has been told. That covers what leaves no
  trace in its ctime: a folder above it that was replaced.
What is known stays known at later starts, until a change is heard. If that may have happened before the start, or a
reading came between it and being heard, nothing is known of the file. Where nothing is known, a change counts.
"""

from __future__ import annotations

from autoreload.core.change import Change, Kind
from autoreload.core.table import Table

ABSENT = b""
"""Instead of these: there is no such file."""
MOST_FILES = 1 << 18
"""How many files are kept in mind: 14 MiB of table, whatever their names."""
MOST_UNCONFIRMED = 10_000
_STEPS_OF_TIME = ((1_000_000_000, 2_000_000_000), (1_000_000, 10_000_000), (1_000, 1_000), (100, 100))
"""ns: a time that is a multiple of the first may be that of a file system that rounds down to the second."""


class Identities:
    """What is known of each file, as of the last start."""

    def __init__(self, most: int = MOST_FILES) -> None:
        self._table = Table(most)
        self._started: int | None = None
        self._told = 0
        self._touched: dict[str, bytes | None] = {}
        """Of each file that changed since the start: what it was at the start; None: nobody knows."""
        self._exposed: set[str] = set()
        """Those that changed while the command may have read them."""
        self._rest: int | None = None
        self._unknown: set[str] = set()
        """Files of which nothing is known so far."""
        self._unconfirmed: dict[str, tuple[int, bytes]] = {}
        self._walked: int | None = None
        self._whole = False
        """Is everything known? What is in neither the table nor among the unknown was not there then."""

    def __len__(self) -> int:
        return len(self._table)

    @property
    def full(self) -> bool:
        """Can no more files be kept in mind?"""
        return len(self._table) + len(self._unconfirmed) + len(self._unknown) >= self._table.most

    @property
    def unconfirmed(self) -> bool:
        """Is there a reading of which it is not certain that no change preceded it?"""
        return bool(self._unconfirmed)

    @property
    def crowded(self) -> bool:
        """Are there so many that no more should be read before that is certain?"""
        return len(self._unconfirmed) >= MOST_UNCONFIRMED

    @property
    def caught_up(self) -> bool:
        """Has all been told that happened before the last start?"""
        return self._started is not None and self._told > self._started

    def started(self, moment: int) -> list[str]:
        """The command is started at `moment`. The files that have to be read again."""
        for path in self._touched:
            self._table.drop(path)
        self._unknown.update(self._touched)
        self._touched = {}
        self._exposed.clear()
        self._rest = None
        self._started = moment
        return list(self._unknown)

    def rested(self, moment: int) -> None:
        """From this `moment` on the command has been at rest: what it had to read, it has read."""
        self._rest = moment

    def was_exposed(self, path: str) -> bool:
        """May the command have read what this file was in the middle of a change?"""
        return path in self._exposed

    def forget(self) -> None:
        """Nothing is known any more: changes may have gone unheard."""
        self._table = Table(self._table.most)
        self._unconfirmed, self._unknown = {}, set()
        self._walked, self._whole = None, False
        self._touched = dict.fromkeys(self._touched)

    def distrust(self) -> None:
        """The moments that were taken down mean nothing any more: nothing is known before the next start."""
        self.forget()
        self._started, self._told = None, 0

    def heard(self, change: Change) -> None:
        """A change of a file was told, after what `told` said last."""
        path = change.path
        if self._rest is None or self._told <= self._rest:  # it may have happened before that
            self._exposed.add(path)
        if path in self._touched:
            return
        was: bytes | None = None
        if self._unconfirmed.pop(path, None) is None and self.caught_up:
            known = path not in self._unknown
            was = self._table.get(path) if known else None
            # Made since the start? It had not been removed since, that would come first.
            made = change.kind is Kind.OPENED and not change.synthesized
            if was is None and (made or (known and self._whole)):
                was = ABSENT
        self._touched[path] = was

    def told(self, until: int) -> None:
        """Everything that happened before `until` has been heard. 0: nobody knows; what was heard before, was."""
        self._told = max(self._told, until)
        confirmed = []
        for path, (at, identity) in self._unconfirmed.items():
            if at >= until:
                break  # they are in order
            confirmed.append(path)
            if identity == ABSENT or self._table.put(path, identity):
                self._unknown.discard(path)
        for path in confirmed:
            del self._unconfirmed[path]
        if self._walked is not None and self._walked < until:
            self._whole = True

    def wants(self, path: str) -> bool:
        """Is a reading of this file of use?"""
        return path not in self._touched

    def read(self, path: str, identity: bytes | None, ctime: int, at: int) -> None:
        """It was read, then its ctime was this, then it was `at`. None: it could not be read."""
        if self._started is None or path in self._touched or path in self._unconfirmed:
            return
        if identity is None or latest(ctime) >= self._started or (path not in self._unknown and self.full):
            self._unknown.add(path)
        else:
            self._unconfirmed[path] = at, identity

    def walked(self, at: int) -> None:
        """Every file that was there has been read, then it was `at`."""
        self._walked = at

    def was(self, path: str) -> bytes | None:
        """What this file was at the last start; None: nobody knows."""
        if path in self._touched:
            return self._touched[path]
        return None if path in self._unknown else self._table.get(path)


def latest(time: int) -> int:
    """The latest moment at which a file can have changed whose file system says `time`: some keep whole seconds (FAT:
    two), others milliseconds, microseconds, or tenths of these."""
    for unit, step in _STEPS_OF_TIME:
        if time % unit == 0:
            return time + step
    return time
