"""The birth of a guard, from the tool's side; `boot.py` is its counterpart."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import socket
import sys
from collections.abc import Collection
from marshal import dumps
from types import CodeType, ModuleType
from typing import Any, NamedTuple

from autoreload.errors import UserError
from autoreload.linux import descendants, libc, prctl, signalfd
from autoreload.process import boot, guard, launch, remembered, terminal, tree
from autoreload.process.command import Command

_PART = 1 << 15
"""Bytes in a message: well below the least a socket's buffer can hold (net.core.wmem_max)."""
_BOOTSTRAP = (
    "import marshal, posix; names = {{}}; exec(marshal.loads(posix.read({channel}, 65536)), names);"
    " names['begin']({channel}, {interpreter})  # ends what process {pid} starts"
)
_MODULES = (libc, prctl, signalfd, descendants, tree, launch, guard, remembered, terminal)
"""What the guard may import (the last two only when they are needed)."""
_COERCED = ("C.UTF-8", "C.utf8", "UTF-8")


class Origin(NamedTuple):
    """What autoreload was started with and the command is to find again."""

    environ: dict[bytes, bytes]
    mask: tuple[int, ...]
    """Blocked signals."""
    ignores_children: bool
    """SIGCHLD is ignored (nobody could be waited for then: we cannot let it be so)."""
    passed: tuple[tuple[int, int], ...] = ()
    """Sockets for the command, by their numbers here and there."""
    before: tuple[bytes, ...] = ()
    """Words of a program that becomes the command."""

    @property
    def has_sockets(self) -> bool:
        """Is it told to take sockets, ours or those of systemd?"""
        return self.environ.get(b"LISTEN_PID") == b"%d" % os.getpid()


def origin(mask: Collection[int] | None = None) -> Origin:
    """What this process was started with, if asked before it changes its signals; or the `mask` is given."""
    if mask is None:
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    environ = dict(os.environb)
    if environ.get(b"LC_CTYPE", b"").decode("ascii", "replace") in _COERCED and not _inherited(b"LC_CTYPE"):
        del environ[b"LC_CTYPE"]  # Python has set it for itself, in the C locale (PEP 538)
    return Origin(environ, tuple(map(int, mask)), signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN)


def _inherited(variable: bytes) -> bool:
    try:
        with open("/proc/self/environ", "rb") as file:
            return any(entry.startswith(variable + b"=") for entry in file.read().split(b"\0"))
    except OSError:
        return True


def spawn_guard(command: Command, origin: Origin, state: Any) -> tuple[int, socket.socket]:
    """Start a guard for that command: its pid, and our end of the socket. Does not wait until it is up.

    `state`: of the terminal. UserError if it cannot be started.
    """
    argv = tuple(os.fsencode(word) for word in command.argv)
    directory = os.fsencode(command.directory)
    what = (argv, directory, origin.environ, origin.mask, origin.ignores_children, origin.passed, origin.has_sockets)
    settings = (*what, origin.before, state)
    try:
        ours, theirs = (above_standard(end) for end in socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        try:
            pid = _spawn(theirs, origin)
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
    except OSError as error:
        raise _cannot_start(error) from None
    try:
        _deliver(ours, settings)
    except OSError:
        pass  # it was killed already: whoever reads from the socket will see
    ours.setblocking(False)
    return pid, ours


def _cannot_start(error: OSError) -> UserError:
    if error.errno == errno.EMFILE:  # it is about no file
        return UserError(f"the guard process cannot be started: {error.strerror}", "raise `ulimit -n`")
    about = f": {error.filename}" if error.filename else ""
    return UserError(f"the guard process cannot be started: {error.strerror}{about}")


def _spawn(channel: socket.socket, origin: Origin) -> int:
    interpreter, name, held = _interpreter()
    # For us, as short as can be; there is one thread, and nothing else is executed meanwhile.
    numbers = (channel.fileno(), *(number for number, _ in origin.passed))
    for number in numbers:
        os.set_inheritable(number, True)
    try:
        return os.posix_spawn(
            interpreter,
            [name, "-I", "-S", "-c", _BOOTSTRAP.format(channel=channel.fileno(), interpreter=held, pid=os.getpid())],
            origin.environ,
            # Nothing but SIGKILL and SIGSTOP gets at it; what it is to notice it reads.
            setsigmask=signal.valid_signals(),
            setsigdef=(signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ),
        )
    finally:
        for number in numbers:
            os.set_inheritable(number, False)
        if held >= 0:
            os.close(held)


def _interpreter() -> tuple[str, str, int]:
    """What to execute, by which name, and a descriptor that it needs (or -1).

    Python finds its library by the name it is called by. Where that has autoreload in it (an environment in a folder of
    that name has not: the interpreter it was made from is taken), it is called by a descriptor.
    """
    path = os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable or "python3")
    if "autoreload" not in path:
        return path, path, -1
    held = os.open(path, os.O_PATH)
    os.set_inheritable(held, True)
    return path, f"/proc/self/fd/{held}", held


def _deliver(channel: socket.socket, settings: Any) -> None:
    """Send the guard its code (as cached by the import system) and its settings."""
    channel.send(dumps(_code(boot)))
    codes: dict[str, CodeType | None] = dict.fromkeys(("autoreload", "autoreload.linux", "autoreload.process"))
    codes |= {module.__name__: _code(module) for module in _MODULES}
    data = dumps((codes, settings))
    channel.send(dumps(len(data)))
    for start in range(0, len(data), _PART):
        channel.send(data[start : start + _PART])


def _code(module: ModuleType) -> Any:
    loader = module.__spec__.loader if module.__spec__ else None
    return loader.get_code(module.__name__)  # type: ignore[union-attr]


def above_standard(end: socket.socket) -> socket.socket:
    """The same socket, by a number that a command whose standard descriptors are closed does not take for one."""
    if end.fileno() > 2:
        return end
    with end:
        return socket.socket(fileno=fcntl.fcntl(end.fileno(), fcntl.F_DUPFD_CLOEXEC, 3))
