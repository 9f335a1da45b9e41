"""The clock of file times can be set back; nothing may be missed for that. The clocks here are made up."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from autoreload.core.change import Change, Kind
from autoreload.core.identity import Identities
from autoreload.core.table import SIZE
from autoreload.linux.clock import SetBack

TICK = 4_000_000
HOUR = 3_600 * 10**9
REALTIME = 5


class Clocks:
    """CLOCK_REALTIME_COARSE and CLOCK_MONOTONIC_COARSE."""

    def __init__(self) -> None:
        self.monotonic = 1000 * TICK
        self.realtime = 10**18
        self.between: list[Callable[[], None]] = []
        """What happens between two readings."""

    def read(self, clock: int) -> int:
        """clock_gettime(2)"""
        now = self.realtime if clock == REALTIME else self.monotonic
        if self.between:
            self.between.pop(0)()
        return now

    def tick(self, ticks: int = 1) -> None:
        """Time passes."""
        self.monotonic += ticks * TICK
        self.realtime += ticks * TICK


@pytest.mark.parametrize("by", [1, TICK, HOUR])
def test_a_clock_that_is_set_back_is_noticed_once(by: int) -> None:
    """However little; by how much is told."""
    clocks = Clocks()
    back = SetBack(clocks.read)
    clocks.tick(250)
    assert back.by() == 0
    clocks.realtime -= by
    clocks.tick(3)
    assert back.by() == by
    clocks.tick()
    assert back.by() == 0


def test_a_clock_that_is_set_forward_and_a_suspend_are_nothing() -> None:
    """It is as if much time had passed. Set back again, that is noticed."""
    clocks = Clocks()
    back = SetBack(clocks.read)
    clocks.realtime += 24 * HOUR
    assert back.by() == 0
    clocks.realtime -= 24 * HOUR
    assert back.by() == 24 * HOUR


@pytest.mark.parametrize("readings", [0, 1])
def test_a_tick_between_two_readings_is_not_taken_for_a_jump(readings: int) -> None:
    """The clocks are read one after the other."""
    clocks = Clocks()
    back = SetBack(clocks.read)
    clocks.between = [*[lambda: None] * readings, clocks.tick]
    assert back.by() == 0
    assert back.by() == 0


def test_what_was_read_by_a_clock_that_was_set_back_is_not_trusted() -> None:
    """A file that changes now has an older ctime than the start. Control: it is taken for what it was at the start."""
    for distrusted in (False, True):
        known = Identities()
        known.started(2 * HOUR)
        known.told(2 * HOUR + 1)
        if distrusted:
            known.distrust()
        known.read("a.py", b"x" * SIZE, ctime=HOUR + 1, at=HOUR + 2)
        known.told(2 * HOUR + 1)  # the backend had taken that down before
        known.heard(Change(Kind.WRITTEN, "a.py"))
        assert known.was("a.py") == (None if distrusted else b"x" * SIZE)


def test_after_the_next_start_it_is_as_always() -> None:
    """By the clock as it is now."""
    known = Identities()
    known.started(2 * HOUR)
    known.told(3 * HOUR)
    known.distrust()
    assert not known.caught_up
    known.started(HOUR)
    assert not known.caught_up  # by what was told before it was set back, it would be
    known.told(HOUR + 1)
    known.read("a.py", b"x" * SIZE, ctime=1, at=HOUR + 2)
    known.told(HOUR + 3)
    assert known.was("a.py") == b"x" * SIZE
