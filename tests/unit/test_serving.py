"""A stop waits until the clients of the command are answered, but never for longer than it may."""

from __future__ import annotations

from unittest.mock import Mock, call

import pytest

from autoreload.core.lifecycle import Stop
from autoreload.serving import Serving

STOP = Stop(7, 15, 5.0, from_terminal=False)
PASSED_ON = call.stop(7, 15, 5.0, False)


class Stage:
    """A serving with stand-ins around it."""

    def __init__(self) -> None:
        self.runner = Mock(guard=0)
        self.holder = Mock()
        self.holder.is_drained.return_value = False
        self.holder.serves.return_value = None
        self.holder.why_unseen = 0
        self.report = Mock()
        self.serving = Serving(self.holder, self.runner, self.report, "python app.py")

    def asked(self) -> list[object]:
        """What the runner was asked."""
        return list(self.runner.mock_calls)


@pytest.fixture
def stage() -> Stage:
    """Of a command that has clients."""
    return Stage()


def test_it_is_stopped_once_they_are_answered(stage: Stage) -> None:
    """Once."""
    stage.serving.stop(STOP, 1.0, ending=False)
    stage.serving.work(1.1, ending=False)
    assert stage.asked() == []
    stage.holder.is_drained.return_value = True
    stage.serving.work(1.2, ending=False)
    stage.serving.work(1.3, ending=False)
    assert stage.asked() == [PASSED_ON]


def test_at_the_end_nobody_is_waited_for(stage: Stage) -> None:
    """Ctrl-C, before or while it is stopped."""
    stage.serving.stop(STOP, 1.0, ending=True)
    assert stage.asked() == [PASSED_ON]
    stage.holder.stopping.assert_not_called()

    stage.serving.stop(STOP, 1.0, ending=False)
    stage.serving.work(1.1, ending=True)
    assert stage.asked() == [PASSED_ON, PASSED_ON]


def test_a_kill_comes_after_the_stop(stage: Stage) -> None:
    """A second Ctrl-C."""
    stage.serving.stop(STOP, 1.0, ending=False)
    stage.serving.kill(7)
    assert stage.asked() == [PASSED_ON, call.kill(7)]


def test_a_stop_that_a_killed_guard_has_answered_is_forgotten(stage: Stage) -> None:
    """It would be one of the next run."""
    stage.serving.stop(STOP, 1.0, ending=False)
    stage.serving.starting(1.0)
    stage.holder.is_drained.return_value = True
    stage.serving.work(1.1, ending=False)
    assert stage.asked() == []


def test_without_sockets_it_is_stopped_at_once() -> None:
    """Nothing is looked at."""
    runner = Mock(guard=0)
    serving = Serving(None, runner, Mock(), "make")
    assert serving.fileno() == -1
    assert serving.deadline() is None
    serving.starting(0.0)
    serving.started(1.0)
    serving.stop(STOP, 2.0, ending=False)
    serving.work(2.0, ending=False)
    serving.ended("exited with code 1")
    assert runner.mock_calls == [PASSED_ON]


def test_its_time_runs_from_the_start(stage: Stage) -> None:
    """And not from when that was heard of."""
    stage.serving.starting(1.0)
    stage.serving.started(1.5)
    stage.holder.started.assert_called_once_with(1.0)


def test_it_is_told_when_it_serves(stage: Stage) -> None:
    """As the holder has seen it."""
    stage.holder.serves.return_value = 0.25
    stage.serving.work(1.0, ending=False)
    stage.report.ready.assert_called_once_with(0.25)
