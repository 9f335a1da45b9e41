"""Keeps the listening sockets that the command binds, and gives them back when it binds the same again.

The runtime in the command (`runtime/sockets.py` has the messages) finds it by an abstract name. Whoever is not a
process of the command, of the same user, is not answered. What to do is decided in `core/held.py`; nothing here waits.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import select
import socket
import struct
from collections.abc import Callable, Iterable, Sequence

from autoreload.core.held import Decision, Held, Wish
from autoreload.linux import openfiles
from autoreload.linux.descendants import process
from autoreload.runtime.imported import SEPARATOR
from autoreload.runtime.sockets import CLOSING, OPEN
from autoreload.sockets.calls import Calls

BACKLOG = 4096
_LARGEST = 1 << 18
_FIRST = 256
"""Above the numbers that a loop of select(2) and the command's own descriptors need."""
_COPIED = (
    *((socket.SOL_SOCKET, option) for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT, socket.SO_KEEPALIVE)),
    (socket.SOL_SOCKET, socket.SO_OOBINLINE),
    *((socket.IPPROTO_TCP, option) for option in (socket.TCP_NODELAY, socket.TCP_DEFER_ACCEPT, socket.TCP_FASTOPEN)),
    *((socket.IPPROTO_TCP, option) for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT),
)
"""Options that accepted connections inherit: what the new code sets, or no longer sets, is to be so."""


def an_address() -> str:
    """An abstract name that nobody can guess."""
    return "reload-keeper-" + os.urandom(16).hex()


class Memory:
    """The byte that a command looks at before it accepts."""

    def __init__(self) -> None:
        self.number = os.memfd_create("reload-keeper")
        os.ftruncate(self.number, mmap.PAGESIZE)
        self._memory = mmap.mmap(self.number, mmap.PAGESIZE)
        self.say(OPEN)

    def say(self, what: int) -> None:
        """OPEN or CLOSING."""
        self._memory[0] = what

    def close(self) -> None:
        """Whoever has it keeps it."""
        self._memory.close()
        os.close(self.number)


