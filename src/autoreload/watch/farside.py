"""What runs in a process of its own, because it touches a file system that may not answer.

Who waits for such a file system sleeps in the kernel, for minutes, and cannot be interrupted; a thread of ours that
slept so would keep the whole of autoreload from ending. So autoreload forks a process for each such mount. It watches
and polls what is there, reads files when it is asked to, and gives a sign of life all the time: between any two looks
at the disk. If the signs stop, it hangs, and need not be waited for.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

from autoreload.core.change import Change
from autoreload.linux.clock import SetBack
from autoreload.linux.prctl import die_with_parent
from autoreload.watch.backend import Backend, Judge, Root
from autoreload.watch.channel import Channel
from autoreload.watch.polled import AWAY

BEAT = 1.0
"""s between two signs of life."""
NEWS = 100_000_000
"""ns by which the moment up to which all was told has moved on when that is told before the next beat."""
HEED = 0.005
"""s of looking until requests are heard."""
LAST_LOOK = 5.0
"""s that it takes at most to tell what went when a file system was unmounted."""
_PART = 500
"""Changes in one message."""


class Near(Protocol):
    """What the far side knows of autoreload: a copy, as of the fork."""

    @property
    def interest(self) -> Judge:
        """What is worth watching."""

    @property
    def told_names(self) -> Collection[str]:
        """Names that matter to the interest by being in a folder."""

    @property
    def services(self) -> Mapping[str, Callable[..., Any]]:
        """What can be asked for, by name; arguments and results are what `marshal` knows."""

    def born(self, pid: int) -> None:
        """This process was forked for it, and is not to be taken for one of the command's."""

    def forked(self) -> None:
        """This is the copy: from here on, look at the disk yourself."""

    def heard(self, changes: Sequence[Change]) -> bool:
        """Told of each change first. True: every folder must be judged again."""

    def adopt(self, outline: Any) -> None:
        """Judge as autoreload itself does by now."""

    def open(self, roots: Sequence[Root], interest: Judge, since: int) -> Backend:
        """A backend that works here."""


class FarSide:
    """The process. It is also the interest that its backend asks, which shows that the backend gets answers."""

    def __init__(self, channel: Channel, near: Near, roots: Sequence[Root], since: int) -> None:
        self._channel = channel
        self._near = near
        self._roots = roots
        self._heed_at = self._beat_at = 0.0
        self._listed: dict[str, tuple[str, ...]] = {}
        """Folders that hold such a name, and which."""
        self._rejudge = self._leaving = False
        self._since = since
        self._clock = SetBack()
        self._told = 0
        """What was told last of the moment up to which all is told."""
        self._away = 0
        """Why the file system cannot say what is there; 0: it can."""
        self._backend: Backend | None = None

    def run(self) -> None:
        """Until nobody listens any more: EOFError, OSError."""
        self.beat()
        backend = self._backend = self._near.open(self._roots, self, self._since)
        waiting = select.poll()
        for fd in (self._channel.fileno(), backend.fileno()):
            if fd >= 0:
                waiting.register(fd, select.POLLIN)
        while not self._leaving:
            now = time.monotonic()
            times = [time for time in (backend.deadline(), self._beat_at) if time is not None]
            waiting.poll(max(0.0, min(times) - now) * 1000)
            self.heed()
            self._turn(backend)
            if time.monotonic() >= self._beat_at:
                self._touch()
                self.beat()
        self._look_for_the_last_time(backend)

    def _turn(self, backend: Backend) -> None:
        if by := self._clock.by():
            backend.clock_set_back(by)
            self._told = 0
        if self._rejudge:
            self._rejudge = False
            backend.rejudge()
        changes = backend.read(time.monotonic())
        if changes and self._near.heard(changes):
            backend.rejudge()
        for start in range(0, len(changes), _PART):
            part = changes[start : start + _PART]
            self._channel.send("changes", [(change.kind.value, *change[1:]) for change in part])
        for notice in backend.notices():
            self._channel.send("notice", *notice)
        if changes or backend.told_until() > self._told + NEWS:
            self.beat()

    def _look_for_the_last_time(self, backend: Backend) -> None:
        """The file system was unmounted: what is no longer there?"""
        until = time.monotonic() + LAST_LOOK
        backend.rejudge()
        while time.monotonic() < until:
            self._turn(backend)
            if backend.deadline() != 0.0:
                break

    def _touch(self) -> None:
        self._away = 0
        for root in self._roots:
            try:
                os.stat(root.path)
            except OSError as error:
                if error.errno in AWAY:
                    self._away = error.errno

    # -- signs of life, and requests ---------------------------------------------------------------------------------

    def beat(self) -> None:
        """Give a sign of life."""
        told = self._backend.told_until() if self._backend is not None else 0
        self._channel.send("alive", told, self._away)
        self._told = told
        self._beat_at = time.monotonic() + BEAT

    def heed(self) -> None:
        """Do what was asked for."""
        for what, *values in self._channel.receive():
            if what == "call":
                number, name, arguments = values
                self._channel.send("answer", number, self._near.services[name](*arguments))
            elif what == "rejudge":
                self._near.adopt(values[0])
                self._rejudge = True
            else:
                self._leaving = True
        self._heed_at = time.monotonic() + HEED

    def _pulse(self) -> None:
        now = time.monotonic()
        if now >= self._heed_at:
            self.heed()
            if now >= self._beat_at:
                self.beat()

    # -- as an interest ----------------------------------------------------------------------------------------------

    def wants_directory(self, path: str) -> bool:
        """As autoreload would say."""
        self._pulse()
        return self._near.interest.wants_directory(path)

    def wants_file(self, path: str) -> bool:
        """As autoreload would say."""
        self._pulse()
        return self._near.interest.wants_file(path)

    def counts(self, path: str) -> bool:
        """As autoreload would say."""
        return self._near.interest.counts(path)

    def listed(self, directory: str, names: Collection[str]) -> None:
        """Autoreload itself must know as well, before it judges a change in this folder."""
        self._near.interest.listed(directory, names)
        telling = tuple(name for name in self._near.told_names if name in names)
        if self._listed.get(directory, ()) != telling:
            self._listed[directory] = telling
            self._channel.send("listed", directory, telling)


def let_go_of_all_but(descriptor: int) -> None:
    """What a fork that may hang has to do first: let go of all that autoreload holds, and end with it. Whoever waits
    for the end of its output, or of its terminal, must not wait for this process."""
    os.setsid()  # what the terminal sends is not for us
    die_with_parent()
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        if standard != descriptor:
            os.dup2(null, standard)
    os.closerange(3, descriptor)
    os.closerange(max(3, descriptor + 1), 1 << 20)
    os.chdir("/")
