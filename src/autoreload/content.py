"""What is in the files: read in the background, compared before anything is stopped.

Whether a reading may be trusted is decided in `core/identity.py`; here the disk is read, in slices.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from autoreload.core.change import Change
from autoreload.core.identity import ABSENT, Identities
from autoreload.linux.clock import file_time

LARGEST = 1 << 20
"""Bytes. Of a larger file the time, the size and the inode are compared instead of the content."""
MOST_BYTES = 256 << 20
"""So much is read of the files that were there; of those that come after, time, size and inode count too."""
SLICE = 0.002
"""Seconds of reading at a time. Then a pause of the same length: the command is starting and needs the processor."""
PAUSE_FIRST, PAUSE_LONGEST = 0.005, 1.0
"""How long the backend is waited for until it is asked again, seconds."""
TO_NAME = 0.0005
"""Once it is clear that there is a restart, it is put off for so long to find out which files it is for, seconds."""
_HOW = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
"""O_NONBLOCK: what is a pipe by now must not be waited for."""
_BY_CONTENT, _BY_TIME = b"c", b"time"
"""What an identity begins with; of a content, its size follows. The digest is the rest."""


class Interest(Protocol):
    """Which files matter."""

    def wants_directory(self, path: str) -> bool:
        """False: not descended into."""

    def counts(self, path: str) -> bool:
        """Can a change of this file restart the command?"""


class Links(Protocol):
    """Which links are followed."""

    def follows(self, folder: str) -> bool:
        """Is this folder, at a link or behind one, watched under this path?"""

    def is_alias(self, path: str) -> bool:
        """Is this behind a link that leads to what is told of by other paths?"""


class NoLinks:
    """None is."""

    def follows(self, folder: str) -> bool:
        """No."""
        return False

    def is_alias(self, path: str) -> bool:
        """No."""
        return False


class Reading(NamedTuple):
    """What was found at a path."""

    identity: bytes | None
    """None: it is no file, cannot be read, or is changing just now."""
    ctime: int
    """Of what was found last on the way (ns): neither it nor a link to it has changed since."""
    size: int = 0
    """Bytes that were read."""


UNREADABLE = Reading(None, 0)


def _nowhere(path: str) -> bool:
    return False


def read(
    path: str, content: bool = True, expected: bytes = ABSENT, is_beyond: Callable[[str], bool] = _nowhere
) -> Reading:
    """What is at `path` now: its content (unless it is large, or that is not wanted) and, of a link, where it leads.

    What has not even the size that is `expected` is not read: its identity is None then. So is that of a link that
    leads to where nobody should look.
    """
    link, changed = b"", 0
    try:
        try:
            fd = os.open(path, _HOW | os.O_NOFOLLOW)
        except FileNotFoundError:
            return Reading(ABSENT, 0)
        except NotADirectoryError:
            return Reading(ABSENT, 0)
        except OSError:
            link = os.fsencode(os.readlink(path)) + b"\0"
            if is_beyond(path):
                return UNREADABLE
            changed = os.lstat(path).st_ctime_ns
            fd = os.open(path, _HOW)
    except OSError:
        return UNREADABLE
    try:
        return _read(fd, link, changed, content, expected)
    except OSError:
        return UNREADABLE
    finally:
        os.close(fd)


def _read(fd: int, link: bytes, changed: int, content: bool, expected: bytes) -> Reading:
    info = os.fstat(fd)
    if not stat.S_ISREG(info.st_mode):
        return UNREADABLE
    if not content or info.st_size > LARGEST:
        what = b"%d %d %d" % (info.st_mtime_ns, info.st_size, info.st_ino)
        return Reading(_BY_TIME + _digest(link + what), max(changed, info.st_ctime_ns))
    head = _BY_CONTENT + info.st_size.to_bytes(3, "little")
    if expected and not expected.startswith(head):
        return UNREADABLE
    data = os.read(fd, info.st_size + 1)
    info = os.fstat(fd)  # after the reading: its ctime speaks for what was read
    if len(data) != info.st_size:
        return UNREADABLE
    return Reading(head + _digest(link + data), max(changed, info.st_ctime_ns), len(data))


def _digest(data: bytes) -> bytes:
    try:
        from _blake2 import blake2b  # hashlib would load OpenSSL
    except ImportError:
        from hashlib import blake2b
    return blake2b(data, digest_size=16).digest()


Entry = tuple[str, bool, bool]
"""What is found in a folder: its name (empty: neither file nor folder), is it a folder, is it a link to that."""


class Disk:
    """What is read."""

    def read(self, path: str, by_content: bool = True, expected: bytes = ABSENT) -> Reading:
        """See the function."""
        return read(path, by_content, expected)

    def inode(self, path: str) -> tuple[int, int] | None:
        """Which file or folder this is; None: there is none."""
        return inode(path)

    def scan(self, folder: str) -> Iterator[Entry] | None:
        """What is in a folder; None: nobody knows now. OSError: it is none."""
        return scan(folder)


class Content:
    """Knows what the files were at the last start, and says whether they still are that."""

    def __init__(
        self,
        interest: Interest,
        roots: Sequence[str],
        directory: str,
        disk: Disk | None = None,
        links: Links | None = None,
    ) -> None:
        """`directory`: where the command is started. `links`: those that are followed, default: none."""
        self._disk = disk or Disk()
        self._links = links or NoLinks()
        self._interest = interest
        self._roots = list(dict.fromkeys(roots))
        self._places = [*self._roots, directory]
        self._then: list[tuple[int, int] | None] = []
        self._known = Identities()
        self._trusted = False
        self._still: frozenset[str] = frozenset()
        """The files that are compared although nothing runs."""
        self._passed_over: set[str] = set()
        self._again: dict[str, None] = {}
        self._walk: Iterator[str] = self._files()
        self._walked = False
        self._partial = False
        """Could a folder not be listed, so that nobody knows which files are not there?"""
        self._bytes = 0
        self._next = 0.0
        self._pause = PAUSE_FIRST

    # -- what happens --------------------------------------------------------------------------------------------------
    def started(self, moment: int) -> None:
        """The command is about to be started. `moment`: no file that changes from now on has an older ctime (ns)."""
        self._again.update(dict.fromkeys(self._known.started(moment)))
        self._then = [self._disk.inode(path) for path in self._places]
        self._trusted = True
        self._passed_over.clear()
        self._next, self._pause = 0.0, PAUSE_FIRST

    def failed(self, but: Iterable[str] = ()) -> None:
        """It could not be started, or has crashed: whatever is saved now is meant to be tried again. `but`: these
        changed before, perhaps by its own doing."""
        self._trusted = False
        self._still = frozenset(but)

    def rested(self, moment: int) -> None:
        """The command has read its files: it has been at rest since this moment."""
        self._known.rested(moment)

    def heard(self, change: Change) -> None:
        """The backend told of a change."""
        self._known.heard(change)

    def told(self, until: int) -> None:
        """The backend has told everything that happened before this moment."""
        self._known.told(until)

    def forget(self) -> None:
        """Other files matter now: begin anew."""
        self._known.forget()
        self._walk, self._walked, self._partial, self._bytes = self._files(), False, False, 0

    def distrust(self) -> None:
        """The clock was set back, so that what changed cannot be told by its time: whatever happens until the next
        start counts."""
        self.forget()
        self._known.distrust()
        self._trusted = False

    # -- reading -------------------------------------------------------------------------------------------------------
    def deadline(self) -> float | None:
        """When `work` wants to be called, if there is nothing else to do (monotonic seconds); None: no need."""
        if not self._trusted:
            return None
        return None if self.complete and self._known.caught_up else self._next

    def __len__(self) -> int:
        """How many files are known."""
        return len(self._known)

    @property
    def complete(self) -> bool:
        """Is every file known that can be?"""
        return self._walked and not self._again and not self._known.unconfirmed

    def work(self, now: float) -> None:
        """Read for a slice of time."""
        due = self.deadline()
        if due is None or now < due:
            return
        if not self._known.caught_up or self._known.crowded or (self._walked and not self._again):
            self._next = now + self._pause
            self._pause = min(2 * self._pause, PAUSE_LONGEST)
            return
        until = now + SLICE
        self._pause = PAUSE_FIRST
        while now < until and self._read_next():
            now = time.monotonic()
        self._next = now + SLICE

    def _read_next(self) -> bool:
        """Read one file, or find out that there is none to be read. False: nothing is left."""
        if self._again:
            path, _ = self._again.popitem()
        elif self._walked or self._known.full:
            self._walked = True
            return False
        else:
            found = next(self._walk, None)
            if found is None:
                self._walked = True
                if not self._partial:
                    self._known.walked(file_time())
                return False
            path = found
        if path and self._known.wants(path):
            self._learn(path)
        return True

    def _learn(self, path: str) -> None:
        reading = self._disk.read(path, self._bytes < MOST_BYTES)
        self._known.read(path, reading.identity, reading.ctime, file_time())
        self._bytes += reading.size

    def _files(self) -> Iterator[str]:
        """The paths of all files that matter; between them, empty ones: a moment to pause."""
        counts, wants = self._interest.counts, self._interest.wants_directory
        todo = list(self._roots)
        while todo:
            folder = todo.pop()
            prefix = folder.rstrip("/") + "/"
            try:
                found = self._disk.scan(folder)
                if found is None:
                    self._partial = True
                    continue
                behind = self._links.follows(folder)
                for name, is_folder, is_link in found:
                    path = prefix + name
                    if is_folder:
                        if self._links.follows(path) if behind or is_link else wants(path):
                            todo.append(path)
                    elif name and counts(path):
                        yield path
                    yield ""
            except NotADirectoryError:
                yield folder
            except (FileNotFoundError, PermissionError):
                continue  # nothing is there; nothing of it is heard of, unless it is told as new
            except OSError:
                self._partial = True  # no descriptor is left, or the disk is broken

    # -- comparing -----------------------------------------------------------------------------------------------------
    def unchanged(self, paths: Sequence[str], clock: Callable[[], float], until: float) -> tuple[list[str], bool]:
        """Those of the files that are what they were at the last start; whether one was found that is not. Not all are
        looked at: it ends when it is `until` by the clock, or soon after one was found."""
        if [self._disk.inode(path) for path in self._places] != self._then:
            return [], True  # the command is in a folder that is no longer there: whatever comes is another file
        same: list[str] = []
        differs = False
        for path in paths:
            if (self._trusted or path in self._still) and self._is_same(path):
                same.append(path)
            elif not differs:
                differs, until = True, min(until, clock() + TO_NAME)
            if clock() >= until:
                break
        return same, differs

    def passed_over(self, paths: Iterable[str]) -> None:
        """These have changed, and there was no start for that: what the command knows of them is unknown until the
        next."""
        self._passed_over.update(paths)

    def was_there(self, path: str) -> bool | None:
        """Was there a file at the last start? None: nobody knows."""
        was = self._known.was(path) if self._trusted else None
        return None if was is None else was != ABSENT

    def _is_same(self, path: str) -> bool:
        was = self._known.was(path)
        if was is None or path in self._passed_over or self._links.is_alias(path):
            return False
        if self._known.was_exposed(path):
            return False
        return self._disk.read(path, by_content=not was.startswith(_BY_TIME), expected=was).identity == was


def inode(path: str) -> tuple[int, int] | None:
    """Which file or folder this is; None: there is none."""
    try:
        info = os.stat(path)
    except OSError:
        return None
    return info.st_dev, info.st_ino


def scan(folder: str, is_beyond: Callable[[str], bool] = _nowhere) -> Iterator[Entry]:
    """What is in a folder. A link to where nobody should look is taken for one to a file."""
    with os.scandir(folder) as found:
        entries = list(found)  # a folder that is held open cannot be unmounted
    for entry in entries:
        is_link = entry.is_symlink()
        try:
            hidden = is_link and is_beyond(entry.path)
            is_folder = not hidden and entry.is_dir()
            is_file = hidden or (not is_folder and entry.is_file())
        except OSError:  # nobody can tell where it leads: a loop, a file in the middle of the way
            is_folder, is_file = False, True
        yield entry.name if is_folder or is_file else "", is_folder, is_link
