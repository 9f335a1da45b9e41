"""What is held over the restarts of the command, and who answers there meanwhile."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from autoreload.linux import pause
from autoreload.linux.openfiles import open_in
from autoreload.sockets.answering import Answering
from autoreload.sockets.keeper import Keeper
from autoreload.sockets.listening import Listening

# What is not needed before the command runs is imported when it does.
if TYPE_CHECKING:
    from autoreload.core.page import Failure
    from autoreload.sockets.draining import Draining
    from autoreload.sockets.notified import Notified
    from autoreload.sockets.readiness import Readiness


class Holder:
    """The sockets of `--listen`, and those that the command binds itself, through the life of the command."""

    def __init__(self, listening: Listening, show_errors: bool = False) -> None:
        """`show_errors`: is everybody to see why the command is not there? Else those on this machine are."""
        self._listening = listening
        self._keeper: Keeper | None = None
        self._answering = Answering(show_errors)
        self._draining: Draining | None = None
        self._readiness: Readiness | None = None
        self._is_paused = False
        self._has_served = False
        """Was the command ready since its start?"""
        self._notified: Notified | None = None
        self.is_awaited = False
        """Is somebody to be stopped as soon as the command serves? Then it does, at the latest, when nobody looks any
        more."""
        self._epoll = select.epoll()
        self._epoll.register(self._answering, select.EPOLLIN)

    def keep_with(self, keeper: Keeper) -> None:
        """Hold what the command binds, too, from here on: the runtime in it has to be told the keeper's address."""
        self._keeper = keeper
        self._epoll.register(keeper, select.EPOLLIN)
        numbers = dict(self._listening.passed)
        for ours in self._listening.sockets:
            keeper.keep(ours, numbers.get(ours.fileno(), -1))

    def listen_for_ready(self) -> str:
        """Hear sd_notify(3): the address for NOTIFY_SOCKET in the environment of the command."""
        from autoreload.sockets.notified import Notified

        self._notified = Notified()
        self._epoll.register(self._notified, select.EPOLLIN)
        return self._notified.address

    @property
    def passed(self) -> tuple[tuple[int, int], ...]:
        """Which the command is passed: (number here, number there)."""
        return self._listening.passed

    @property
    def keeps(self) -> bool:
        """Is the runtime in the command, if that is Python?"""
        return self._keeper is not None

    def imported(self, path: str) -> bool | None:
        """Has the command imported this file? None: nobody knows."""
        return True if self._keeper and path in self._keeper.imported else None

    @property
    def has_failed(self) -> bool:
        """Has a process of it told that it fails?"""
        return self._keeper is not None and self._keeper.has_failed

    @property
    def why_unseen(self) -> int:
        """The errno, if the calls of the command were to be seen, and cannot be."""
        return self._keeper.why_unseen if self._keeper else 0

    @property
    def told(self) -> list[tuple[int, int]] | None:
        """The same as the command sees it: (number there, inode); None: there are none."""
        return [(there, os.fstat(here).st_ino) for here, there in self.passed] or None

    @property
    def shown(self) -> list[str]:
        """What these are bound to."""
        return self._listening.shown

    # -- for the loop --------------------------------------------------------------------------------------------------
    def fileno(self) -> int:
        """Readable when `work` has something to do."""
        return self._epoll.fileno()

    def deadline(self) -> float | None:
        """When `work`, `is_drained` or `serves` want to be called (monotonic seconds); None: no need."""
        moments = (
            self._draining.deadline if self._draining else None,
            self._readiness.look_at if self._readiness and (self._sockets() or self.is_awaited) else None,
            self._keeper.deadline() if self._keeper else None,
            self._answering.deadline(),
        )
        return min((moment for moment in moments if moment is not None), default=None)

    def work(self, now: float) -> None:
        """Do what can be done without waiting."""
        if self._keeper:
            self._keeper.work(now)
        self._answering.work(now)

    # -- the life of the command ---------------------------------------------------------------------------------------
    def starting(self) -> None:
        """It is about to be started: whoever comes from here on waits for it."""
        self._answering.end()
        self._draining = None
        self._resume()
        if self._keeper:
            self._keeper.starting()

    def started(self, now: float) -> None:
        """It was executed."""
        self._has_served = False
        from autoreload.sockets.readiness import Readiness

        self._readiness = Readiness(now)

    def serves(self, tree: Callable[[], Iterable[int]], now: float) -> float | None:
        """Once for each start: the seconds that it took until it serves; None: it does not yet. `tree`: its
        processes."""
        if self._readiness is None:
            return None
        said = self._notified.read() if self._notified else set()
        if (self._keeper and self._keeper.is_ready) or not said.isdisjoint(tree() if said else ()):
            taken: float | None = self._readiness.accepted(now)
        else:
            taken = self._readiness.serves(self._inodes(), tree, now)
            if self.is_awaited and self._readiness.look_at is None:
                taken = self._readiness.accepted(now)
        if taken is not None:
            self._readiness, self._has_served = None, True
            self._answering.end()
            if self._keeper:
                self._keeper.held.ready(now)
        return taken

    def stopping(self, tree: Callable[[], Iterable[int]], grace: float) -> None:
        """It is to be stopped, once it `is_drained`. `tree`: its processes. `grace`: seconds that it has to end."""
        self._readiness = None
        self._listening.widen()
        if self._keeper:
            self._keeper.stopping()
        self._drain(tree, grace, among_others=False)

    def retiring(self, tree: Callable[[], Iterable[int]], grace: float) -> None:
        """The command of before is to be stopped, beside the new one. `tree`: its processes."""
        self._listening.widen()
        if self._keeper:
            self._keeper.retiring()
        self._drain(tree, grace, among_others=True)

    def _drain(self, tree: Callable[[], Iterable[int]], grace: float, among_others: bool) -> None:
        if not self._sockets():
            return
        names = [(held.family, held.getsockname()) for held in self._sockets()]
        paths = {str(name) for family, name in names if family == socket.AF_UNIX}
        ports = {name[1] for family, name in names if family != socket.AF_UNIX}
        needs_no_pause = among_others or (self._keeper is not None and self._keeper.has_runtime)
        how = self._nothing if needs_no_pause else self._pause
        from autoreload.sockets.draining import Draining

        self._draining = Draining(self._inodes(), ports, tree, paths, grace, among_others, how)

    def _nothing(self) -> None:
        """The command sees to it itself, or must not be hindered."""

    def _pause(self) -> None:
        for held in self._sockets():
            if held.family != socket.AF_UNIX and _listens(held):
                try:
                    pause.pause(held)
                    self._is_paused = True
                except OSError:
                    pass  # then two quiet moments have to do

    def _resume(self) -> None:
        if self._is_paused:
            self._is_paused = False
            for held in self._sockets():
                if held.family != socket.AF_UNIX:
                    pause.resume(held)

    def is_drained(self, now: float) -> bool:
        """Has it answered what it had accepted, or taken too long?"""
        if self._draining and not self._draining.is_over(now):
            return False
        self._draining = None
        return True

    def answer_for_workers(self, failure: Failure, tree: Iterable[int], now: float) -> None:
        """If a worker of it has failed, and none serves: its parent may go on, and start another one that fails. Until
        one does serve, clients are told."""
        if not self._keeper or not self._keeper.has_failed:
            return
        self._keeper.has_failed = False
        if self._readiness is None or self._readiness.serves(self._inodes(), lambda: tree, now) is not None:
            return
        self._readiness.renew(now)
        listeners = [held for held in self._sockets() if _listens(held)]
        self._answering.begin(listeners, failure._replace(traceback=self._keeper.traceback))

    def ended(self, failure: Failure, left: Iterable[int], well: bool = False) -> None:
        """It has ended by itself, `well` if with exit code 0, or could not be started; these processes are left of
        it."""
        self._readiness = None
        self._resume()
        if open_in(left, self._inodes()):
            return  # these may answer
        if self._keeper:
            self._keeper.ended(well and self._has_served)  # else it is no end, whatever its exit code
        if self._keeper and self._keeper.traceback:
            failure = failure._replace(traceback=self._keeper.traceback)
        self._answering.begin([held for held in self._sockets() if _listens(held)], failure)

    def close(self) -> None:
        """autoreload ends."""
        self._answering.close()
        if self._notified:
            self._notified.close()
        if self._keeper:
            self._keeper.close()
        self._listening.close()
        self._epoll.close()

    # -- inside --------------------------------------------------------------------------------------------------------
    def _sockets(self) -> list[socket.socket]:
        return list(self._keeper.sockets.values()) if self._keeper else self._listening.sockets

    def _inodes(self) -> dict[int, int]:
        """Of each socket, and its number here."""
        return {os.fstat(held.fileno()).st_ino: held.fileno() for held in self._sockets()}


def _listens(held: socket.socket) -> bool:
    return bool(held.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
