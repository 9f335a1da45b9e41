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

from autoreload.runtime.protocol import LATE_NOTES, NOTES, Stream, is_same_user
from autoreload.warm.decide import Known
from autoreload.warm.disk import Disk, Signature

_BACKLOG = 64
_BACKLOG_OF_NOTES = 4096
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

    def __init__(self, disk: Disk | None = None) -> None:
        self.disk = disk or Disk()
        self.address = b"\0autoreload-" + os.urandom(12).hex().encode()
        self.snapshots: list[Snapshot] = []
        self.opened: dict[str, Signature | None] = {}
        """Files that the program told to use, or to try to, and what they were when that was heard."""
        self.told: dict[int, set[str]] = {}
        """How each process of the program named what it told to use, which is more than was opened."""
        self._tellers: dict[str, set[int]] = {}
        """Who told of each of these files: the program may have children that tell as well."""
        self._programs: set[int] = set()
        """Who has gone on as the program, at any time."""
        self.program = 0
        """Pid of what goes on as the program; 0: nobody knows."""
        self._lines: set[bytes] = {b""}
        """Which snapshots have told of themselves, alive or not."""
        self.refusals: list[tuple[str, str]] = []
        """(why there is no snapshot, at which file), each reason once."""
        self._new: list[Snapshot] = []
        self._signatures: dict[str, Signature | None] = {}
        self._folders: dict[str, tuple[str, bool]] = {}
        """Each by its name: without links, and may one look into it?"""
        self._epoll = select.epoll()
        self._listener = _bound(socket.SOCK_STREAM, self.address)
        self._listener.listen(_BACKLOG)
        self._notes = _bound(socket.SOCK_DGRAM, self.address + NOTES)
        self._notes.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._late_notes = _bound(socket.SOCK_STREAM, self.address + LATE_NOTES)
        self._late_notes.listen(_BACKLOG_OF_NOTES)
        for source in (self._listener, self._notes, self._late_notes):
            self._epoll.register(source, select.EPOLLIN)

    def fileno(self) -> int:
        """Readable when `read` has something to tell."""
        return self._epoll.fileno()

    def read(self) -> list[News]:
        """What was told since the last call."""
        news: list[News] = []
        while ready := {fd for fd, _ in self._epoll.poll(0)}:
            for listener in (self._listener, self._late_notes):
                if listener.fileno() in ready:
                    self._accept(listener)
            if self._notes.fileno() in ready:
                self._read_note()
            for snapshot in [*self.snapshots, *self._new]:
                if snapshot.stream.fileno() in ready:
                    news += self._read(snapshot)
        return news

    def _accept(self, listener: socket.socket) -> None:
        try:
            connection, _ = listener.accept()
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
        senders = [_CREDENTIALS.unpack(item) for _, kind, item in ancillary if kind == socket.SCM_CREDENTIALS]
        if [user for _, user, _ in senders] != [os.geteuid()]:
            return
        what, *values = loads(data)
        if what == "opened":
            self._opened(senders[0][0], values)
        elif what == "refused":
            self.refusals.append((values[0], values[1]))

    def _opened(self, pid: int, names: list[str]) -> None:
        for name in names:
            path = self.resolved(name)
            if len(self.opened) >= _MOST_OPENED and path not in self.opened:
                continue
            self.told.setdefault(pid, set()).add(name)
            self._tellers.setdefault(path, set()).add(pid)
            self.opened[path] = self.disk.signatures([path])[path]

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
            elif what == "opened":
                sender = snapshot.stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
                self._opened(_CREDENTIALS.unpack(sender)[0], values)
            else:
                if what == "resumed":
                    self.program = values[0]
                    self._programs.add(self.program)
                    self.told = {self.program: self.told.get(self.program, set())}
                news.append(Told(snapshot, what, tuple(values)))
        return news

    def _remove(self, snapshot: Snapshot) -> None:
        place = self.snapshots.index(snapshot)
        del self.snapshots[place]
        if snapshot.dropped and place < len(self.snapshots):
            # What it used, those below it have used as well.
            self.snapshots[place].facts["used"] |= snapshot.facts["used"]
            self.snapshots[place].facts["alone"] &= snapshot.facts["alone"]
            above, below = snapshot.facts, self.snapshots[place].facts
            made = [path for path in above["made"] if path not in below["removed"]] + below["made"]
            below["removed"] += [path for path in above["removed"] if path not in below["made"]]
            below["made"] = made

    def _frozen(self, snapshot: Snapshot, facts: dict[str, Any]) -> None:
        self._new.remove(snapshot)
        # By both names: a link on the way may be made to lead elsewhere.
        used = {name: was for path, was in facts["used"] for name in (path, self.resolved(path))}
        self._signatures.update(used)
        self._lines.add(facts["line"])
        snapshot.facts = {**facts, "used": set(used)}
        self.snapshots.append(snapshot)
        self.snapshots.sort(key=lambda one: one.depth)
        self.program = self.snapshots[-1].facts["child"]
        self._programs |= {facts["pid"], facts["child"]}

    # -- what is known -------------------------------------------------------------------------------------------------
    def known(self) -> list[Known]:
        """Of each snapshot, for the decision; not of those below one that has not told yet."""
        found: list[Known] = []
        used: set[str] = set()
        made: dict[str, None] = {}
        removed: dict[str, None] = {}
        alone = True
        for snapshot in self.snapshots:
            if snapshot.facts["above"] not in self._lines:
                break
            used = used | snapshot.facts["used"]
            for path in snapshot.facts["removed"]:
                made.pop(path, None)
                removed[path] = None
            for path in snapshot.facts["made"]:
                removed.pop(path, None)
                made[path] = None
            missing = next((path for path in made if self._is_missing(path)), "")
            back = next((path for path in removed if self._is_there(path)), "")
            alone = alone and snapshot.facts["alone"]
            found.append(Known(used, tuple(map(self.resolved, snapshot.facts["in_progress"])), missing, back, alone))
        return found

    @property
    def is_whole(self) -> bool:
        """Has each of them told of itself? One that was not given the processor since it forked may be late, and what
        it used, those below it have used as well."""
        return all(snapshot.facts["above"] in self._lines for snapshot in self.snapshots)

    def _is_missing(self, path: str) -> bool:
        return self.disk.is_beyond(path) or not os.path.lexists(path)

    def _is_there(self, path: str) -> bool:
        return self.disk.is_beyond(path) or os.path.lexists(path)

    def stale(self) -> set[str]:
        """Which of the used files are not what they were."""
        # Not while the program is still ending, though there would be time: it may write in the end what it has read
        # before. 2,000 files take 4 ms.
        used = set().union(*(snapshot.facts["used"] for snapshot in self.snapshots))
        now = self.disk.signatures(list(used))
        return {path for path in used if now[path] != self._signatures.get(path)}

    def has_changed(self, ending: str) -> bool:
        """Is any file so named another one than when the program that runs, or a snapshot, used it?"""
        used = {path: self._signatures[path] for one in self.snapshots for path in one.facts["used"]}
        told = {path: self.opened[path] for path in map(self.resolved, self.told.get(self.program, ()))}
        known = {path: was for path, was in {**used, **told}.items() if path.endswith(ending)}
        now = self.disk.signatures(list(known))
        return any(now[path] != was for path, was in known.items())

    def was_there(self, path: str) -> bool:
        """Was that file there when a snapshot, or the program after it, used it?"""
        return self._signatures.get(path) is not None or self.opened.get(path) is not None

    def was_opened(self, path: str) -> bool:
        """Was the program, at any time, seen to read that file?"""
        return path in self._signatures or path in self.opened

    def was_opened_by_itself(self, path: str) -> bool:
        """As `was_opened`, and not only by a child of it."""
        return path in self._signatures or not self._programs.isdisjoint(self._tellers.get(path, ()))

    def used_by_itself(self) -> set[str]:
        """Files that the program itself, not only a child of it, is known to have used."""
        return {path for path in {*self._signatures, *self.opened} if self.was_opened_by_itself(path)}

    def resolved(self, path: str) -> str:
        """The path without links: the program may name a file by another way than the one that watches it.

        As os.path.realpath, which takes ten times as long for many files of few folders.
        """
        folder, _, name = path.rpartition("/")
        if folder not in self._folders:
            beyond = self.disk.is_beyond(folder or "/")
            self._folders[folder] = self.disk.real(folder or "/").rstrip("/"), not beyond
        folder, may_look = self._folders[folder]
        path = f"{folder}/{name}"
        return self.disk.real(path) if may_look and os.path.islink(path) else path

    def behind_link(self, paths: Iterable[str]) -> str:
        """One of them that is reached by a link which may lead elsewhere than when the program followed it, as
        `current -> release-2` does after a deployment; empty: none is. That it was followed leaves no trace."""
        now: dict[str, str] = {}
        for path in paths:
            real = self.resolved(path)
            folder = path.rpartition("/")[0]
            if folder not in now:
                now[folder] = self.disk.real(folder or "/").rstrip("/")
            if now[folder] != self._folders[folder][0] or (real != path and not self.was_opened(real)):
                return path
        return ""

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
        self._late_notes.close()
        self._epoll.close()


def _bound(kind: int, address: bytes) -> socket.socket:
    bound = socket.socket(socket.AF_UNIX, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    bound.bind(address)
    return bound
