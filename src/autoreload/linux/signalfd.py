"""signalfd(2): signals as something to read, with who sent them."""

import sys
from posix import read

from autoreload.linux.libc import checked, function

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

SFD_CLOEXEC, SFD_NONBLOCK = 0o2000000, 0o4000
SI_KERNEL = 0x80
"""`code` of a signal that the kernel sent by itself: for SIGINT, SIGQUIT, SIGTSTP, SIGHUP and SIGWINCH, the terminal.
One of kill(2) has 0 (SI_USER), of tgkill(2) -6; sigaction(2)."""

_RECORD = 128
"""sizeof(struct signalfd_siginfo): ssi_signo, ssi_errno, ssi_code, ssi_pid, ... of 4 bytes each."""
_SIGSET = 128
"""sizeof(sigset_t) of glibc and musl; the kernel takes the first 64 bits (128 on MIPS)."""


def _sigset(signals: "Iterable[int]") -> bytes:
    """A sigset_t: an array of unsigned long in native byte order, signal N being bit N-1."""
    word = 8 if sys.maxsize > 1 << 32 else 4
    bits = 0
    for signal in signals:
        bits |= 1 << (signal - 1)
    words = [bits >> (8 * word * i) & ((1 << 8 * word) - 1) for i in range(16 // word)]
    return b"".join(part.to_bytes(word, sys.byteorder) for part in words).ljust(_SIGSET, b"\0")


class SignalFd:
    """Signals to be read from a descriptor. They are blocked, so that nothing else happens when they come.

    With `block` false they are blocked already (the guard was started so).
    """

    def __init__(self, signals: "Iterable[int]", block: bool = True) -> None:
        signals = tuple(signals)
        if block:
            from signal import SIG_BLOCK, pthread_sigmask

            pthread_sigmask(SIG_BLOCK, signals)
        self._fd = checked(function("signalfd")(-1, _sigset(signals), SFD_CLOEXEC | SFD_NONBLOCK))

    def fileno(self) -> int:
        """Readable when a signal is there."""
        return self._fd

    def read(self) -> list[tuple[int, int, int]]:
        """(number, code, pid of the sender) of each signal that has come; never waits."""
        found = []
        try:
            data = read(self._fd, 16 * _RECORD)
        except BlockingIOError:
            return []
        for start in range(0, len(data), _RECORD):
            number, code, pid = (
                int.from_bytes(data[start + at : start + at + 4], sys.byteorder, signed=at == 8) for at in (0, 8, 12)
            )
            found.append((number, code, pid))
        return found
