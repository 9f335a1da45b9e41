"""The sockets of `--listen`: made before the command is started first, and held until autoreload ends.

The command finds them as systemd would pass them (sd_listen_fds(3)): from descriptor 3 on, with LISTEN_FDS,
LISTEN_FDNAMES and LISTEN_PID in its environment. While it is not there, whoever connects waits in the queue.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
from collections.abc import MutableMapping, Sequence

from autoreload.core.address import LONGEST_PATH, Address, parse
from autoreload.errors import UserError

FIRST = 3
"""SD_LISTEN_FDS_START."""
BACKLOG = 4096
"""Connections that wait while the command restarts; the kernel takes net.core.somaxconn if that is less."""


class Listening:
    """Some sockets that listen, and under which numbers the command finds them."""

    def __init__(self) -> None:
        self.sockets: list[socket.socket] = []
        """In the order in which they were asked for."""
        self._paths: dict[str, tuple[int, int]] = {}
        self.passed: tuple[tuple[int, int], ...] = ()
        """(number here, number in the command)"""
        self.shown: list[str] = []
        """What each is bound to."""

    def widen(self) -> None:
        """Before the command is stopped: it may have chosen a short queue."""
        for held in self.sockets:
            try:
                held.listen(BACKLOG)
            except OSError:
                pass  # it was shut down, by who has it too

    def close(self) -> None:
        """Listen no longer, and remove what was made."""
        for held in self.sockets:
            held.close()
        for path, made in self._paths.items():
            try:
                if _identity(path) == made:
                    os.unlink(path)
            except OSError:
                pass

    def _open(self, address: Address, above: int) -> Address:
        """What it is bound to. The descriptor has at least that number."""
        with _unix(address.path) if address.path else _tcp(address) as made:
            if address.path:
                self._paths[address.path] = _identity(address.path)
            self.sockets.append(socket.socket(fileno=fcntl.fcntl(made.fileno(), fcntl.F_DUPFD_CLOEXEC, above)))
            bound = _bound(made, address)
        self.shown.append(str(bound))
        return bound


def listen(addresses: Sequence[str], environ: MutableMapping[str, str]) -> Listening:
    """Listen on all of them, and say so in the environment of the command. UserError if that is not possible.

    Sockets that systemd has passed to autoreload come first.
    """
    it = Listening()
    before = _passed_by_systemd(environ)
    first = FIRST + before
    above = first + len(addresses)
    for number in range(first, above):
        _reject_taken(number)
    names = environ.get("LISTEN_FDNAMES", "").split(":") if before and environ.get("LISTEN_FDNAMES") else []
    names += ["unknown"] * (before - len(names))
    try:
        for text in addresses:
            # Above: giving them their numbers in the command must not overwrite one that is still to be given.
            names.append(it._open(parse(text), above).name)
    except BaseException:
        it.close()
        raise
    it.passed = tuple((held.fileno(), number) for number, held in enumerate(it.sockets, first))
    environ["LISTEN_PID"] = str(os.getpid())  # the guard makes it that of the command
    environ["LISTEN_FDS"] = str(above - FIRST)
    environ["LISTEN_FDNAMES"] = ":".join(names)
    return it


def _passed_by_systemd(environ: MutableMapping[str, str]) -> int:
    """How many sockets were passed to this very process."""
    number = environ.get("LISTEN_FDS", "")
    return int(number) if environ.get("LISTEN_PID") == str(os.getpid()) and number.isdigit() else 0


def _reject_taken(number: int) -> None:
    """What autoreload has inherited is for the command, under the same number; two cannot have it."""
    try:
        inherited = os.get_inheritable(number)
        what = os.readlink(f"/proc/self/fd/{number}") if inherited else ""
    except OSError:
        return
    if inherited:
        raise UserError(
            f"descriptor {number} was passed to autoreload ({what}), and --listen needs that number in the command",
            f"pass it under a higher one, or close it: autoreload ... {number}<&-",
        )


def _tcp(address: Address) -> socket.socket:
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise _refused(address, error.strerror or str(error), "check the host") from None
    # Of a name that has both, the one that is most likely meant by whoever types it into a browser.
    family, kind, protocol, _, where = min(found, key=lambda one: one[0] != socket.AF_INET)
    try:
        made = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _refused(address, os.strerror(error.errno or 0), "") from None
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(where)
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        raise _refused(address, *_REASONS.get(error.errno or 0, (os.strerror(error.errno or 0), ""))) from None
    return made


def _unix(path: str) -> socket.socket:
    address = Address(path=path)
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise _refused(address, f"the path is longer than {LONGEST_PATH} bytes", "take a shorter one")
    _remove_stale(address)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.bind(path)
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        raise _refused(address, os.strerror(error.errno or 0), "name one in a folder that may be written") from None
    return made


def _remove_stale(address: Address) -> None:
    """A socket that nobody listens on was left behind."""
    try:
        if not stat.S_ISSOCK(os.lstat(address.path).st_mode):
            raise _refused(address, "there is a file that is no socket", "remove it, or take another path")
    except OSError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(address.path)
        except ConnectionRefusedError:
            os.unlink(address.path)
            return
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EPROTOTYPE):
                raise _refused(address, os.strerror(error.errno or 0), "take another path") from None
    raise _refused(address, *_TAKEN)


_TAKEN = ("somebody listens there already", "end that, or take another")
_REASONS = {
    errno.EADDRINUSE: _TAKEN,
    errno.EACCES: ("that port is for root", "take one of 1024 or more"),
    errno.EADDRNOTAVAIL: ("this machine has no such address", "127.0.0.1 and 0.0.0.0 are always there"),
}


def _refused(address: Address, why: str, remedy: str) -> UserError:
    return UserError(f"cannot listen on {address}: {why}", remedy)


def _bound(made: socket.socket, address: Address) -> Address:
    """With the port that the kernel has chosen, if it was to."""
    return address if address.path else address._replace(port=made.getsockname()[1])


def _identity(path: str) -> tuple[int, int]:
    info = os.lstat(path)
    return info.st_dev, info.st_ino
