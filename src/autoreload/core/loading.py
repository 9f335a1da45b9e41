"""Has the command come to rest since its start? Until then it reads its files, and what it has read nobody knows.

A file that is written anew is empty for a moment, even if it then is what it was. Who reads it in that moment goes on
with what is nowhere any more. So what changes while the command is loading counts, whatever comes of it.

Pure: `now` is monotonic seconds, moments are those of files (CLOCK_REALTIME_COARSE, ns).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

INTERVAL = 0.05
"""Seconds between two samples."""
AT_LEAST = 0.1
"""A command that has done nothing for so long is at rest, seconds: a server waits for a request."""
NOTHING = 0.05
"""This share of one processor is nothing: the timers of a server that waits."""
AT_MOST = 30.0
"""Seconds after which a command that is still busy is taken for one that always is."""


class Sample(NamedTuple):
    """What the command's processes did so far."""

    used: Mapping[int, float]
    """Seconds of processor time of each of them."""
    busy: bool
    """Does one of them run just now, or wait for a processor or a disk?"""


class Loading:
    """Learns from samples when the command came to rest."""

    def __init__(self) -> None:
        self.rest: int | None = None
        """From this moment on it has been at rest; None: it is loading."""
        self.seconds: float | None = None
        """How long that took; None: it has not been seen to come to rest."""
        self._started: float | None = None
        self._last: tuple[float, int, Sample] | None = None
        self._quiet: tuple[float, int] | None = None

    def started(self, now: float) -> None:
        """The command is started."""
        self.rest = self.seconds = None
        self._started = now
        self._last = self._quiet = None

    def deadline(self) -> float | None:
        """When the next sample is due; None: no need of any."""
        if self._started is None or self.rest is not None:
            return None
        return (self._last[0] if self._last is not None else self._started) + INTERVAL

    def sample(self, sample: Sample, now: float, moment: int) -> None:
        """What is found at `now`, which is the `moment` in file time."""
        last, self._last = self._last, (now, moment, sample)
        if self._started is None or self.rest is not None:
            return
        if now >= self._started + AT_MOST:
            self.rest = moment
        elif last is None or not _is_quiet(last[2], sample, now - last[0]):
            self._quiet = None
        else:
            self._quiet = self._quiet or last[:2]
            if now >= self._quiet[0] + AT_LEAST:
                self.rest, self.seconds = self._quiet[1], self._quiet[0] - self._started


def _is_quiet(before: Sample, after: Sample, seconds: float) -> bool:
    if before.busy or after.busy or before.used.keys() != after.used.keys():
        return False
    return sum(after.used.values()) - sum(before.used.values()) <= NOTHING * seconds
