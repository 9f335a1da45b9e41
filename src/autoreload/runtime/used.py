"""What the program has used so far: its modules, and the data files that were opened; and what it has made.

A snapshot may serve a change only of what it has not used, so nothing must be missing here. Modules are taken from
sys.modules when they are asked for, whoever found and loaded them; the finder adds those that are gone again.
"""

from __future__ import annotations

import sys
from _imp import source_hash
from os import fsencode
from os.path import join, normpath
from posix import getcwd, listdir, lstat, stat
from time import clock_gettime_ns, sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any

    Signature = tuple[int, int, int, int]

MOST = 20_000
"""So many files are kept in mind."""
NEVER = 1 << 80
"""A time, in nanoseconds."""
UNSURE = (-2, -2, -2, -2)
"""Signature of a file that may not be what the program read: no file has it, whether it can be asked or not."""
_CACHE = "__pycache__"
_NO_FILES = ("/proc/", "/sys/", "/dev/")
_CLOCK_REALTIME_COARSE = 5
_LONGEST_TICK = 20_000_000
"""Nanoseconds."""


class Used:
    """Absolute paths, in the order of their first use, each as it was then.

    It is looked at *before* it is read: what changes while the program reads it is another file than the one that was
    seen, and every snapshot that used it counts as stale.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        """`tell` is called for each of them before it is used."""
        self._tell = tell
        self.files: list[tuple[str, Signature | None]] = []
        self._known: set[str] = set()
        self._modules: dict[str, int] = {}
        self._made: set[str] = set()
        self._removed: set[str] = set()
        self._collected = 0
        """When modules were collected last, by `now`."""
        self.overflowed = False
        """Were there more than can be kept in mind?"""

    def add(self, path: str, since: int = NEVER) -> bool:
        """Something of the program is about to use that file, or has begun to after `since` (see `now`); True: for the
        first time."""
        path = absolute(path)
        if not self._is_new(path):
            return False
        self._tell(path)
        return self._add(path, seen(path, since))

    def add_as(self, path: str, was: Signature | None) -> None:
        """It was used, and was this."""
        path = absolute(path)
        if self._is_new(path):
            self._tell(path)
            self._add(path, was)

    def _is_new(self, path: str) -> bool:
        return path not in self._known and not path.startswith(_NO_FILES)

    def _add(self, path: str, was: Signature | None) -> bool:
        if len(self._known) >= MOST:
            self.overflowed = True
            return False
        self._known.add(path)
        self.files.append((path, was))
        return True

    def make(self, path: str) -> None:
        """The program may be about to make that file or folder."""
        if len(self._made) < MOST:
            self._made.add(absolute(path))
        else:
            self.overflowed = True

    def made(self) -> list[str]:
        """What it has made of late (since the last call) and not removed again. A program that ends may clean up, and
        one that is resumed would miss it."""
        made, self._made = self._made, set()
        return [path for path in made if not path.startswith(_NO_FILES) and is_there(path)]

    def remove(self, path: str) -> None:
        """The program may be about to remove that file or folder."""
        if len(self._removed) < MOST:
            self._removed.add(absolute(path))
        else:
            self.overflowed = True

    def removed(self) -> list[str]:
        """What it has removed of late, or would have if it had been there, and not made again. A new start would do so
        once more: with what the program has made afterwards and left behind."""
        removed, self._removed = self._removed, set()
        return [path for path in removed if not path.startswith(_NO_FILES) and not is_there(path)]

    def collect(self, but: Collection[str]) -> None:
        """Add the files of the modules that came since the last time, without those that are told of otherwise. Most
        were seen when they were opened; of the others (extensions) it is not known when."""
        since, self._collected = self._collected or NEVER, now()
        for name, module in list(sys.modules.items()):
            if self._modules.get(name) == id(module):
                continue
            path = _file(module)
            if path and path not in but:  # without one it may get one yet, as `__main__` does
                self._modules[name] = id(module)
                self.add(path, since)

    def resumed(self) -> None:
        """The program goes on from a snapshot that may be old: what it uses next, it begins to use now."""
        self._collected = now()

    def folders(self) -> None:
        """Add the folders of installed packages: one that is installed, or taken away, changes their time. And what
        `site` reads in them: a .pth file may be edited in its place."""
        for entry in list(sys.path):
            if type(entry) is str and entry.endswith(("/site-packages", "/dist-packages")) and self.add(entry):
                try:
                    names = listdir(entry)
                except OSError:
                    continue
                for name in names:
                    if name.endswith(".pth"):
                        self.add(f"{entry}/{name}")


def now() -> int:
    """The time that a file would get if it changed now, nanoseconds: that of the last tick, see clock_gettime(2)."""
    return clock_gettime_ns(_CLOCK_REALTIME_COARSE)


def seen(path: str, since: int = NEVER) -> Signature | None:
    """What that file is, for a program that is about to read it, or has begun to after `since`.

    Two changes within one tick of the clock cannot be told apart. So if it changed in this very tick, the end of it is
    waited for, a few milliseconds: what then changes once more gets another time. UNSURE: it changed meanwhile.
    """
    was = signature_of(path)
    if was is None:
        return None
    while was[1] - _LONGEST_TICK <= now() <= was[1]:  # further away: the clock of another machine
        sleep(0.001)
        if signature_of(path) != was:
            return UNSURE
    return UNSURE if was[1] >= since else was


def is_there(path: str) -> bool:
    """Is there a file, a folder or a link of that name?"""
    try:
        lstat(path)
    except (OSError, ValueError):
        return False
    return True


def absolute(path: str) -> str:
    """The same file, whatever the present folder will be."""
    if path.startswith("/"):
        return path
    try:
        path = join(getcwd(), path)
    except OSError:
        return path  # that folder is gone
    straight = normpath(path)
    return straight if ".." not in path.split("/") or _is_same(path, straight) else path


def _is_same(path: str, other: str) -> bool:
    """`..` behind a link leads out of the folder that the link leads to."""
    try:
        one, two = stat(path), stat(other)
    except (OSError, ValueError):
        return False
    return (one.st_dev, one.st_ino) == (two.st_dev, two.st_ino)


def _file(module: Any) -> str:
    """The file of a module, without running code of its own (`__getattr__`, a lazy module's loading)."""
    try:
        path = object.__getattribute__(module, "__dict__").get("__file__")
    except (AttributeError, TypeError):
        return ""
    return path if type(path) is str else ""


def signature_of(path: str) -> Signature | None:
    """What tells a changed file from the same; None: there is no file. What is in an archive is the archive. With a
    slash at its end, it stands for the names in a folder."""
    if path.endswith("/"):
        return _names_in(path)
    while True:
        try:
            return signature(stat(path))
        except NotADirectoryError:
            path = path.rpartition("/")[0] or "/"
        except (OSError, ValueError):
            return None


def _names_in(folder: str) -> Signature | None:
    """Not the time of the folder: that changes with each save of an editor that makes a file for a moment."""
    try:
        names = sorted(name for name in listdir(folder) if name[0] != "." and name[-1] != "~" and name != _CACHE)
    except (OSError, ValueError):
        return None
    digest = source_hash(0, fsencode("/".join(names)))
    return 0, 0, len(names), int.from_bytes(digest, "little", signed=True)


def signature(status: Any) -> Signature:
    """What tells a changed file from the same."""
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino
