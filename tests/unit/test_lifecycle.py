"""The life of the command, input by input."""

from __future__ import annotations

import errno
import signal
from typing import get_args

import pytest

from autoreload.core import lifecycle as life
from autoreload.core.debounce import Phase
from autoreload.core.lifecycle import (
    Begin,
    Cause,
    Changing,
    Emptied,
    Exited,
    Failed,
    Finish,
    GuardLost,
    Interrupted,
    Kill,
    Lifecycle,
    OnExit,
    Policy,
    Start,
    Started,
    State,
    Stop,
    Stuck,
    TellEnding,
    TellExit,
    TellFailure,
    Ticked,
)

CERTAIN, SETTLED = Changing(Phase.CERTAIN), Changing(Phase.SETTLED)
CTRL_C = Interrupted(signal.SIGINT, from_terminal=True)
TERM = Interrupted(signal.SIGTERM, from_terminal=False)


class Play:
    """A lifecycle, and the actions that came out of it."""

    def __init__(self, policy: Policy = Policy()) -> None:
        self.lifecycle = Lifecycle(policy)
        self.now = 0.0

    def __call__(self, *happened: life.Input, at: float | None = None) -> list[life.Action]:
        """Feed these; the actions of the last one."""
        self.now = self.now if at is None else at
        actions: list[life.Action] = []
        for one in happened:
            actions = self.lifecycle.handle(one, self.now)
        return actions


def running(policy: Policy = Policy()) -> Play:
    """A command that was started and runs."""
    play = Play(policy)
    assert play(Begin()) == [Start(1, Cause.FIRST)]
    play(Started())
    return play


# -- restarts --------------------------------------------------------------------------------------------------------
def test_a_change_stops_the_command_and_starts_it_when_the_tree_is_empty() -> None:
    """The everyday restart."""
    play = running(Policy(stop_signal=signal.SIGINT, grace=2.0))

    assert play(CERTAIN) == [Stop(1, signal.SIGINT, 2.0)]
    assert play(SETTLED) == []
    assert play(Emptied(1)) == [Start(2, Cause.CHANGE)]


def test_a_tree_that_is_empty_before_the_burst_is_over_waits_for_the_rest() -> None:
    """One restart per burst."""
    play = running()

    assert play(CERTAIN, Emptied(1)) == []
    assert play(SETTLED) == [Start(2, Cause.CHANGE)]


def test_a_change_after_the_burst_had_settled_unsettles_it() -> None:
    """The start is put off until the new burst is over as well."""
    play = running()

    assert play(CERTAIN, SETTLED, Changing(Phase.CHANGING), Emptied(1)) == []
    assert play(CERTAIN, SETTLED) == [Start(2, Cause.CHANGE)]


def test_a_change_while_the_command_is_being_started_restarts_it() -> None:
    """I1: it may have read the old file already."""
    play = Play()
    play(Begin())

    assert play(CERTAIN) == [Stop(1, signal.SIGTERM, 5.0)]
    assert play(Started(), SETTLED, Emptied(1)) == [Start(2, Cause.CHANGE)]


def test_an_answer_to_an_earlier_stop_starts_nothing() -> None:
    """I2: only the answer to the last stop is a proof."""
    play = running()
    play(CERTAIN, SETTLED, Emptied(1), Started(), CERTAIN, SETTLED)

    assert play(Emptied(1)) == []
    assert play(Emptied(2)) == [Start(3, Cause.CHANGE)]


def test_postponed_nothing_is_started_before_the_first_change() -> None:
    """--postpone."""
    play = Play(Policy(postpone=True))

    assert play(Begin()) == []
    assert play(CERTAIN) == []
    assert play(SETTLED) == [Start(1, Cause.CHANGE)]


# -- the command ends by itself --------------------------------------------------------------------------------------
def test_a_command_that_exits_is_told_of_and_a_change_is_waited_for() -> None:
    """Its descendants may live on, so they are stopped before the next start."""
    play = running()

    assert play(Exited(3), at=2.0) == [TellExit(3, 2.0, State.IDLE, 0.0)]
    assert play(CERTAIN) == [Stop(1, signal.SIGTERM, 5.0)]
    assert play(SETTLED, Emptied(1)) == [Start(2, Cause.CHANGE)]