class Keeper:
    """The sockets of one command."""

    def __init__(
        self, tree: Callable[[], Iterable[int]], guards: Callable[[], Sequence[int]], address: str = ""
    ) -> None:
        """`tree`: the processes of the command. `guards`: the one above them all, then that of the command before, if
        it is still there. `address`: an abstract name."""
        self._tree, self._guards = tree, guards
        self.held = Held()
        self.sockets: dict[int, socket.socket] = {}
        """By the inode of each, which is its number in the table."""
        self._inherited: dict[int, int] = {}
        """The number under which the command has been passed a socket of ours, whether it wants it or not."""
        self.traceback = ""
        """Of the exception that ended the command, if it told of one."""
        self.has_failed = False
        """Has a process of it that holds a listening socket told that it fails, since somebody looked here?"""
        self.imported: set[str] = set()
        """Files that the command has told it had imported."""
        self.is_ready = False
        """Has the command accepted on one of them since its start?"""
        self.has_runtime = False
        """Does the command itself look when it is to accept no more?"""
        self._hidden: set[str] = set()
        """Paths whose removal was not carried out."""
        self._epoll = select.epoll()
        self.why_unseen = 0
        """The errno, if its calls were to be seen, and cannot be."""
        self._calls = Calls(
            lambda new, wish: self._take(new, _with_options(wish, new)),
            lambda new, wish: self._keep_new(new, _with_options(wish, new)),
            self._swap,
            lambda inode: self.sockets[inode],
            self.held.arrived,
        )
        self._exchanges: dict[int, tuple[socket.socket, int, int]] = {}
        """Those under way, the guard of whoever asks, and which socket is on its way through each."""
        self.address = address or an_address()
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        self._door.bind("\0" + self.address)
        self._door.listen(BACKLOG)
        self._epoll.register(self._door, select.EPOLLIN)
        self._epoll.register(self._calls, select.EPOLLIN)
        self._memory = Memory()
        self._memory_before = Memory()
        """That of the command before, which may still be there (--overlap)."""

    # -- facts -------------------------------------------------------------------------------------------------------
    def listens(self, number: int) -> bool:
        """Has listen(2) been called?"""
        return bool(self.sockets[number].getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))

    def is_open(self, number: int) -> bool:
        """Has a process of the command got it?"""
        inherited = self._inherited.get(number, -1)
        found = (openfiles.sockets(pid, {number}).get(number, []) for pid in self._tree())
        return any(there != inherited for numbers in found for there in numbers)

    # -- for the loop ------------------------------------------------------------------------------------------------
    def fileno(self) -> int:
        """Readable when `work` has something to do."""
        return self._epoll.fileno()

    def deadline(self) -> float | None:
        """When `work` wants to be called though nothing came (monotonic seconds); None: no need."""
        return self.held.deadline()

    def work(self, now: float) -> None:
        """Answer whoever asks; release what is not wanted."""
        for number, _ in self._epoll.poll(0):
            if number == self._calls.fileno():
                self._calls.work()
            elif number == self._door.fileno():
                self._open_door()
            elif number in self._exchanges:
                self._hear(*self._exchanges[number], now)
        self._release(self.held.sweep(now, self))

    # -- the life of the command -------------------------------------------------------------------------------------
    def keep(self, ours: socket.socket, inherited: int = -1) -> None:
        """Hold a socket of --listen: it is given to a command that binds its address, though that may have `inherited`
        it under this number."""
        inode = os.fstat(ours.fileno()).st_ino
        self.sockets[inode] = ours
        self._inherited[inode] = inherited
        self.held.keep(inode, _wish_of(ours), is_ours=True)

    def starting(self) -> None:
        """It is about to be started."""
        self._memory_before.close()
        self._memory_before, self._memory = self._memory, Memory()
        self.is_ready = False
        self.traceback = ""
        self.has_failed = False
        self.imported.clear()
        self.has_runtime = False
        self.held.starting()

    def stopping(self) -> None:
        """It is to accept no more, and will be stopped."""
        self._release(self.held.stopping(self))
        for kept in self.sockets.values():
            kept.listen(BACKLOG)
        self._memory.say(CLOSING)

    def retiring(self) -> None:
        """The command before is to accept no more."""
        for kept in self.sockets.values():
            if self.listens(os.fstat(kept.fileno()).st_ino):
                kept.listen(BACKLOG)
        self._memory_before.say(CLOSING)

    def ended(self) -> None:
        """It has ended, and meant to: what it had bound is free for others."""
        self._release(self.held.end())

    def close(self) -> None:
        """autoreload ends."""
        self._release(self.held.end())
        for exchange, *_ in self._exchanges.values():
            exchange.close()
        self._door.close()
        self._calls.close()
        self._epoll.close()
        self._memory.close()
        self._memory_before.close()

    # -- exchanges ---------------------------------------------------------------------------------------------------
    def _open_door(self) -> None:
        while True:
            try:
                exchange, _ = self._door.accept()
            except OSError:
                return
            guard = self._guard_of(exchange)
            if not guard:
                exchange.close()
                continue
            exchange.setblocking(False)
            self._exchanges[exchange.fileno()] = exchange, guard, 0
            self._epoll.register(exchange, select.EPOLLIN)

    def _can_accept(self, exchange: socket.socket) -> bool:
        """Has whoever asks got one of the sockets?"""
        inodes = [inode for inode in self.sockets if self.listens(inode)]
        return bool(openfiles.sockets(_peer(exchange)[0], inodes))

    def _guard_of(self, exchange: socket.socket) -> int:
        """The one above whoever asks; 0: none of them. A process of another pid namespace has no pid that we know."""
        pid, uid = _peer(exchange)
        guards = self._guards()
        while pid > 1 and pid not in guards:
            try:
                pid = process(pid)[1]
            except OSError:
                return 0
        return int(pid) if uid == os.getuid() and pid > 1 else 0

    def _hear(self, exchange: socket.socket, guard: int, on_its_way: int, now: float) -> None:
        try:
            data, numbers, _, _ = socket.recv_fds(exchange, _LARGEST, 1, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return
        except OSError:
            data, numbers = b"", []
        if not data:
            self._end(exchange, on_its_way)
            return
        letter, text = data[:1], os.fsdecode(data[1:])
        given = 0
        answer = b"n"
        self.has_runtime = self.has_runtime or letter in (b"a", b"b")
        if letter == b"b" and numbers:
            given = self._bind(text, numbers.pop())
            answer = b"g" if given else b"n"
        elif letter == b"c" and text.isdigit():
            self._release(self.held.closed(int(text), self))
        elif letter == b"a" and text.isdigit() and int(text) in self.sockets:
            if guard == self._guards()[0]:  # not the old command, which may be asked for the first time
                self.is_ready = True
                self.held.ready(now)
            answer = b"k"
        elif letter == b"u" and self.held.keeps_path(text, self):
            self._hidden.add(text)
            answer = b"k"
        elif letter == b"i":
            self.imported.update(text.split(SEPARATOR))
        elif letter == b"s" and text.isdigit():
            self.why_unseen = int(text)
            if numbers:
                self._calls.add(numbers[0])
        elif letter == b"t" or (letter == b"h" and not self.traceback):
            self.traceback = text
        if letter in (b"t", b"h"):
            self.has_failed = self.has_failed or self._can_accept(exchange)
        for number in numbers:
            os.close(number)
        self._exchanges[exchange.fileno()] = exchange, guard, given
        passed = [self.sockets[given].fileno()] if given else []
        try:
            socket.send_fds(exchange, [answer], [*passed, self._memory.number])
        except OSError:
            self._end(exchange, given)

    def _end(self, exchange: socket.socket, on_its_way: int) -> None:
        """It is over: what was on its way has arrived, or nobody is there any more."""
        del self._exchanges[exchange.fileno()]
        self._epoll.unregister(exchange)
        exchange.close()
        if on_its_way:
            self.held.arrived(on_its_way)

    def _bind(self, text: str, number: int) -> int:
        """The inode of the held socket to give; 0: the new one was kept, or cannot be."""
        new = socket.socket(fileno=fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, _FIRST))
        os.close(number)
        wish = _understood(text, new)
        if wish is None:
            new.close()
            return 0
        return self._take(new, wish)

    def _take(self, new: socket.socket, wish: Wish) -> int:
        """The inode of the held socket to give for this one, which is bound to nothing yet; 0: it was kept."""
        if not wish.can_be_held or os.fstat(new.fileno()).st_ino in self.sockets:
            new.close()  # the latter: the runtime was first
            return 0
        decision: Decision = self.held.binding(wish, self)
        self._release(decision.release)
        if decision.give is None:
            self._keep_new(new, wish)
            return 0
        with new:
            _copy_options(new, self.sockets[decision.give])
        return decision.give

    def _keep_new(self, new: socket.socket, wish: Wish) -> None:
        inode = os.fstat(new.fileno()).st_ino
        if inode in self.sockets or not wish.can_be_held:
            new.close()
            return
        self.sockets[inode] = new
        self.held.keep(inode, wish)

    def _swap(self, inode: int) -> int:
        """The held socket to give for one that was kept, and is about to listen."""
        if inode not in self.sockets or self.listens(inode):
            return 0
        wish = self.held.wish(inode)
        if not wish.shared:
            return 0
        given = self.held.binding(wish, self).give
        if given is None:
            return 0
        _copy_options(self.sockets[inode], self.sockets[given])
        self._release(self.held.drop(inode))
        return given

    def _release(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            released = self.sockets.pop(number)
            path = str(released.getsockname()) if released.family == socket.AF_UNIX else ""
            released.close()
            if path in self._hidden:
                self._hidden.discard(path)
                try:
                    os.unlink(path)
                except OSError:
                    pass


def _peer(exchange: socket.socket) -> tuple[int, int]:
    """Its pid and its user (unix(7): SO_PEERCRED)."""
    size = struct.calcsize("iii")
    pid, uid, _ = struct.unpack("iii", exchange.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return pid, uid


def _understood(text: str, new: socket.socket) -> Wish | None:
    """What the command says that it binds, with what the socket itself tells; None: they contradict each other."""
    parts = text.split("\0")
    if len(parts) != 4 or parts[0] != str(int(new.family)) or not parts[2].isdigit() or new.type != socket.SOCK_STREAM:
        return None
    _, host, port, path = parts
    return _with_options(Wish(int(new.family), host, int(port), path), new)


def _wish_of(bound: socket.socket) -> Wish:
    """The one that a socket which is bound has come from."""
    name = bound.getsockname()
    if bound.family == socket.AF_UNIX:
        return _with_options(Wish(int(bound.family), path=os.path.abspath(name)), bound)
    return _with_options(Wish(int(bound.family), name[0], name[1]), bound)


def _with_options(wish: Wish, one: socket.socket) -> Wish:
    # A protocol of 0 has become that of the family by now.
    return wish._replace(
        protocol=one.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL),
        only_six=one.family == socket.AF_INET6 and bool(one.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)),
        shared=one.family != socket.AF_UNIX and bool(one.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT)),
    )


def _copy_options(new: socket.socket, held: socket.socket) -> None:
    for level, option in _COPIED:
        try:
            value = new.getsockopt(level, option)
            if value != held.getsockopt(level, option):
                held.setsockopt(level, option, value)
        except OSError:
            pass  # it has none such
