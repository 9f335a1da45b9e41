"""Becomes the command, after it has let autoreload see its calls of bind: `--keep-sockets=always`.

    python -I -S -c "..." ADDRESS PATH WORD...      the keeper's abstract address, what to execute, its argv

It is executed by the guard in the place of the command, whose pid it has.
"""

from __future__ import annotations

import _socket
import errno
import os
import signal
import sys

from autoreload.linux import seccomp

_SHELL = "/bin/sh"


def words(address: str) -> tuple[bytes, ...]:
    """What comes before the path of the command."""
    import autoreload

    folder = os.path.dirname(os.path.dirname(os.path.abspath(autoreload.__file__)))
    code = f"import sys; sys.path.insert(0, {folder!r}); from autoreload.process.launcher import main; main()"
    return tuple(os.fsencode(word) for word in (sys.executable, "-I", "-S", "-c", code, address))


def main() -> None:
    """Does not return."""
    address, path, *argv = sys.argv[1:]
    environ = _environ()
    number, why = -1, 0
    try:
        number = seccomp.watch()
    except OSError as error:
        why = error.errno or errno.ENOSYS
    _tell(address, number, why)
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python
        signal.signal(ignored, signal.SIG_DFL)
    try:
        try:
            os.execve(path, argv, environ)
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            os.execve(_SHELL, [_SHELL, path, *argv[1:]], environ)
    except OSError as error:
        os.write(2, f"{path}: {error.strerror}\n".encode("utf-8", "backslashreplace"))
        os._exit(126)


def _environ() -> dict[bytes, bytes]:
    """As it was passed to us: in the C locale Python adds LC_CTYPE (PEP 538)."""
    with open("/proc/self/environ", "rb") as file:
        entries = file.read().split(b"\0")
    return {name: value for name, sign, value in (entry.partition(b"=") for entry in entries) if name and sign}


def _tell(address: str, number: int, why: int) -> None:
    link = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
    try:
        link.connect("\0" + address)
        rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, number.to_bytes(4, sys.byteorder))] if number >= 0 else []
        link.sendmsg([f"s{why}".encode()], rights)
        link.recv(8)
    except OSError:
        return
    finally:
        link.close()
        if number >= 0:
            os.close(number)
