"""The process that looks at a file system which may not answer, as autoreload sees it; `farside.py` is its other side.

Nothing in here waits longer than `PATIENCE`, whatever the file system does. A process that hangs is neither awaited nor
replaced, so there is never more than one: it goes on when it gets its answer, and its sign of life tells so.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import time
from collections.abc import Sequence
from typing import Any, TypeVar

from autoreload.core.change import Change, Kind
from autoreload.linux.mounts import Mount
from autoreload.watch.backend import Notice, Root
from autoreload.watch.channel import Channel
from autoreload.watch.farside import FarSide, Near, let_go_of_all_but
from autoreload.watch.notices import answers_notice, silent_notice

T = TypeVar("T")
PATIENCE = 0.3
"""s that the answer to a request is waited for."""
SILENT = 5.0
"""s without a sign of life after which the file system is told not to answer."""
AGAIN = 1.0
"""s until a process that ended is followed by another."""


class Helper:
    """Tells of changes at and below some roots, all on one mount."""

    def __init__(self, mount: Mount, roots: Sequence[Root], near: Near, since: int) -> None:
        """`since`: CLOCK_REALTIME_COARSE, ns; 0: everything that is there is news."""
        self.mount = mount
        self.roots = list(roots)
        self._near = near
        self._since = since
        self._told = 0
        self.pid = 0
        self._inbox: list[Any] = []
        self._notices: list[Notice] = []
        self._calls = 0
        self._answer: Any = None
        self._owed = False
        """Is a request unanswered?"""
        self._away = 0
        self._outline: tuple[Any] | None = None
        """To be sent when it answers again."""
        self.silent = False
        """Has it given no sign of life for long?"""
        self.retired = False
        self.over = False
        """Nothing more is to be expected of it."""
        self._begin()

    def _begin(self) -> None:
        self._heard = time.monotonic()
        self._revive_at: float | None = None
        self._owed = False
        self.renewed = True
        """Has it a descriptor that it had not before?"""
        self._channel: Channel | None = None
        try:
            ours, theirs = socket.socketpair()
            with theirs:
                try:
                    self.pid = os.fork()
                except OSError:
                    ours.close()
                    raise
                if not self.pid:
                    _be_far_side(theirs, self._near, self.roots, self._since)
        except OSError as error:  # no descriptor is left, or no process more is permitted
            self._hear_of_away(error.errno or errno.EAGAIN)
            self._revive_at = self._heard + AGAIN
            return
        self._near.born(self.pid)
        ours.setblocking(False)
        self._channel = Channel(ours)

    # -- for the backend ---------------------------------------------------------------------------------------------

    def fileno(self) -> int:
        """Readable when there is something to tell; -1 while there is no process."""
        return self._channel.fileno() if self._channel is not None else -1

    def deadline(self) -> float | None:
        """When `read` wants to be called (monotonic s)."""
        if self._revive_at is not None:
            return self._revive_at
        if self._inbox:
            return 0.0
        return None if self.silent and not self.retired else self._heard + SILENT

    def read(self, now: float) -> list[Change]:
        """What it has told. `now`: monotonic s."""
        if self._revive_at is not None and now >= self._revive_at:
            self._begin()
        self._receive()
        inbox, self._inbox = self._inbox, []
        changes: list[Change] = []
        for what, *values in inbox:
            if what == "changes":
                changes += [Change(Kind(kind), *rest) for kind, *rest in values[0]]
            elif what == "listed":
                self._near.interest.listed(*values)
            elif what == "notice":
                self._notices.append(Notice(*values))
            elif what == "alive":
                self._told = values[0]
                self._hear_of_away(values[1])
        if not inbox and self._channel is not None and now >= self._heard + SILENT:
            self._is_silent()
        return changes

    def told_until(self) -> int:
        """As a backend's."""
        return self._told

    def clock_set_back(self, by: int) -> None:
        """As a backend's. What its process told before is forgotten."""
        self._receive()
        self._inbox = [("alive", 0, message[2]) if message[0] == "alive" else message for message in self._inbox]
        self._since, self._told = max(0, self._since - by), 0

    def notices(self) -> list[Notice]:
        """What there is to say since the last call."""
        notices, self._notices = self._notices, []
        return notices

    def rejudge(self, outline: Any) -> None:
        """The interest has changed its mind; `outline` says how."""
        self._outline = (outline,)
        if not self.silent:
            self._send_outline()

    def retire(self) -> None:
        """Its file system is not mounted any more: tell what went, then end."""
        self.retired = True
        self._send("leave")
        if self.silent:
            self.close()

    def close(self) -> None:
        """End it, without waiting: it may hang."""
        self.over = True
        self._end()

    # -- for everybody -----------------------------------------------------------------------------------------------

    def call(self, service: str, *arguments: Any, default: T) -> T:
        """What this service says on the other side; `default` if that does not come soon."""
        if self.silent or self._channel is None or (self._owed and not self._is_answered()):
            return default
        self._calls += 1
        self._owed = True
        if not self._send("call", self._calls, service, arguments):
            return default
        until = time.monotonic() + PATIENCE
        while self._is_owed() and (left := until - time.monotonic()) > 0:
            self._channel.wait(left)
            self._receive()
        return default if self._owed else self._answer

    def _is_owed(self) -> bool:
        return self._owed and self._channel is not None

    def _is_answered(self) -> bool:
        self._receive()
        return not self._owed

    # -- inside ------------------------------------------------------------------------------------------------------

    def _send(self, *message: Any) -> bool:
        try:
            if self._channel is not None:
                self._channel.send(*message)
                return True
        except OSError:
            self._lost()
        return False

    def _send_outline(self) -> None:
        if self._outline is not None and self._send("rejudge", *self._outline):
            self._outline = None

    def _receive(self) -> None:
        if self._channel is None:
            return
        try:
            self._channel.flush()
        except OSError:
            pass  # what it told before it ended comes first
        try:
            messages = self._channel.receive()
        except EOFError:
            self._lost()
            return
        if not messages:
            return
        self._heard = time.monotonic()
        if self.silent:
            self.silent = False
            self._notices.append(answers_notice(self.mount.point, self.mount.kind))
            self._send_outline()
        for message in messages:
            if message[0] == "answer":
                if message[1] == self._calls:
                    self._owed, self._answer = False, message[2]
            elif message[0] == "bug":
                self._notices.append(Notice(f"looking at {self.mount.point} failed: {message[1]}"))
            else:
                self._inbox.append(message)

    def _hear_of_away(self, code: int) -> None:
        if code and not self._away:
            self._notices.append(silent_notice(self.mount.point, self.mount.kind, os.strerror(code)))
        elif self._away and not code:
            self._notices.append(answers_notice(self.mount.point, self.mount.kind))
        self._away = code

    def _is_silent(self) -> None:
        if not self.silent:
            self.silent = True
            if not self.retired:
                self._notices.append(silent_notice(self.mount.point, self.mount.kind))
        if self.retired:
            self.close()

    def _lost(self) -> None:
        """It ended."""
        self._end()
        if self.retired:
            self.over = True
        else:
            self._since = self._told or self._since
            self._told = 0
            self._revive_at = time.monotonic() + AGAIN

    def _end(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
            try:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, os.WNOHANG)
            except OSError:
                pass  # it has been collected already


def _be_far_side(end: socket.socket, near: Near, roots: Sequence[Root], since: int) -> None:
    """Never returns."""
    channel = Channel(end)
    try:
        let_go_of_all_but(channel.fileno())
        near.forked()
        FarSide(channel, near, roots, since).run()
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass
    except BaseException as error:  # a bug of ours
        _tell(channel, f"{type(error).__name__}: {error}")
    finally:
        os._exit(0)


def _tell(channel: Channel, bug: str) -> None:
    try:
        channel.send("bug", bug)
    except OSError:
        pass
