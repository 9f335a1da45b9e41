"""Lets autoreload keep the listening sockets of this program over its restarts; `sockets/keeper.py` is the other side.

`_socket.socket` is replaced by a subclass before anybody imports `socket`. So whatever binds in Python passes here:
socket.socket, asyncio, gevent, eventlet, also uvloop, which listens in C. Nothing is started: no thread, no signal, no
descriptor that stays open. A bind is one short exchange; an accept looks at one byte of shared memory.

Each message is a letter, text, and perhaps a descriptor:

    b FAMILY 0 HOST 0 PORT 0 PATH, the socket   ->  g, the held socket: take it instead  |  n: bind it
    c INODE                                     ->  n: a socket was closed
    a INODE                                     ->  k: it is held  |  n: it is not; the first accept on it
    u PATH                                      ->  k: leave that file alone  |  n: remove it
    i PATH 0 PATH ...                           ->  n: it has imported these by now
    t TEXT                                      ->  n: the program ends because of this exception
    h TEXT                                      ->  n: perhaps because of this one, which it had handled

Every answer brings the shared memory as its last descriptor. If there is none, everything is as without us.
"""

import _socket
import os
import stat
import sys
from time import sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

PATIENCE = 2.0
"""Seconds that an exchange may take."""
LEAST_QUEUE = 1024
"""http.server asks for 5, and while it restarts the sixth client would wait a second."""
OPEN, CLOSING = 0, 1
"""The byte of shared memory: accept; leave it to the next process."""
PAUSE_BLOCKING, PAUSE = 0.004, 0.002
"""Seconds between two looks at the byte, in a thread that waits for nothing else, and in a loop that does."""
_RIGHTS = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS)
_UNKNOWN, _KEPT, _NOT_KEPT = 0, 1, 2