def test_on_exit_restart_backs_off_exponentially_and_a_healthy_run_resets_it() -> None:
    """A crash loop does not melt the laptop."""
    play = running(Policy(on_exit=OnExit.RESTART))
    delays = []
    for token in range(1, 11):
        [told] = play(Exited(1))
        assert isinstance(told, TellExit)
        delays.append(told.delay)
        assert play.lifecycle.deadline() == play.now + told.delay
        play(Ticked(), at=play.now + told.delay)
        play(Emptied(token), Started())
    assert delays[:4] == [0.1, 0.2, 0.4, 0.8]
    assert max(delays) == 30.0

    [told] = play(Exited(0), at=play.now + 11.0)
    assert isinstance(told, TellExit)
    assert told.delay == 0.1


def test_a_change_cuts_the_back_off_short() -> None:
    """The fix may be in it."""
    play = running(Policy(on_exit=OnExit.RESTART))
    play(Exited(1))

    assert play(CERTAIN) == [Stop(1, signal.SIGTERM, 5.0)]
    assert play(SETTLED, Emptied(1)) == [Start(2, Cause.CHANGE)]


@pytest.mark.parametrize(("code", "exit_code"), [(0, 0), (3, 3), (-11, 139)])
def test_on_exit_quit_ends_what_is_left_and_gives_the_commands_own_code(code: int, exit_code: int) -> None:
    """128 + N for a signal, as a shell does."""
    play = running(Policy(on_exit=OnExit.QUIT))

    assert play(Exited(code)) == [TellExit(code, 0.0, State.FINISHED, 0.0), Stop(1, signal.SIGTERM, 5.0)]
    assert play(Emptied(1)) == [Finish(exit_code)]


# -- the command cannot be executed ----------------------------------------------------------------------------------
def test_a_command_that_cannot_be_executed_is_told_of_at_once_and_a_change_is_waited_for() -> None:
    """It is not the end."""
    play = Play()
    play(Begin())

    assert play(Failed(errno.ENOENT, fresh=False)) == [TellFailure(errno.ENOENT, State.IDLE)]
    assert play(CERTAIN, SETTLED) == [Start(2, Cause.CHANGE)]


@pytest.mark.parametrize("error", [errno.ENOENT, errno.EACCES, errno.ETXTBSY])
def test_a_binary_that_is_being_rebuilt_is_tried_again_in_silence(error: int) -> None:
    """After 1, 2, 4 ms and so on."""
    play = Play()
    play(Begin())
    for delay in (0.001, 0.002, 0.004):
        assert play(Failed(error, fresh=True)) == []
        assert play.lifecycle.deadline() == pytest.approx(play.now + delay)
        [start] = play(Ticked(), at=play.now + delay)
        assert start == Start(play.lifecycle._run, Cause.RETRY)

    play(Started())
    assert play.lifecycle.state is State.RUNNING


def test_a_binary_that_never_comes_is_told_of_within_200_ms_and_given_up_after_two_seconds() -> None:
    """And then a change is waited for."""
    play = Play()
    actions = play(Begin())
    told_at = []
    while play.lifecycle.state is not State.IDLE:
        actions = play(Failed(errno.ENOENT, fresh=True))
        told_at += [play.now for action in actions if isinstance(action, TellFailure)]
        if (due := play.lifecycle.deadline()) is not None:
            play(Ticked(), at=due)

    assert len(told_at) == 1
    assert told_at[0] <= 0.2
    assert play.now == pytest.approx(2.0, abs=0.06)


@pytest.mark.parametrize(("error", "code"), [(errno.ENOENT, 127), (errno.EACCES, 126)])
def test_on_exit_quit_gives_the_code_of_a_shell_for_what_cannot_be_executed(error: int, code: int) -> None:
    """127: not found, 126: not executable."""
    play = Play(Policy(on_exit=OnExit.QUIT))
    play(Begin())

    assert play(Failed(error, fresh=False)) == [TellFailure(error, State.FINISHED), Finish(code)]


# -- the end of autoreload -------------------------------------------------------------------------------------------
def test_ctrl_c_lets_the_command_end_by_itself_and_a_second_one_kills() -> None:
    """Those in the terminal's group have had the SIGINT; others get the stop signal."""
    play = running()

    assert play(CTRL_C) == [TellEnding(signal.SIGINT, True), Stop(1, signal.SIGTERM, 5.0, from_terminal=True)]
    assert play(CTRL_C) == [Kill(1)]
    assert play(Emptied(1)) == [Finish(0)]


@pytest.mark.parametrize(
    ("number", "passed_on"), [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGHUP), (signal.SIGHUP,) * 2]
)
def test_a_signal_by_kill_ends_it_with_the_stop_signal_but_sigint_is_passed_on(number: int, passed_on: int) -> None:
    """Exit code 0 once the tree is gone."""
    play = running(Policy(stop_signal=signal.SIGHUP))

    [_, stop] = play(Interrupted(number, from_terminal=False))
    assert stop == Stop(1, passed_on, 5.0)
    assert play(Emptied(1)) == [Finish(0)]


