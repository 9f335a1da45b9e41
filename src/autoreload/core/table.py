"""A table from paths to identities that a million-file tree cannot make large."""

from __future__ import annotations

from array import array

SIZE = 20
"""Bytes that say what a file is."""
_SHARDS = 1 << 8
_FIRST_SLOTS = 1 << 3
_FREE, _DROPPED = 0, 1


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
