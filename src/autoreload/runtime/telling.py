"""What the program tells the tool of its own accord: each file that it uses, before it is read.

The tool may rely on having been told everything: how many there were stands in our memory, where it can look
(/proc/PID/mem, see proc(5)). So nothing here has to wait, or to be sure that it was heard.
"""

from __future__ import annotations

import os

from .kernel import Number
from .protocol import note, note_by_stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_AT_ONCE = 100
"""Paths in a message."""
_INSTALLED = ("/site-packages/", "/dist-packages/")
_MARK_BITS = 32
_LOST = (1 << _MARK_BITS) - 1
_MOST = 20_000


class Telling:
    """The files that this process has begun to use."""

    def __init__(self, address: bytes) -> None:
        self._address = address
        self._mark = int.from_bytes(os.urandom(_MARK_BITS // 8), "little")
        self._number = Number(self._mark << _MARK_BITS)
        self._begun: dict[str, None] = {}
        self._untold: list[str] = []
        self._not_edited = (os.path.dirname(os.__file__) + "/", os.path.dirname(__file__) + "/")
        self._installed: dict[str, bool] = {}

    def where(self) -> tuple[int, int]:
        """(address in our memory, what stands there in the upper half): the lower half is how many there were."""
        return self._number.address(), self._mark

    def uses(self, path: str) -> None:
        """That file (absolute) is about to be read."""
        if path in self._begun or self._is_foreign(path):
            return
        if len(self._begun) >= _MOST:
            self._number.value = self._mark << _MARK_BITS | _LOST
            return
        self._begun[path] = None
        self._untold.append(path)
        while self._number.value & _LOST != len(self._begun):  # several threads may be here
            self._number.value = self._mark << _MARK_BITS | len(self._begun)
        if not self._tell(note):
            self._tell(note_by_stream)

    def forked(self) -> None:
        """This is another process now, and still the program. What came before, the snapshot tells."""
        self._begun, self._untold = {}, []
        self._number.value = self._mark << _MARK_BITS

    def _tell(self, send: Callable[..., bool]) -> bool:
        while self._untold:
            some = self._untold[:_AT_ONCE]
            if not send(self._address, "opened", *some):
                return False
            for path in some:
                if path in self._untold:  # else another thread has told it too
                    self._untold.remove(path)
        return True

    def _is_foreign(self, path: str) -> bool:
        """Is it of the standard library or of an installed package, which nobody edits?"""
        for word in _INSTALLED:
            folder, found, inside = path.partition(word)
            if found:
                # Unless the package is a link to where it is being worked on.
                package = folder + found + inside.partition("/")[0]
                if package not in self._installed:
                    self._installed[package] = not os.path.islink(package)
                return self._installed[package]
        return path.startswith(self._not_edited)
