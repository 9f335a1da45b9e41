"""The child of a snapshot that is prepared to go on as the program, while an older one still ends.

It waits before its gate, a pipe that this process alone can write to: if that dies, the child ends too.
"""

from __future__ import annotations

import posix

from . import native
from .below import Below, send

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from signal import SIGKILL
else:
    from _signal import SIGKILL


class Prepared:
    """At most one at a time."""

    def __init__(self, below: Below) -> None:
        """`below`: is told whom to spare."""
        self.wanted = False
        """Is one to be forked?"""
        self.gate = -1
        """In the child: where it sees whether its gate is open."""
        self.changed: Sequence[str] = ()
        """The files that it is made for."""
        self._below = below
        self._key = -1

    @property
    def pid(self) -> int:
        """Of the child; 0: there is none."""
        return self._below.spared

    @property
    def alive(self) -> bool:
        """Is there one, that has not died before it was needed?"""
        return self._key >= 0 and self.pid != 0

    def want(self, changed: Sequence[str]) -> None:
        """One is to be forked for these changes, and there is none for others."""
        self.wanted, self.changed = True, changed

    def fork(self) -> bool:
        """False: this is the child."""
        self.wanted = False
        gate, key = posix.pipe()
        child = native.fork()
        if not child:
            posix.close(key)
            self.gate = gate
            return False
        posix.close(gate)
        self._key, self._below.spared = key, child
        return True

    def release(self) -> None:
        """Nothing is left but the child: open its gate."""
        self._below.spared = 0
        try:
            posix.write(self._key, b"\0")
        except OSError:
            pass  # it is dead
        self._close()

    def discard(self) -> None:
        """End it."""
        self.wanted = False
        if self.pid:
            send(self.pid, SIGKILL)
            self._below.spared = 0
        self._close()

    def _close(self) -> None:
        if self._key >= 0:
            posix.close(self._key)
            self._key = -1
