"""How often the backend that polls looks."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from autoreload.linux.clock import file_time
from autoreload.watch import polling
from autoreload.watch.backend import Root
from autoreload.watch.polling import INTERVAL, SHARE, WAITED, PollingBackend
from tests.kernel.mirror import Everything


class Clock:
    """The clocks, but for what `Slow` makes pass."""

    def __init__(self) -> None:
        self.waited = self.worked = 0.0

    def monotonic(self) -> float:
        """Seconds."""
        return time.monotonic() + self.waited + self.worked

    def thread_time(self) -> float:
        """Of work alone."""
        return self.worked


class Slow(Everything):
    """To list a folder takes a while."""

    def __init__(self, clock: Clock, waits: float, works: float) -> None:
        super().__init__()
        self.clock, self.waits, self.works = clock, waits, works

    def listed(self, directory: str, names: object) -> None:
        """Once for each folder."""
        self.clock.waited += self.waits
        self.clock.worked += self.works


def pause(tree: Path, monkeypatch: pytest.MonkeyPatch, waits: float, works: float) -> float:
    """Seconds from one look to the next."""
    clock = Clock()
    monkeypatch.setattr(polling, "time", clock)
    backend = PollingBackend([Root(str(tree))], Slow(clock, waits, works), file_time())
    now = 0.0
    backend.read(now)
    while backend.deadline() == 0.0:
        backend.read(now)
    backend.close()
    return backend.deadline() or 0.0


def test_looking_takes_two_percent_of_a_processor_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is done every second at most."""
    assert pause(tmp_path, monkeypatch, 0.0, 0.0) == pytest.approx(INTERVAL, abs=0.1)
    assert pause(tmp_path, monkeypatch, 0.0, 3.0) == pytest.approx((SHARE - 1) * 3.0, rel=0.05)


def test_a_file_system_that_did_not_answer_for_an_hour_is_looked_at_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To wait is no work: else it would not be looked at for two days."""
    assert pause(tmp_path, monkeypatch, 3600.0, 0.0) <= SHARE * WAITED