def test_a_sigint_passed_on_by_a_parent_is_not_a_second_ctrl_c() -> None:
    """npm and uv send their child what the terminal has sent it already."""
    play = running()
    passed_on = Interrupted(signal.SIGINT, from_terminal=False)
    play(CTRL_C)

    assert play(passed_on, at=0.1) == []
    assert play(passed_on, at=0.7) == [Kill(1)]


def test_hangups_never_kill() -> None:
    """A closed terminal sends several."""
    play = running()
    hangup = Interrupted(signal.SIGHUP, from_terminal=True)

    play(hangup)
    assert play(hangup, hangup) == []


def test_ctrl_c_in_the_middle_of_a_restart_ends_it() -> None:
    """The stop that is under way will do."""
    play = running()

    assert play(CERTAIN, CTRL_C) == [TellEnding(signal.SIGINT, True)]
    assert play(SETTLED) == []
    assert play(Emptied(1)) == [Finish(0)]


def test_with_nothing_to_stop_the_end_comes_at_once() -> None:
    """No empty wait."""
    play = Play(Policy(postpone=True))
    play(Begin())

    assert play(TERM) == [TellEnding(signal.SIGTERM, False), Finish(0)]


def test_what_cannot_be_killed_delays_a_restart_but_not_the_end() -> None:
    """I2 on the one hand; a terminal given back on the other."""
    play = running()
    assert play(CERTAIN, SETTLED, Stuck()) == []
    assert play.lifecycle.state is State.STOPPING

    assert play(TERM) == [TellEnding(signal.SIGTERM, True), Finish(1)]


def test_what_cannot_be_killed_is_told_of_once_so_it_is_remembered() -> None:
    """Whether it is found before the signal or after it."""
    play = running()

    assert play(TERM, Stuck()) == [Finish(1)]


def test_what_a_killed_guard_left_and_cannot_be_killed_does_not_delay_the_end() -> None:
    """It is named while the command is still taken to run, for its successor comes only when all is gone."""
    play = running()

    assert play(Stuck()) == []
    assert play(CTRL_C) == [TellEnding(signal.SIGINT, True), Finish(1)]


def test_a_healthy_run_that_a_change_ended_is_healthy_too() -> None:
    """The next crash is a first one."""
    play = running(Policy(on_exit=OnExit.RESTART))
    for token in (1, 2, 3):
        play(Exited(1))
        play(Ticked(), at=play.now + 30.0)
        play(Emptied(token), Started())
    play(CERTAIN, SETTLED, Emptied(4), Started(), at=play.now + 600.0)

    [told] = play(Exited(1))
    assert isinstance(told, TellExit)
    assert told.delay == 0.1


def test_a_crash_loop_may_last_for_ever() -> None:
    """Half a day of it is over a thousand crashes."""
    play = running(Policy(on_exit=OnExit.RESTART))
    for token in range(1, 2000):
        play(Exited(1))
        play(Ticked(), at=play.now + 30.0)
        play(Emptied(token), Started())

    assert play.lifecycle.state is State.RUNNING


def test_ctrl_c_while_what_an_ended_command_left_is_being_ended_is_answered() -> None:
    """--on-exit quit: the stop is under way; a second Ctrl-C kills."""
    play = running(Policy(on_exit=OnExit.QUIT))
    play(Exited(3))

    assert play(CTRL_C) == [TellEnding(signal.SIGINT, True)]
    assert play(CTRL_C) == [Kill(1)]
    assert play(Emptied(1)) == [Finish(3)]


def test_a_killed_guard_is_followed_by_a_new_start() -> None:
    """The runner has ended what it left."""
    play = running()

    assert play(GuardLost()) == [Start(2, Cause.GUARD)]


def test_a_guard_killed_while_stopping_has_answered() -> None:
    """What it kept is dead: the restart goes on, the end comes."""
    restarting = running()
    assert restarting(CERTAIN, SETTLED, GuardLost()) == [Start(2, Cause.CHANGE)]

    ending = running()
    assert ending(TERM, GuardLost()) == [Finish(0)]


# -- the table -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("happened", get_args(life.Input))
def test_every_input_means_something_in_some_state(happened: type) -> None:
    """No dead input."""
    assert any(key[1] is happened for key in life._TABLE)


def test_nothing_follows_the_end() -> None:
    """A finished lifecycle is deaf."""
    assert not any(state is State.FINISHED for state, _ in life._TABLE)
