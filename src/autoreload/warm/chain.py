"""The snapshots of one start of the command, as they tell of themselves.

They connect to an abstract address (unix(7): no file, and a new one for each cold start, so that what is left of an
older program cannot be taken for one of this). Nothing in here waits.
"""

from __future__ import annotations

import os
import select
import socket
import struct
from collections.abc import Iterable
from marshal import loads
from typing import Any, NamedTuple

from autoreload.runtime.protocol import NOTES, Stream, is_same_user
from autoreload.runtime.used import signature
from autoreload.warm.decide import Known

_BACKLOG = 64
_LARGEST_NOTE = 1 << 16
_CREDENTIALS = struct.Struct("3i")
"""struct ucred: pid, uid, gid."""
_MOST_OPENED = 20_000


class Frozen(NamedTuple):
    """There is a new snapshot, the last one now."""

    snapshot: Snapshot


class Told(NamedTuple):
    """A snapshot told something else."""

    snapshot: Snapshot
    what: str
    values: tuple[Any, ...]


class Gone(NamedTuple):
    """The process of a snapshot has ended."""

    snapshot: Snapshot


News = Frozen | Told | Gone


class Snapshot:
    """One process that waits to be resumed."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.facts: dict[str, Any] = {}
        """Empty: it has not told yet."""
        self.expected_to_end = False
        self.dropped = False
        """Was it told to go, so that the one below it has the one above it for its parent?"""

    @property
    def pid(self) -> int:
        """Of it."""
        return int(self.facts["pid"])

    @property
    def depth(self) -> int:
        """How many are above it."""
        return int(self.facts["depth"])

    @property
    def where(self) -> tuple[str, str]:
        """(`root`, `before` or `inside`, the file that it was taken before or in)."""
        return str(self.facts["kind"]), str(self.facts["path"])


class Chain:
    """All that is alive of them, the first one first."""

    def __init__(self) -> None:
        self.address = b"\0autoreload-" + os.urandom(12).hex().encode()
        self.snapshots: list[Snapshot] = []
        self.opened: set[str] = set()
        """Data files that the program was seen to open, or try to, wherever."""
        self._found: set[str] = set()
        """Those of them that were there then."""
        self.refusals: list[tuple[str, str]] = []
        """(why there is no snapshot, at which file), each reason once."""
        self._new: list[Snapshot] = []
        self._signatures: dict[str, tuple[int, int, int, int] | None] = {}
        self._folders: dict[str, str] = {}
        self._epoll = select.epoll()
        self._listener = _bound(socket.SOCK_STREAM, self.address)
        self._listener.listen(_BACKLOG)
        self._notes = _bound(socket.SOCK_DGRAM, self.address + NOTES)
        self._notes.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        for source in (self._listener, self._notes):
            self._epoll.register(source, select.EPOLLIN)

    def fileno(self) -> int:
        """Readable when `read` has something to tell."""
        return self._epoll.fileno()

    def read(self) -> list[News]:
        """What was told since the last call."""
        news: list[News] = []
        while ready := {fd for fd, _ in self._epoll.poll(0)}:
            if self._listener.fileno() in ready:
                self._accept()
            if self._notes.fileno() in ready:
                self._read_note()
            for snapshot in [*self.snapshots, *self._new]:
                if snapshot.stream.fileno() in ready:
                    news += self._read(snapshot)
        return news

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        if not is_same_user(connection):
            connection.close()
            return
        connection.setblocking(False)
        snapshot = Snapshot(Stream(connection))
        self._new.append(snapshot)
        self._epoll.register(connection, select.EPOLLIN)

    def _read_note(self) -> None:
        try:
            data, ancillary, _, _ = self._notes.recvmsg(_LARGEST_NOTE, socket.CMSG_SPACE(_CREDENTIALS.size))
        except OSError:
            return
        owners = [_CREDENTIALS.unpack(item)[1] for _, kind, item in ancillary if kind == socket.SCM_CREDENTIALS]
        if owners != [os.geteuid()]:
            return
        what, *values = loads(data)
        if what == "opened" and len(self.opened) < _MOST_OPENED:
            path = self.resolved(values[0])
            self.opened.add(path)
            if os.path.exists(path):
                self._found.add(path)
        elif what == "refused":
            self.refusals.append((values[0], values[1]))

    def _read(self, snapshot: Snapshot) -> list[News]:
        messages = snapshot.stream.receive()
        if messages is None:
            self._epoll.unregister(snapshot.stream)
            snapshot.stream.close()
            if snapshot in self._new:
                self._new.remove(snapshot)
                return []
            self._remove(snapshot)
            return [Gone(snapshot)]
        news: list[News] = []
        for what, *values in messages:
            if what == "frozen":
                self._frozen(snapshot, values[0])
                news.append(Frozen(snapshot))
            else:
                news.append(Told(snapshot, what, tuple(values)))
        return news

    def _remove(self, snapshot: Snapshot) -> None:
        place = self.snapshots.index(snapshot)
        del self.snapshots[place]
        if snapshot.dropped and place < len(self.snapshots):
            # What it used, those below it have used as well.
            self.snapshots[place].facts["used"] |= snapshot.facts["used"]
            self.snapshots[place].facts["made"] += snapshot.facts["made"]

    def _frozen(self, snapshot: Snapshot, facts: dict[str, Any]) -> None:
        self._new.remove(snapshot)
        used = [(self.resolved(path), was) for path, was in facts["used"]]
        self._signatures.update(used)
        snapshot.facts = {**facts, "used": {path for path, _ in used}}
        self.snapshots.append(snapshot)
        self.snapshots.sort(key=lambda one: one.depth)

    # -- what is known -------------------------------------------------------------------------------------------------
    def known(self) -> list[Known]:
        """Of each snapshot, for the decision."""
        found: list[Known] = []
        used: set[str] = set()
        missing = ""
        for snapshot in self.snapshots:
            used = used | snapshot.facts["used"]
            missing = missing or next((path for path in snapshot.facts["made"] if not os.path.lexists(path)), "")
            found.append(Known(used, tuple(map(self.resolved, snapshot.facts["in_progress"])), missing))
        return found

    def stale(self) -> set[str]:
        """Which of the used files are not what they were."""
        used = set().union(*(snapshot.facts["used"] for snapshot in self.snapshots))
        return {path for path in used if _signature(path) != self._signatures.get(path)}

    def was_there(self, path: str) -> bool:
        """Was that file there when a snapshot, or the program after it, used it?"""
        return self._signatures.get(path) is not None or path in self._found

    def was_opened(self, path: str) -> bool:
        """Was the program, at any time, seen to read that file?"""
        return path in self._signatures or path in self.opened

    def resolved(self, path: str) -> str:
        """The path without links: the program may name a file by another way than the one that watches it.

        As os.path.realpath, which takes ten times as long for many files of few folders.
        """
        folder, _, name = path.rpartition("/")
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder or "/").rstrip("/")
        path = f"{self._folders[folder]}/{name}"
        return os.path.realpath(path) if os.path.islink(path) else path

    @property
    def overflowed(self) -> bool:
        """Did the program use more files than it could keep in mind?"""
        return any(snapshot.facts["overflowed"] for snapshot in self.snapshots)

    def expect_end(self, snapshots: Iterable[Snapshot]) -> None:
        """These are about to end, and that is no accident."""
        for snapshot in snapshots:
            snapshot.expected_to_end = True

    def close(self) -> None:
        """Forget all of them; who is alive still ends itself."""
        for snapshot in [*self.snapshots, *self._new]:
            snapshot.stream.close()
        self.snapshots, self._new = [], []
        self._listener.close()
        self._notes.close()
        self._epoll.close()


def _signature(path: str) -> tuple[int, int, int, int] | None:
    try:
        return signature(os.stat(path))
    except OSError:
        return None


def _bound(kind: int, address: bytes) -> socket.socket:
    bound = socket.socket(socket.AF_UNIX, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    bound.bind(address)
    return bound
