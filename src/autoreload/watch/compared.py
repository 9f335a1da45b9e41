"""What differs between two folders that a link led to, one after the other."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from itertools import islice

from autoreload.core.change import Kind
from autoreload.watch.backend import Judge

MOST = 2000
"""So many files are compared; if there are more, something differs."""
FOLDERS = 10_000
"""So many folders are looked into."""
LARGEST = 1 << 18
"""Bytes. What is larger differs."""


def difference(interest: Judge, path: str, old: str | None, new: str | None) -> tuple[Kind, str] | None:
    """The first file that differs between the folders `old` and `new`, among those that count below `path`, where the
    link is: what happened to it, and where it is below there ("/a/b.py"). None: there is no difference."""
    left = MOST
    for name in _files(interest, path, new) if new is not None else ():
        left -= 1
        if left < 0 or old is None or not _same(old + name, (new or "") + name):
            return Kind.APPEARED, name
    for name in _files(interest, path, old) if old is not None else ():
        left -= 1
        if left < 0 or new is None or not os.path.lexists(new + name):
            return Kind.VANISHED, name
    return None


def _files(interest: Judge, path: str, real: str) -> Iterator[str]:
    for base, folders, names in islice(os.walk(real), FOLDERS):
        below = base[len(real) :]
        interest.listed(path + below, [*folders, *names])
        folders[:] = [name for name in folders if interest.wants_directory(f"{path}{below}/{name}")]
        yield from (f"{below}/{name}" for name in names if interest.counts(f"{path}{below}/{name}"))


def _same(one: str, other: str) -> bool:
    """Have both files the same content, for certain?"""
    try:
        infos = os.stat(one), os.stat(other)
        if any(not stat.S_ISREG(info.st_mode) or info.st_size > LARGEST for info in infos):
            return False
        if infos[0].st_size != infos[1].st_size:
            return False
        with open(one, "rb") as a, open(other, "rb") as b:
            return a.read() == b.read()
    except OSError:
        return False
