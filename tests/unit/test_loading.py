"""Is the command still loading? Decided on samples of what its processes do."""

from __future__ import annotations

from autoreload.core.loading import AT_LEAST, AT_MOST, INTERVAL, Loading, Sample

SECOND = 1_000_000_000


def played(*samples: Sample) -> Loading:
    """A command that was started at 10 s, with these samples, one each interval."""
    loading = Loading()
    loading.started(10.0)
    for number, sample in enumerate(samples, 1):
        now = 10.0 + number * INTERVAL
        assert (loading.deadline() or 0.0) <= now + 1e-9
        loading.sample(sample, now, int(now * SECOND))
    return loading


def uses(*seconds: float, busy: bool = False) -> Sample:
    """Processes 1, 2, ... that have used so much so far."""
    return Sample(dict(enumerate(seconds, 1)), busy)


ENOUGH = int(AT_LEAST / INTERVAL) + 1
"""Samples."""


def test_a_command_that_does_nothing_is_at_rest_from_the_first_sample_of_that_on() -> None:
    """Not from the one that made it certain."""
    loading = played(uses(0.1), uses(0.2), *[uses(0.3)] * ENOUGH)

    assert loading.rest == int((10.0 + 3 * INTERVAL) * SECOND)
    assert loading.deadline() is None


def test_a_short_pause_is_no_rest() -> None:
    """An import waits for the disk now and then."""
    assert played(*[uses(0.1)] * (ENOUGH - 1), uses(0.2), *[uses(0.2)] * (ENOUGH - 2)).rest is None


def test_the_timers_of_a_server_that_waits_are_no_work() -> None:
    """A millisecond each interval."""
    assert played(*[uses(0.1 + number * 0.001) for number in range(ENOUGH)]).rest is not None


def test_a_process_that_waits_for_a_processor_or_disk_is_at_work() -> None:
    """On a machine that has more to do it may get none for long."""
    assert played(*[uses(0.1, busy=True)] * 100).rest is None


def test_processes_that_come_and_go_are_at_work() -> None:
    """Whatever little each of them uses."""
    assert played(*[uses(0.1), uses(0.1, 0.0)] * 50).rest is None


def test_nothing_that_runs_is_at_rest() -> None:
    """It has ended."""
    assert played(*[uses()] * ENOUGH).rest is not None


def test_a_command_that_is_always_busy_is_taken_for_loaded_in_the_end() -> None:
    """A game, a training."""
    samples = [uses(number * INTERVAL) for number in range(int(AT_MOST / INTERVAL) + 2)]

    assert played(*samples[: int(AT_MOST / INTERVAL) - 2]).rest is None
    assert played(*samples).rest is not None


def test_the_next_start_begins_anew() -> None:
    """And before the first one there is nothing to look at."""
    loading = Loading()
    assert loading.deadline() is None
    loading = played(*[uses(0.1)] * ENOUGH)
    loading.started(20.0)

    assert loading.rest is None
    assert loading.deadline() == 20.0 + INTERVAL