class Link:
    """To the keeper."""

    def __init__(self, address: str, base: "type[_socket.socket]") -> None:
        """`address`: of its socket, an abstract name. `base`: the class of sockets that nobody has changed."""
        self._address = "\0" + address
        self._base = base
        self._memory: Any = None
        self._imported: set[str] = set()

    @property
    def is_closing(self) -> bool:
        """Is nothing to be accepted any more?"""
        return self._memory is not None and self._memory[0] == CLOSING

    def ask(self, letter: str, text: str, number: int = -1) -> "tuple[str, int]":
        """The letter of the answer and a descriptor or -1; no letter if nobody answers."""
        base = self._base
        try:
            link = base(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
        except OSError:
            return "", -1
        try:
            base.settimeout(link, PATIENCE)
            base.connect(link, self._address)
            rights = [] if number < 0 else [(*_RIGHTS, number.to_bytes(4, sys.byteorder))]
            base.sendmsg(link, [letter.encode() + os.fsencode(text)], rights)
            data, ancillary, _, _ = base.recvmsg(link, 8, _socket.CMSG_SPACE(8), _socket.MSG_CMSG_CLOEXEC)
            numbers = _descriptors(ancillary)
            if numbers:
                self._see(numbers.pop())
            return data.decode(), numbers[0] if numbers else -1
        except Exception:
            return "", -1
        finally:
            base.close(link)

    def tell_imported(self) -> None:
        """The files of which nobody has been told."""
        from .imported import untold

        paths = untold(self._imported)
        if paths:
            self.ask("i", paths)

    def _see(self, number: int) -> None:
        import mmap

        try:
            if self._memory is None:
                self._memory = mmap.mmap(number, mmap.PAGESIZE, prot=mmap.PROT_READ)
        finally:
            os.close(number)


def _descriptors(ancillary: "list[tuple[int, int, bytes]]") -> "list[int]":
    found = []
    for level, kind, data in ancillary:
        if (level, kind) == _RIGHTS:
            found += [int.from_bytes(data[at : at + 4], sys.byteorder) for at in range(0, len(data) - 3, 4)]
    return found


def install(address: str) -> Link:
    """Keep what is bound from here on."""
    late = sys.modules.get("socket")
    base = late.socket if late else _socket.socket
    link = Link(address, _socket.socket)
    kept = _class(base, link)
    _socket.socket = _socket.SocketType = kept  # type: ignore[misc]
    if late:  # a .pth file has imported it: its class is known to others by now
        for name in ("bind", "listen", "_accept", "close", "shutdown"):
            setattr(base, name, kept.__dict__[name])
    _keep_paths(link)
    return link


def _class(base: "Any", link: Link) -> "Any":
    plain = {name: getattr(base, name) for name in ("bind", "listen", "_accept", "close", "shutdown")}
    known: dict[tuple[int, int], int] = {}
    """Of each socket, by number and inode, whether it is kept: an object may be made anew for it (detach, fork)."""

    def state(self: "Any") -> "tuple[tuple[int, int], int]":
        number = self.fileno()
        key = number, os.fstat(number).st_ino
        return key, known.get(key, _UNKNOWN)

    class socket(base):  # type: ignore[misc]
        __slots__ = ()

        def bind(self, *arguments: "Any", **named: "Any") -> None:
            address = arguments[0] if len(arguments) == 1 else None
            text = _wish(self, address) if address is not None else ""
            number = self.fileno()
            letter, given = link.ask("b", text, number) if text else ("", -1)
            if given < 0:
                plain["bind"](self, *arguments, **named)  # what was sent is bound with it: it is the same socket
                if letter:
                    known[number, os.fstat(number).st_ino] = _KEPT
                    link.tell_imported()
                return
            blocking, inherited = self.gettimeout() is None, os.get_inheritable(number)
            try:
                os.dup2(given, number, inherited)
            finally:
                os.close(given)
            os.set_blocking(number, blocking)
            known[number, os.fstat(number).st_ino] = _KEPT
            link.tell_imported()

        def listen(self, *backlog: "Any", **named: "Any") -> None:
            if (not backlog or (len(backlog) == 1 and type(backlog[0]) is int)) and state(self)[1] == _KEPT:
                backlog = (max(*backlog, LEAST_QUEUE),) if backlog else (LEAST_QUEUE,)
            plain["listen"](self, *backlog, **named)

        def _accept(self) -> "Any":
            key, kept = state(self)
            if kept == _UNKNOWN or key not in accepting:
                accepting.add(key)
                kept = known[key] = _KEPT if link.ask("a", str(key[1]))[0] == "k" else _NOT_KEPT
                if kept == _KEPT:
                    link.tell_imported()
            if kept == _KEPT and link.is_closing:
                _wait(self, link)
            return plain["_accept"](self)

        def close(self) -> None:
            number = self.fileno()
            kept = _UNKNOWN
            if known and number >= 0:
                key, kept = state(self)
                known.pop(key, None)
                accepting.discard(key)
            plain["close"](self)
            if kept == _KEPT and not link.is_closing:
                link.ask("c", str(key[1]))

        def shutdown(self, how: int, /) -> None:
            # On a listener that would be the end of all its duplicates.
            if link.is_closing and state(self)[1] == _KEPT:
                return
            plain["shutdown"](self, how)

    accepting: set[tuple[int, int]] = set()
    _hide(socket, plain)
    return socket


def _hide(made: "Any", plain: "dict[str, Any]") -> None:
    """No line of ours in a traceback: of the methods that fail where another program has the address."""
    try:
        from .builtin import stand_in_method
    except ImportError:  # no _ctypes
        return
    for name in ("bind", "listen"):
        setattr(made, name, stand_in_method(plain[name], made.__dict__[name]))


def _wait(waiting: "Any", link: Link) -> None:
    """Accept nothing now, in the way that the caller expects."""
    timeout = waiting.gettimeout()
    if timeout is None:
        while link.is_closing:
            sleep(PAUSE_BLOCKING)
        return
    sleep(PAUSE)
    if timeout:
        raise _socket.timeout("timed out")
    raise BlockingIOError(11, "Resource temporarily unavailable")


def _wish(asking: "Any", address: "Any") -> str:
    """What is to be bound, as text; empty if that is nothing to be kept."""
    family, kind = asking.family, asking.type & 0xF
    if kind != _socket.SOCK_STREAM:
        return ""
    try:
        if family == _socket.AF_UNIX:
            path = os.fsdecode(address)
            # multiprocessing makes many, each for a moment.
            is_kept = path and path[0] != "\0" and "/pymp-" not in path
            return "\0".join((str(int(family)), "", "0", os.path.abspath(path))) if is_kept else ""
        if family not in (_socket.AF_INET, _socket.AF_INET6) or not address[1]:
            return ""
        host = address[0] or ("0.0.0.0" if family == _socket.AF_INET else "::")
        found = _socket.getaddrinfo(host, address[1], family, _socket.SOCK_STREAM)
        return "\0".join((str(int(family)), str(found[0][4][0]), str(address[1]), ""))
    except (OSError, TypeError, ValueError, IndexError):
        return ""  # bind will say what is wrong with it


def _keep_paths(link: Link) -> None:
    """Have os.unlink and os.remove leave the path of a held Unix socket. As built-in functions: others would become
    methods where they are attributes of a class (pathlib, until 3.9)."""
    try:
        from .builtin import stand_in
    except ImportError:  # no _ctypes: after each restart the socket is another one
        return
    for name in ("unlink", "remove"):
        plain = getattr(os, name)
        replacement = stand_in(plain, _removing(plain, link))
        os.supports_dir_fd.add(replacement)
        setattr(os, name, replacement)


def _removing(plain: "Callable[..., None]", link: Link) -> "Callable[..., None]":
    def remove(*arguments: "Any", **named: "Any") -> None:
        try:
            path: Any = arguments[0] if arguments else named.get("path")
            is_socket = named.get("dir_fd") is None and stat.S_ISSOCK(os.lstat(path).st_mode)
            if is_socket and link.ask("u", os.path.abspath(os.fsdecode(path)))[0] == "k":
                return
        except (OSError, TypeError, ValueError):
            pass
        plain(*arguments, **named)

    return remove
