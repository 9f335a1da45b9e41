"""Keeps what programs bind that have no runtime in them: their calls are seen, and answered with the held socket.

`linux/seccomp.py` has the mechanism. Only TCP: without the runtime nobody keeps a server from removing the file of its
Unix socket.
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import struct
from collections.abc import Callable

from autoreload.core.held import Wish
from autoreload.linux import pidfd, seccomp

_FIRST = 256
_LONGEST_ADDRESS = 128


class Calls:
    """Of one command."""

    def __init__(
        self,
        take: Callable[[socket.socket, Wish], int],
        keep: Callable[[socket.socket, Wish], None],
        swap: Callable[[int], int],
        held: Callable[[int], socket.socket],
        arrived: Callable[[int], None],
    ) -> None:
        """`take`: the held socket (its inode) to give for a new one; 0: the new one is kept. `keep`: keep it in any
        case. `swap`: the held socket to give in the place of one that was kept. `held`: of that inode. `arrived`: it
        has been given."""
        self._take, self._keep, self._swap, self._held, self._arrived = take, keep, swap, held, arrived
        self._numbers: set[int] = set()
        self._epoll = select.epoll()

    def fileno(self) -> int:
        """Readable when `work` has something to do."""
        return self._epoll.fileno()

    def add(self, number: int) -> None:
        """Another process and what it starts are seen through this descriptor."""
        number = fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, _FIRST)
        self._numbers.add(number)
        self._epoll.register(number, select.EPOLLIN)

    def work(self) -> None:
        """Answer who waits."""
        for number, events in self._epoll.poll(0):
            if events & select.EPOLLIN:
                self._hear(number)
            elif events & (select.EPOLLHUP | select.EPOLLERR):  # nobody is left
                self._drop(number)

    def close(self) -> None:
        """See nothing any more. Who binds then is told that there is no such call."""
        for number in list(self._numbers):
            self._drop(number)
        self._epoll.close()

    def _drop(self, number: int) -> None:
        self._numbers.discard(number)
        self._epoll.unregister(number)
        os.close(number)

    def _hear(self, number: int) -> None:
        try:
            call = seccomp.receive(number)
        except OSError:
            return
        is_done = False
        try:
            is_done = self._understand(number, call)
        except (OSError, ValueError, struct.error):
            pass  # it is not for us, or gone
        try:
            seccomp.answer(number, call, goes_on=not is_done)
        except OSError:
            pass

    def _understand(self, number: int, call: seccomp.Call) -> bool:
        """Is the call carried out by that?"""
        leader = _leader(call.task)
        taken = pidfd.take(leader, call.descriptor)
        try:
            new = socket.socket(fileno=fcntl.fcntl(taken, fcntl.F_DUPFD_CLOEXEC, _FIRST))
        finally:
            os.close(taken)
        if new.type != socket.SOCK_STREAM or new.family not in (socket.AF_INET, socket.AF_INET6):
            new.close()
            return False
        is_blocking = os.get_blocking(new.fileno())
        given = self._listened(new) if call.is_listen else self._bound(new, _address(call))
        if not given:
            return False
        ours = self._held(given).fileno()
        os.set_blocking(ours, is_blocking)
        seccomp.replace(number, call, ours, _is_inherited(leader, call.descriptor))
        self._arrived(given)
        return not call.is_listen  # that goes on, with the held socket

    def _bound(self, new: socket.socket, wish: Wish) -> int:
        if new.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT):
            # Some bind once only to try. Which of them listens is seen later.
            self._keep(new, wish)
            return 0
        return self._take(new, wish)

    def _listened(self, new: socket.socket) -> int:
        with new:
            return self._swap(os.fstat(new.fileno()).st_ino)


def _address(call: seccomp.Call) -> Wish:
    """What bind(2) was asked: struct sockaddr_in or sockaddr_in6."""
    with open(f"/proc/{call.task}/mem", "rb", 0) as memory:
        memory.seek(call.pointer)
        data = memory.read(min(call.length, _LONGEST_ADDRESS))
    (family,) = struct.unpack_from("=H", data)
    (port,) = struct.unpack_from(">H", data, 2)
    if family == socket.AF_INET:
        return Wish(family, socket.inet_ntop(family, data[4:8]), port)
    if family == socket.AF_INET6:
        return Wish(family, socket.inet_ntop(family, data[8:24]), port)
    raise ValueError(family)


def _leader(task: int) -> int:
    """The process of a thread."""
    with open(f"/proc/{task}/status", "rb") as file:
        for line in file:
            if line.startswith(b"Tgid:"):
                return int(line.split()[1])
    raise ValueError(task)


def _is_inherited(pid: int, number: int) -> bool:
    with open(f"/proc/{pid}/fdinfo/{number}", "rb") as file:
        for line in file:
            if line.startswith(b"flags:"):
                return not int(line.split()[1], 8) & os.O_CLOEXEC
    return False
