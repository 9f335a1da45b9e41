"""What fork(2), or Python after it, takes away from the child, and the program is to find again.

Saved once before the fork, given back in each child: the one that goes on at once, and those made later, which are to
find the state of the moment when the snapshot was taken.
"""

from __future__ import annotations

import os

from . import generator, loop, offsets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from signal import ITIMER_PROF, ITIMER_REAL, ITIMER_VIRTUAL, getitimer, setitimer
else:
    from _signal import ITIMER_PROF, ITIMER_REAL, ITIMER_VIRTUAL, getitimer, setitimer

_TIMERS = (ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF)


class Kept:
    """The state of the moment when it is made."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        # Not inherited: setitimer(2). In the snapshot they must not go on, or it would wake up for them.
        self._timers = [(which, *getitimer(which)) for which in _TIMERS]
        self._generator = generator.Saved()
        self._loop = loop.save()
        self._offsets = offsets.save()
        self.files = offsets.named()

    def freeze(self) -> None:
        """In the snapshot: nothing is to wake it up."""
        for which, _, _ in self._timers:
            setitimer(which, 0)

    def give_back(self) -> None:
        """In a child."""
        for which, delay, interval in self._timers:
            if delay:
                setitimer(which, delay, interval)
        offsets.give_back(self._offsets)
        self._generator.give_back()
        if self._loop is not None:
            self._loop.give_back()
        if os.environ.get("LISTEN_PID") == str(self._pid):
            os.environ["LISTEN_PID"] = str(os.getpid())  # sd_listen_fds(3): they are for this process now
