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

from array import array

from autoreload.core.change import Change, Kind

SIZE = 20
"""Bytes that say what a file is."""
ABSENT = b""
"""Instead of these: there is no such file."""
MOST_FILES = 1 << 18
"""How many files are kept in mind: 14 MiB of table, whatever their names."""
MOST_UNCONFIRMED = 10_000
_SHARDS = 1 << 8
_FIRST_SLOTS = 1 << 3
_FREE, _DROPPED = 0, 1
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
        self._started = moment
        return list(self._unknown)

    def forget(self) -> None:
        """Nothing is known any more: changes may have gone unheard."""
        self._table = Table(self._table.most)
        self._unconfirmed, self._unknown = {}, set()
        self._walked, self._whole = None, False
        self._touched = dict.fromkeys(self._touched)

    def heard(self, change: Change) -> None:
        """A change of a file was told, after what `told` said last."""
        path = change.path
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
        """Everything that happened before `until` has been heard."""
        self._told = until
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


class Table:
    """From paths to identities, in 28 bytes a slot: a dictionary would take eight times as much.

    Instead of a path there is its hash. Two paths of 250,000 share one with a probability of 1 in 10^8; then the one
    is taken to be what the other is, which is the same only if their contents are.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._used = 0
        self._shards = [_Shard() for _ in range(_SHARDS)]

    def __len__(self) -> int:
        return self._used

    def get(self, path: str) -> bytes | None:
        """What was put there."""
        key = _key(path)
        return self._shards[key % _SHARDS].get(key)

    def put(self, path: str, identity: bytes) -> bool:
        """Keep it. False: there is no room."""
        key = _key(path)
        shard = self._shards[key % _SHARDS]
        if shard.replace(key, identity):
            return True
        if self._used >= self.most:
            return False
        shard.insert(key, identity)
        self._used += 1
        return True

    def drop(self, path: str) -> None:
        """Keep it no longer."""
        key = _key(path)
        self._used -= self._shards[key % _SHARDS].drop(key)


class _Shard:
    """A part of the table: it grows by itself, so that no growth takes long. Open addressing, probed linearly."""

    __slots__ = ("_keys", "_taken", "_used", "_values")

    def __init__(self, slots: int = _FIRST_SLOTS) -> None:
        self._keys = array("Q", bytes(8 * slots))
        self._values = bytearray(SIZE * slots)
        self._used = 0
        self._taken = 0
        """Slots that are not free: used, or used once."""

    def get(self, key: int) -> bytes | None:
        slot = self._find(key)
        return None if slot < 0 else bytes(self._values[slot * SIZE : (slot + 1) * SIZE])

    def replace(self, key: int, value: bytes) -> bool:
        slot = self._find(key)
        if slot >= 0:
            self._values[slot * SIZE : (slot + 1) * SIZE] = value
        return slot >= 0

    def insert(self, key: int, value: bytes | bytearray) -> None:
        """A key that is not there."""
        if 4 * (self._taken + 1) > 3 * len(self._keys):
            self._rebuild()
        keys = self._keys
        last = len(keys) - 1
        slot = (key // _SHARDS) & last
        while keys[slot] > _DROPPED:
            slot = (slot + 1) & last
        self._taken += keys[slot] == _FREE
        self._used += 1
        keys[slot] = key
        self._values[slot * SIZE : (slot + 1) * SIZE] = value

    def drop(self, key: int) -> bool:
        slot = self._find(key)
        if slot >= 0:
            self._keys[slot] = _DROPPED
            self._used -= 1
        return slot >= 0

    def _find(self, key: int) -> int:
        keys = self._keys
        last = len(keys) - 1
        slot = (key // _SHARDS) & last
        while (found := keys[slot]) != _FREE:
            if found == key:
                return slot
            slot = (slot + 1) & last
        return -1

    def _rebuild(self) -> None:
        """Without what was dropped; twice as large, unless that was much."""
        new = _Shard(len(self._keys) * (2 if 2 * self._used > len(self._keys) else 1))
        for slot, key in enumerate(self._keys):
            if key > _DROPPED:
                new.insert(key, self._values[slot * SIZE : (slot + 1) * SIZE])
        self._keys, self._values, self._taken = new._keys, new._values, new._taken


def _key(path: str) -> int:
    key = hash(path) & 0xFFFF_FFFF_FFFF_FFFF
    return key if key > _DROPPED else key + 2
