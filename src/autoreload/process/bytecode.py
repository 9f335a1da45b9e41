"""Python's own cache makes a restart stale: a cached file is trusted when it names the source's modification time *in
whole seconds* and its size. Two saves of equal size within one second, and the new process runs the old code.

So what agrees with a changed source is removed, after the old tree is dead and before the new command starts. No clock
is read: `cp -p` and tar bring files with times years ago, and fool the cache as well. The source is never touched.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from autoreload.core.filter import SOURCES

_HEADER = 16
"""Bytes: magic number, flags, then time and size if the flags are 0 (PEP 552); all little-endian, 4 bytes each."""
_CACHED = ".pyc"


class Failure(NamedTuple):
    """A cached file that could not be removed: the command may run old code."""

    path: str
    errno: int


def remove_stale(
    sources: Iterable[str],
    environ: Mapping[str, str],
    directory: str = "",
    is_beyond: Callable[[str], bool] = lambda path: False,
) -> list[Failure]:
    """Remove every cached file that Python would take for the present bytecode of one of the changed `sources`.

    Of each tag (version) and optimisation level; also of what is imported by the name of a link in the same folder, but
    one that `is_beyond` where nobody should look; below PYTHONPYCACHEPREFIX too, if `environ`, that of the command, has
    it. A relative prefix belongs to `directory`, where the command starts (default: the current one). Other files among
    the sources are passed over, and so is a source that is gone: Python runs nothing cached without it.
    """
    prefix = environ.get("PYTHONPYCACHEPREFIX", "")
    if prefix:
        prefix = os.path.join(directory or os.getcwd(), prefix)
    folders = _Folders(is_beyond)
    failures: list[Failure] = []
    for source in sources:
        if not source.endswith(SOURCES):
            continue
        try:
            status = os.stat(source)
        except OSError:
            continue
        # The same expression as in importlib, whose float rounds a time just below a second up.
        expected = _field(int(status.st_mtime)) + _field(status.st_size)
        parent, name = os.path.split(source)
        for cache in _caches(parent, prefix):
            for alias in (name, *folders.links(parent, status)):
                for cached in folders.cached(alias, cache):
                    failures += _remove_if(cached, expected)
    return failures


class _Folders:
    """What is in the folders; each is listed once, as a checkout may change thousands of files in one."""

    def __init__(self, is_beyond: Callable[[str], bool]) -> None:
        self._is_beyond = is_beyond
        self._links: dict[str, list[tuple[str, int, int]]] = {}
        self._cached: dict[str, dict[str, list[str]]] = {}

    def links(self, parent: str, status: os.stat_result) -> list[str]:
        """The names of the symbolic links in this folder that lead to that file."""
        if parent not in self._links:
            self._links[parent] = _links(parent, self._is_beyond)
        return [
            name for name, device, inode in self._links[parent] if (device, inode) == (status.st_dev, status.st_ino)
        ]

    def cached(self, name: str, cache: str) -> list[str]:
        """The cached files of source `name`: NAME.TAG.pyc and NAME.TAG.opt-LEVEL.pyc."""
        if cache not in self._cached:
            self._cached[cache] = _by_stem(cache)
        return self._cached[cache].get(os.path.splitext(name)[0], [])


def _links(parent: str, is_beyond: Callable[[str], bool]) -> list[tuple[str, int, int]]:
    """The links to sources in this folder: their names, the device and the inode that each leads to."""
    found = []
    try:
        with os.scandir(parent) as entries:
            for entry in entries:
                if entry.is_symlink() and entry.name.endswith(SOURCES) and not is_beyond(entry.path):
                    try:
                        status = entry.stat()
                    except OSError:
                        continue
                    found.append((entry.name, status.st_dev, status.st_ino))
    except OSError:
        pass
    return found


def _by_stem(cache: str) -> dict[str, list[str]]:
    """The cached files in this folder, by the name of their source without its ending."""
    found: dict[str, list[str]] = {}
    try:
        entries = os.listdir(cache)
    except OSError:
        return found
    for entry in entries:
        if not entry.endswith(_CACHED):
            continue
        stem, _, last = entry[: -len(_CACHED)].rpartition(".")
        if stem:
            found.setdefault(stem, []).append(os.path.join(cache, entry))
        if last.startswith("opt-"):  # then what is before it is the tag
            stem, _, tag = stem.rpartition(".")
            if stem and tag:
                found.setdefault(stem, []).append(os.path.join(cache, entry))
    return found


def _field(value: int) -> bytes:
    return (value & 0xFFFFFFFF).to_bytes(4, "little")


def _caches(parent: str, prefix: str) -> list[str]:
    """The folders that may hold cached files of sources in `parent`."""
    caches = [os.path.join(parent, "__pycache__")]
    if prefix:
        # By the path it was imported by, which may lead through links, or not.
        for path in dict.fromkeys((os.path.abspath(parent), os.path.realpath(parent))):
            caches.append(os.path.join(prefix, path.lstrip("/")))
    return caches


def _remove_if(cached: str, expected: bytes) -> list[Failure]:
    """Remove a cached file whose header has this time and size."""
    try:
        with open(cached, "rb") as file:
            header = file.read(_HEADER)
        if header[4:8] == b"\0\0\0\0" and header[8:] == expected:
            os.unlink(cached)
    except FileNotFoundError:
        pass
    except OSError as error:
        return [Failure(cached, error.errno or 0)]
    return []
