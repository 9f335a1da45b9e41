"""What polling knows of the files in each folder, packed: 35 bytes a file and its name, where objects take 300."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import Generic, TypeVar

Last = TypeVar("Last")
_COUNT = struct.Struct("=I")


class Known(Generic[Last]):
    """Folders by path, each with its files: name, and (mtime, ctime, size, inode, last).

    `last` is the same for nearly all files, and then takes no room. What is given out is a copy.
    """

    __slots__ = ("_packed", "_plain", "_whole")

    def __init__(self, plain: Last) -> None:
        """`plain`: what `last` is, as a rule."""
        self._plain = plain
        self._packed: dict[str, bytes] = {}
        """By path: how many, then their numbers, then their names."""
        self._whole: dict[str, dict[str, tuple[int, int, int, int, Last]]] = {}
        """Folders in which a file is not as a rule, as they were given."""

    def __len__(self) -> int:
        return len(self._packed) + len(self._whole)

    def __iter__(self) -> Iterator[str]:
        yield from self._packed
        yield from self._whole

    def __contains__(self, path: str) -> bool:
        return path in self._packed or path in self._whole

    def __setitem__(self, path: str, files: dict[str, tuple[int, int, int, int, Last]]) -> None:
        packed = self._pack(files)
        if packed is None:
            self._packed.pop(path, None)
            self._whole[path] = files
        else:
            self._whole.pop(path, None)
            if self._packed.get(path) != packed:
                self._packed[path] = packed

    def get(self, path: str) -> dict[str, tuple[int, int, int, int, Last]] | None:
        """The files of this folder; None if it is not known."""
        packed = self._packed.get(path)
        if packed is not None:
            return self._unpack(packed)
        whole = self._whole.get(path)
        return dict(whole) if whole is not None else None

    def pop(self, path: str) -> dict[str, tuple[int, int, int, int, Last]]:
        """Forget this folder, which is known: its files."""
        packed = self._packed.pop(path, None)
        return self._unpack(packed) if packed is not None else self._whole.pop(path)

    def items(self) -> Iterator[tuple[str, dict[str, tuple[int, int, int, int, Last]]]]:
        """All folders, each with its files."""
        for path, packed in self._packed.items():
            yield path, self._unpack(packed)
        yield from self._whole.items()

    def clear(self) -> None:
        """Forget all."""
        self._packed.clear()
        self._whole.clear()

    def _pack(self, files: dict[str, tuple[int, int, int, int, Last]]) -> bytes | None:
        """None: that is not possible."""
        numbers: list[int] = []
        for mtime, ctime, size, inode, last in files.values():
            if last is not self._plain:
                return None
            numbers += mtime, ctime, size, inode
        try:
            return b"%b%b%b" % (
                _COUNT.pack(len(files)),
                struct.pack("=" + "qqqQ" * len(files), *numbers),
                os.fsencode("/".join(files)),
            )
        except struct.error:  # a time that no clock has ever shown
            return None

    def _unpack(self, packed: bytes) -> dict[str, tuple[int, int, int, int, Last]]:
        (count,) = _COUNT.unpack_from(packed)
        if not count:
            return {}
        end = _COUNT.size + 32 * count
        numbers = struct.iter_unpack("=qqqQ", memoryview(packed)[_COUNT.size : end])
        names = os.fsdecode(packed[end:]).split("/")
        plain = self._plain
        return {
            name: (mtime, ctime, size, inode, plain)
            for name, (mtime, ctime, size, inode) in zip(names, numbers, strict=True)
        }
