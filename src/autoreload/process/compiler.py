"""A small process of the command's own interpreter, which says whether files compile (`runtime/compiles.py`).

It is started before it is needed, so that an answer takes as long as the compilation. Nothing here waits. It ends when
its socket is closed, so with autoreload, however that ends.
"""

from __future__ import annotations

import os
import select
import signal
import socket
from collections.abc import Mapping

from autoreload import runtime
from autoreload.core.soundness import Answer, Verdict
from autoreload.process.spawn import above_standard

_LARGEST = 1 << 16
_READY = b"r"
_VERDICTS = {b"s": Verdict.SOUND, b"b": Verdict.BROKEN, b"g": Verdict.GONE, b"u": Verdict.UNKNOWN}
_CACHED = b"+"
_MOST_DEATHS = 3
"""So many deaths without an answer in between, and it is not started again."""
_SIGNALS = frozenset((signal.SIGTERM, signal.SIGALRM))
"""What it can be ended by; Ctrl-C and the like are for the command."""


class Compiler:
    """Asked about one file at a time."""

    def __init__(self, interpreter: str, directory: str, environ: Mapping[bytes, bytes]) -> None:
        """`interpreter`: of the command; an empty one cannot be asked. `directory`, `environ`: as those of the command,
        for they may decide which Python it is (pyenv)."""
        self._interpreter, self._directory, self._environ = interpreter, directory, environ
        self._script = os.path.join(os.path.dirname(runtime.__file__), "compiles.py")
        self._epoll = select.epoll()
        self._socket: socket.socket | None = None
        self._process = -1
        """A pidfd: whoever waits for children may have collected it."""
        self._deaths = 0 if interpreter else _MOST_DEATHS
        self._question = b""
        self._may_repeat = False

    def fileno(self) -> int:
        """Readable when `read` has something to tell."""
        return self._epoll.fileno()

    def start(self) -> bool:
        """Let it be up when it is needed. False: there is none."""
        if self._socket:
            return True
        if self._deaths >= _MOST_DEATHS:
            return False
        try:
            self._spawn()
        except OSError:
            self._deaths = _MOST_DEATHS
            return False
        return True

    def ask(self, path: str, may_trust: bool) -> bool:
        """Ask about a file; `read` answers. `may_trust`: bytecode that agrees with it is answer enough. False: there
        is nobody to ask."""
        self._question = (b"l" if may_trust else b"c") + os.fsencode(path)
        self._may_repeat = True
        return self._send()

    def _send(self) -> bool:
        while self.start() and self._socket:
            try:
                self._socket.send(self._question)
                return True
            except OSError:
                self.give_up()  # it had died before
        return False

    def read(self) -> Answer | None:
        """The answer, if there is one by now."""
        while self._socket:
            try:
                data = self._socket.recv(_LARGEST)
            except BlockingIOError:
                return None
            except OSError:
                data = b""
            if not data:
                self.give_up()
                if not self._question:
                    return None
                # Perhaps it had died before it read the question, perhaps of that.
                self._may_repeat, repeats = False, self._may_repeat
                if not repeats or not self._send():
                    return Answer(Verdict.UNKNOWN)
                continue
            if data != _READY:
                self._deaths, self._question = 0, b""
                return _understood(data)
        return None

    def give_up(self) -> None:
        """It is stuck or dead. Another question starts it again."""
        self._deaths += 1
        self.close()

    def close(self) -> None:
        """End it."""
        if self._socket:
            self._epoll.unregister(self._socket)
            self._socket.close()
            self._socket = None
        if self._process >= 0:
            try:
                signal.pidfd_send_signal(self._process, signal.SIGKILL)
            except OSError:
                pass
            os.close(self._process)
            self._process = -1

    def _spawn(self) -> None:
        ours, theirs = (above_standard(end) for end in socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        here = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.chdir(self._directory)
            pid = os.posix_spawn(
                self._interpreter,
                [self._interpreter, "-I", "-S", "-W", "ignore", self._script],
                self._environ,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, theirs.fileno(), 0),
                    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                    (os.POSIX_SPAWN_DUP2, 1, 2),
                ],
                setsigmask=signal.valid_signals() - _SIGNALS,
                setsigdef=(signal.SIGPIPE, signal.SIGXFSZ, *_SIGNALS),
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
            os.fchdir(here)
            os.close(here)
        try:
            self._process = os.pidfd_open(pid)
        except OSError:
            pass  # before Linux 5.3: if it is stuck it ends itself
        ours.setblocking(False)
        self._epoll.register(ours, select.EPOLLIN)
        self._socket = ours


def _understood(data: bytes) -> Answer:
    verdict = _VERDICTS.get(data[:1], Verdict.UNKNOWN)
    has_compiled = data[1:2] == _CACHED
    text = data[2 if has_compiled else 1 :].decode("utf-8", "replace")
    return Answer(verdict, text, has_compiled)
