"""The program that this process runs, and when a snapshot of it is worth taking."""

from __future__ import annotations

import os
from _thread import get_ident
from time import monotonic

from . import native, opened, outside, refusals, successor
from .kernel import content, faults_of_children
from .protocol import note
from .snapshot import take
from .telling import Telling
from .used import NEVER, Used, now

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .gate import Gate
    from .stepwise import Begun

SPACING_WHEN_HOT = 0.01
"""Seconds of the program's work between two snapshots, the second of which is for a file that was edited of late."""
SPACING_AT_ENTRY = 0.05
"""The same for the file that the program begins with, of which it is only likely that it will be edited."""
SHARE = 25
"""The program does so many times as much between two snapshots as the first of them cost."""
COSTS = 0.002, 1e-10
"""Seconds that a snapshot takes, and what each byte of the program's memory adds. Not measured each time: on a busy
machine that would be another figure, and other snapshots, whenever it starts. About as much again is spent, bit by bit,
on the memory that the two come to share no longer."""
GAIN = 0.4
"""What it did since the last snapshot is at least such a part of all it did: less is not worth another one."""
_NEVER_OURS = ("/site-packages/", "/dist-packages/", "/.git/", "/node_modules/", "/.venv/")
_SOON = 0.02
"""Seconds until it is tried again where it was only a bad moment."""


class Program:
    """What is known of it, in each of its processes: a fork copies it."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.terms = told
        self.address: bytes = told["address"]
        self.signal: int = told["signal"]
        """That asks it to end."""
        self._spacing: float = told["spacing"]
        self.hot: dict[str, int] = {}
        """Files edited of late, and where they changed first (bytes)."""
        self.entry = ""
        """The first file of the watched folders that is run: the program begins with it. Empty: none was."""
        self._roots: tuple[str, ...] = ()
        self._ours: dict[str, bool] = {}
        self.learn(told)
        self.telling = Telling(self.address)
        self.used = Used(self.telling.uses)
        self.in_progress: list[Begun] = []
        """Files that are being run in steps, the outermost first. One may be there twice: a script that is imported."""
        self.looked_up = 0
        """When the last module was looked for, see used.now."""
        self.waits = outside.Waits()
        self.resumed = 0
        """How often this process, or one that it was forked from, was forked by a snapshot that was resumed."""
        self.depth = 0
        """How many snapshots there are above it."""
        self.lines: list[bytes] = []
        """Where each of them listens, the first one first."""
        self.sent = 0
        """How many of the used paths they have told."""
        self.began = monotonic()
        """When it would have begun, had it never been frozen."""
        self.gate: Gate | None = None
        """While it is prepared, and an older one ends."""
        self.pid = os.getpid()
        """Of the program; what it forks is another one, and none of our business."""
        self._user = os.geteuid()
        self._main = get_ident()
        self._looked = self.began
        self._cost = 0.0
        """Seconds that the last snapshot will have taken."""
        self._busy = False
        self._told: set[str] = set()
        self._faults = faults_of_children()
        self.alone_before = True
        """Had the program that executed this one in its place no children?"""
        if "before" in told:
            successor.take_over(self, told["before"])

    def learn(self, told: dict[str, Any]) -> None:
        """Take over what the tool knows by now."""
        self.hot = dict(told["hot"])
        self._roots = tuple(root.rstrip("/") + "/" for root in told["roots"])
        self._ours = {}

    def was_alone(self) -> bool:
        """Has this process had no children that it waited for?"""
        return self.alone_before and faults_of_children() == self._faults

    def watch(self) -> None:
        """From now on, see which files are opened, and what is executed in the place of the program."""
        opened.watch(self._opened, self._made, self._removed, self._listed)
        successor.watch(self)

    def watch_databases(self, module: Any) -> None:
        """_sqlite3 has been imported: see which databases are opened, for it reads them in C."""
        opened.watch_databases(module, self._opened)

    def here(self) -> bool:
        """Is this the process, and the thread, that snapshots can be taken of?"""
        return not self._busy and get_ident() == self._main and os.getpid() == self.pid

    def due(self) -> bool:
        """Has enough been done since the last snapshot?"""
        return monotonic() - self._looked >= self._enough()

    def _enough(self) -> float:
        done = monotonic() - self.began
        return min(self._spacing, max(SPACING_AT_ENTRY, SHARE * self._cost, GAIN * done))

    def watches(self, path: str) -> bool:
        """Is that folder (absolute) in one of the watched ones, and in none that holds other people's code?"""
        found = self._ours.get(path)
        if found is None:
            folder = path.rstrip("/") + "/"
            found = folder.startswith(self._roots) and not any(word in folder for word in _NEVER_OURS)
            self._ours[path] = found
        return found

    def takes_apart(self, path: str) -> bool:
        """Is that file to be run in steps?"""
        return path in self.hot or path == self.entry

    def unseen(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call it; what it opens, the program has not used."""
        self._busy = True
        try:
            return function(*arguments)
        finally:
            self._busy = False

    def _opened(self, path: str, is_code: bool) -> None:
        """A file is about to be read."""
        if not self._is_ours():
            self.used.add(path, self.looked_up if is_code else NEVER)

    def _made(self, path: str) -> None:
        if not self._is_ours():
            self.used.make(path)

    def _removed(self, path: str) -> None:
        if not self._is_ours():
            self.used.remove(path)

    def _listed(self, path: str) -> None:
        """The names in that folder are about to be read."""
        if not self._is_ours():
            self.used.add(path.rstrip("/") + "/")

    def _is_ours(self) -> bool:
        """Is that our own doing, for a snapshot?"""
        return self._busy and get_ident() == self._main

    def point(self, kind: str, path: str, best: bool = False) -> None:
        """A snapshot may be taken here. Returns in the process that goes on, or, later, in one that was resumed.

        `best`: for a file that is run in steps, there is no better place.
        """
        if not self.here():
            return
        enough = self._enough()
        if best:
            enough = min(enough, SPACING_WHEN_HOT if path in self.hot else SPACING_AT_ENTRY)
        if monotonic() - self._looked < enough and kind != "root":
            return
        if self.gate is not None and not self._may_pass(self.gate, best):
            return
        self._busy = True
        why = ""
        try:
            why = self._take(kind, path, best)
            if why:
                self._refused(why, path)
        finally:
            self._busy = False
            self._looked = monotonic() - (self._enough() - _SOON if why == native.BUSY else 0.0)

    def _may_pass(self, gate: Gate, best: bool) -> bool:
        """May a prepared program fork? A snapshot before a file that is being edited is worth waiting for, if much has
        been done since the last one: the next restart need not do it again."""
        if not gate.is_open() and best and monotonic() - gate.since >= self._spacing:
            gate.wait()
        return self.gate is None

    def _take(self, kind: str, path: str, best: bool) -> str:
        """Take a snapshot; why there is none, empty if there is."""
        try:
            why = refusals.reason(self._main, self._user) or self._moved_by()
            if why:
                return why
            self._cost = _cost()
            return take(self, kind, path, best)
        except Exception as error:  # a fault of ours is not to be the program's
            return f"it failed: {error!r}"

    def _moved_by(self) -> str:
        """What from outside has brought the program here; empty: nothing."""
        self.waits.look()
        if self.waits.over:
            return f"it has waited for something for {outside.LONG} s"
        return "it handles a signal" if outside.handles_signal() else ""

    def _refused(self, why: str, path: str) -> None:
        if why not in self._told and note(self.address, "refused", why, path):
            self._told.add(why)

    def looks_up(self) -> None:
        """A module is about to be looked for."""
        self.looked_up = now()
        self.waits.look()

    def forked(self) -> None:
        """This is another process now, and still the program."""
        self.telling.forked()
        self.waits.begin()
        self._faults, self.alone_before = 0, True
        self.pid = os.getpid()
        self._main = get_ident()


def _cost() -> float:
    """See COSTS."""
    resident = int(content("/proc/self/statm").split()[1]) * os.sysconf("SC_PAGE_SIZE")  # proc(5)
    return COSTS[0] + COSTS[1] * resident
