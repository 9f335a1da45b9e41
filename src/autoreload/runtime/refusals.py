"""When a snapshot could not be trusted: what a fork would not copy, or what both sides would share.

Each reason is one line for a person. They are asked in the order of what they cost.
"""

from __future__ import annotations

import _socket
import posix
import sys
from _thread import _count, get_ident
from stat import S_ISREG

from . import loop, native
from .kernel import content
from .protocol import plain_socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SHARED_KINDS = ("inotify", "fanotify", "io_uring", "signalfd", "[eventpoll]", "[timerfd]", "[eventfd]", "userfaultfd")
"""What a descriptor of the kind anon_inode must not be: both sides would see the same events."""
_NO_FILES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/pts/", "/proc/")
"""What may be open for reading and writing."""
_SHARED_AND_WRITABLE = (b" rw-s ", b" rwxs ", b" -w-s ", b" -wxs ")
_NO_SHARED_MAPPINGS = ("/dev/nvidia", "/dev/dri/", "/usr/", "/lib")


def reason(main_thread: int, user: int) -> str:
    """Why this process cannot be forked into a snapshot now; empty: it can.

    `main_thread`: its identity. `user`: who the process was at first.
    """
    if get_ident() != main_thread:
        return "it is loaded in a thread"
    if _count() > 0:
        return "a thread is running"
    if sys.gettrace() is not None:
        return "it is traced, by a debugger or a coverage tool"
    if posix.geteuid() != user:
        return "it changed its user"
    try:
        why = _children() or loop.refusal() or _descriptors(loop.descriptors()) or _traced()
        if why:
            return why
        maps = content("/proc/self/maps")
        return _mappings(maps) or native.refusal(maps)
    except OSError as error:
        return f"/proc cannot be read ({posix.strerror(error.errno or 0)})"


def _children() -> str:
    """They would be the snapshot's, and its proof of death would wait for them."""
    try:
        posix.waitid(posix.P_ALL, 0, posix.WEXITED | posix.WNOHANG | posix.WNOWAIT)
    except ChildProcessError:
        return ""
    return "it has child processes"


def _descriptors(ours: set[int]) -> str:
    pipes: set[str] = set()
    for name in posix.listdir("/proc/self/fd"):
        fd = int(name)
        if fd in ours:
            continue
        try:
            target = posix.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            continue  # that of the listing itself
        kind, _, rest = target.partition(":")
        if kind == "socket":
            found = _socket_of(fd)
        elif kind == "pipe":
            # Both ends: it talks to itself, and what is in the pipe is one for all.
            found = "a pipe of its own is open" if target in pipes and fd > 2 else ""
            pipes.add(target)
        elif kind == "anon_inode":
            found = f"a descriptor of the kind {rest} is open" if any(word in rest for word in _SHARED_KINDS) else ""
        elif target.startswith("/"):
            found = _file(fd, target)
        else:
            found = ""
        if found:
            return found
    return ""


def _socket_of(fd: int) -> str:
    try:
        socket = plain_socket(fileno=posix.dup(fd))
    except OSError:
        return f"socket {fd} is open"
    try:
        if fd <= 2 or socket.family == getattr(_socket, "AF_NETLINK", -1):
            return ""
        if socket.getsockopt(_socket.SOL_SOCKET, _socket.SO_ACCEPTCONN):
            return "it listens for connections"
        try:
            socket.getpeername()
        except OSError:
            return "a socket is bound" if _is_bound(socket.getsockname()) else ""
        return "a connection is open"
    finally:
        socket.close()


def _is_bound(name: Any) -> bool:
    """By the name of a socket: (host, port, ...), or a path."""
    return bool(name[1]) if isinstance(name, tuple) and len(name) > 1 else bool(name)


def _file(fd: int, path: str) -> str:
    if path.startswith(_NO_FILES):
        return ""
    flags = posix.O_RDWR
    for line in content(f"/proc/self/fdinfo/{fd}").splitlines():  # see proc(5)
        if line.startswith(b"flags:"):
            flags = int(line.split()[1], 8)
        elif line.startswith(b"lock:") and (fd > 2 or b" POSIX " in line):
            # fcntl(2): a child does not inherit it. flock(2): whoever shares the open file can give it up. Asked for
            # here, since reading /proc/locks has to wait for all processors.
            return "it holds a file lock"
    if fd == 0 and S_ISREG(posix.fstat(fd).st_mode):
        return "its standard input is a file"  # of which a new start would read the beginning, or the rest
    mode = flags & posix.O_ACCMODE
    if fd <= 2 or mode == posix.O_RDONLY or (mode == posix.O_WRONLY and flags & posix.O_APPEND):
        return ""  # what was appended stays in any case
    return f"{path} is open for writing"


def _mappings(maps: bytes) -> str:
    """Memory that is shared and can be written: what the program does to it would be seen by the next one."""
    if not any(rights in maps for rights in _SHARED_AND_WRITABLE):
        return ""
    for line in maps.splitlines():
        fields = line.split(None, 5)
        if fields[1][1:2] == b"w" and fields[1][3:4] == b"s":
            name = fields[5].decode(errors="replace") if len(fields) == 6 else ""
            if not name.startswith(_NO_SHARED_MAPPINGS):
                return f"memory is shared ({name or 'anonymous'})"
    return ""


def _traced() -> str:
    for line in content("/proc/self/status").splitlines():
        if line.startswith(b"TracerPid:"):
            return "" if int(line.split()[1]) == 0 else "a debugger is attached"
    return ""
