"""What the program has used so far: its modules, and the data files that were opened; and what it has made.

A snapshot may serve a change only of what it has not used, so nothing must be missing here. Modules are taken from
sys.modules when they are asked for, whoever found and loaded them; the finder adds those that are gone again.
"""

from __future__ import annotations

import sys
from os.path import join, normpath
from posix import getcwd, lstat, stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any

    Signature = tuple[int, int, int, int]

MOST = 20_000
"""So many files are kept in mind."""
_NO_FILES = ("/proc/", "/sys/", "/dev/")


class Used:
    """Absolute paths, in the order of their first use."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        """`tell` is called for each of them before it is used."""
        self._tell = tell
        self.paths: list[str] = []
        self._known: set[str] = set()
        self._modules: dict[str, int] = {}
        self._made: set[str] = set()
        self.overflowed = False
        """Were there more than can be kept in mind?"""

    def add(self, path: str) -> bool:
        """Something of the program uses that file; True: for the first time."""
        path = absolute(path)
        if path in self._known or path.startswith(_NO_FILES):
            return False
        self._tell(path)
        if len(self._known) >= MOST:
            self.overflowed = True
            return False
        self._known.add(path)
        self.paths.append(path)
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

    def collect(self, but: Collection[str]) -> None:
        """Add the files of the modules that came since the last time, without those that are told of otherwise."""
        for name, module in list(sys.modules.items()):
            if self._modules.get(name) == id(module):
                continue
            path = _file(module)
            if path and path not in but:  # without one it may get one yet, as `__main__` does
                self._modules[name] = id(module)
                self.add(path)

    def folders(self) -> None:
        """Add the folders of installed packages: one that is installed, or taken away, changes their time."""
        for entry in sys.path:
            if entry.endswith(("/site-packages", "/dist-packages")):
                self.add(entry)


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
        return normpath(join(getcwd(), path))
    except OSError:
        return path  # that folder is gone


def _file(module: Any) -> str:
    """The file of a module, without running code of its own (`__getattr__`, a lazy module's loading)."""
    try:
        path = object.__getattribute__(module, "__dict__").get("__file__")
    except (AttributeError, TypeError):
        return ""
    return path if type(path) is str else ""


def signed(paths: list[str]) -> list[tuple[str, Signature | None]]:
    """Each path with what tells a changed file from the same. What is in an archive is the archive."""
    found = {}
    for path in paths:
        status = None
        while path != "/":
            try:
                status = stat(path)
            except NotADirectoryError:
                path = path.rpartition("/")[0] or "/"
                continue
            except OSError:
                pass
            break
        found[path] = signature(status)
    return list(found.items())


def signature(status: Any) -> Signature | None:
    """What tells a changed file from the same; None: there is no file."""
    if status is None:
        return None
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino
