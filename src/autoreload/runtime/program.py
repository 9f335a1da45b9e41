"""The program that this process runs, and when a snapshot of it is worth taking."""

from __future__ import annotations

import os
from _thread import get_ident
from time import monotonic

from . import native, opened, refusals, successor
from .kernel import faults_of_children
from .protocol import note
from .snapshot import take
from .telling import Telling
from .used import NEVER, Used, now

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .gate import Gate
    from .stepwise import Begun

SPACING_WHEN_HOT = 0.01
"""Seconds of the program's work between two snapshots, the second of which is for a file that was edited of late."""
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
        self._roots: tuple[str, ...] = ()
        self.learn(told)
        self.telling = Telling(self.address)
        self.used = Used(self.telling.uses)
        self.in_progress: list[Begun] = []
        """Files that are being run in steps, the outermost first. One may be there twice: a script that is imported."""
        self.looked_up = 0
        """When the last module was looked for, see used.now."""
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

    def was_alone(self) -> bool:
        """Has this process had no children that it waited for?"""
        return self.alone_before and faults_of_children() == self._faults

    def watch(self) -> None:
        """From now on, see which files are opened, and what is executed in the place of the program."""
        opened.watch(self._opened, self._made)
        successor.watch(self)

    def here(self) -> bool:
        """Is this the process, and the thread, that snapshots can be taken of?"""
        return not self._busy and get_ident() == self._main and os.getpid() == self.pid

    def due(self) -> bool:
        """Has enough been done since the last snapshot?"""
        return monotonic() - self._looked >= self._spacing

    def watches(self, path: str) -> bool:
        """Is that folder (absolute) in one of the watched ones, and in none that holds other people's code?"""
        path = path.rstrip("/") + "/"
        return path.startswith(self._roots) and not any(word in path for word in _NEVER_OURS)

    def _opened(self, path: str, is_code: bool) -> None:
        """A file is about to be read."""
        if not self._is_ours():
            self.used.add(path, self.looked_up if is_code else NEVER)

    def _made(self, path: str) -> None:
        if not self._is_ours():
            self.used.make(path)

    def _is_ours(self) -> bool:
        """Is that our own doing, for a snapshot?"""
        return self._busy and get_ident() == self._main

    def point(self, kind: str, path: str, hot: bool = False) -> None:
        """A snapshot may be taken here. Returns in the process that goes on, or, later, in one that was resumed."""
        if not self.here():
            return
        spacing = min(SPACING_WHEN_HOT, self._spacing) if hot else self._spacing
        if monotonic() - self._looked < spacing and kind != "root":
            return
        if self.gate is not None and not self._may_pass(self.gate, hot):
            return
        self._busy = True
        why = ""
        try:
            why = self._take(kind, path)
            if why:
                self._refused(why, path)
        finally:
            self._busy = False
            self._looked = monotonic() - (self._spacing - _SOON if why == native.BUSY else 0.0)

    def _may_pass(self, gate: Gate, hot: bool) -> bool:
        """May a prepared program fork? A snapshot before a file that is being edited is worth waiting for, if much has
        been done since the last one: the next restart need not do it again."""
        if not gate.is_open() and hot and monotonic() - gate.since >= self._spacing:
            gate.wait()
        return self.gate is None

    def _take(self, kind: str, path: str) -> str:
        """Take a snapshot; why there is none, empty if there is."""
        try:
            return refusals.reason(self._main, self._user) or take(self, kind, path)
        except Exception as error:  # a fault of ours is not to be the program's
            return f"it failed: {error!r}"

    def _refused(self, why: str, path: str) -> None:
        if why not in self._told and note(self.address, "refused", why, path):
            self._told.add(why)

    def looks_up(self) -> None:
        """A module is about to be looked for."""
        self.looked_up = now()

    def forked(self) -> None:
        """This is another process now, and still the program."""
        self.telling.forked()
        self._faults, self.alone_before = 0, True
        self.pid = os.getpid()
        self._main = get_ident()
