"""Before the command is stopped: it accepts no more, and answers what it has accepted.

From outside, in any language: the listening sockets are taken out of its epolls. A server that waits in accept(2) or
poll(2) goes on accepting; for that a moment is awaited in which there is nothing to be answered.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from autoreload.core.drain import AGAIN, Drain
from autoreload.linux import epoll, openfiles, sockdiag, unixdiag

UNWATCH_AGAIN = 0.02
"""Seconds: a server that is just starting begins to watch late."""


class Draining:
    """One stop."""

    def __init__(
        self,
        ours: Mapping[int, int],
        ports: Collection[int],
        tree: Callable[[], Iterable[int]],
        paths: Collection[str] = (),
        grace: float = 0.0,
        among_others: bool = False,
        pause: Callable[[], None] = lambda: None,
    ) -> None:
        """`ours`: inode of each listening socket, and our descriptor of it. `ports`: of those that have one; `paths`:
        of the others, as they were bound. `tree`: the processes of the command. `grace`: seconds that a download may
        take. `among_others`: other processes accept there, and go on. `pause`: what to do where a process may accept
        all the same."""
        self._ours, self._ports, self._paths, self._tree, self._grace = ours, ports, paths, tree, grace
        self._among_others, self._pause = among_others, pause
        self._drain: Drain | None = None
        self._unwatch_at = 0.0
        self._look_at = 0.0
        self._is_sure = False

    @property
    def deadline(self) -> float:
        """When `is_over` wants to be asked (monotonic seconds)."""
        return self._look_at

    def is_over(self, now: float) -> bool:
        """May the command be stopped?"""
        if now < self._look_at:
            return False
        if now >= self._unwatch_at:
            self._unwatch_at = now + UNWATCH_AGAIN
            self._is_sure = self._unwatch()
        if self._drain is None:
            if not self._is_sure:
                self._pause()
            self._drain = Drain(now, self._is_sure, self._grace)
        self._look_at = now + AGAIN
        try:
            connections = sockdiag.connections(self._ports) if self._ports else []
            if self._among_others:
                own = {inode for pid in self._tree() for inode in openfiles.sockets(pid, None)}
                connections = [connection for connection in connections if connection.inode in own]
            unknown = unixdiag.accepted(self._paths) if self._paths else 0
        except OSError:
            return True  # nobody tells: it is asked to stop, and most servers answer first
        return self._drain.is_over(connections, now, unknown)

    def _unwatch(self) -> bool:
        """Take the sockets out of all epolls. Does nobody accept any more?"""
        is_sure = True
        for pid in self._tree():
            if not openfiles.sockets(pid, self._ours):
                continue
            found = [(holder, number, inode) for holder, number, inode in epoll.watched(pid) if inode in self._ours]
            is_sure = is_sure and bool(found or self._drain)
            for holder, number, inode in found:
                try:
                    epoll.unwatch(pid, holder, number, self._ours[inode])
                except OSError:
                    is_sure = False
        return is_sure
