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
    listings: dict[str, list[str]] = {}
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
            for cached in (
                path for alias in (name, *_links(parent, status, is_beyond)) for path in _of(alias, cache, listings)
            ):
                failures += _remove_if(cached, expected)
    return failures


def _links(parent: str, status: os.stat_result, is_beyond: Callable[[str], bool]) -> list[str]:
    """The names of the symbolic links in this folder that lead to that file."""
    try:
        with os.scandir(parent) as entries:
            links = [entry for entry in entries if entry.is_symlink() and entry.name.endswith(SOURCES)]
    except OSError:
        return []
    return [link.name for link in links if not is_beyond(link.path) and _leads_to(link, status)]


def _leads_to(link: os.DirEntry[str], status: os.stat_result) -> bool:
    try:
        return os.path.samestat(link.stat(), status)
    except OSError:
        return False


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


def _of(name: str, cache: str, listings: dict[str, list[str]]) -> list[str]:
    """The cached files of source `name`: NAME.TAG.pyc and NAME.TAG.opt-LEVEL.pyc. A folder is listed once."""
    if cache not in listings:
        try:
            listings[cache] = os.listdir(cache)
        except OSError:
            listings[cache] = []
    stem = os.path.splitext(name)[0] + "."
    found = []
    for entry in listings[cache]:
        if entry.startswith(stem) and entry.endswith(_CACHED):
            tag, _, level = entry[len(stem) : -len(_CACHED)].partition(".")
            if tag and (not level or level.startswith("opt-")):
                found.append(os.path.join(cache, entry))
    return found


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
