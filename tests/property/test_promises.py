"""I1 (never stale) and I2 (never two) on random traces, at any instant of a start or a stop."""

from __future__ import annotations

import itertools
import signal
from functools import partial
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from autoreload.core import lifecycle as life
from autoreload.core.change import Kind
from tests.property.world import World

Trace = list[tuple[float, tuple[Any, ...]]]

DELAY = st.sampled_from([0.0, 0.0001, 0.001, 0.003, 0.005, 0.0051, 0.02, 0.1, 0.3, 1.0, 4.0])
FILES = st.sampled_from("abc")
HAPPENINGS = st.one_of(
    st.tuples(st.just("change"), FILES),
    st.tuples(st.just("change"), FILES),
    st.tuples(st.just("change"), FILES),
    st.tuples(st.sampled_from(["vanish", "open", "modify", "move in"]), FILES),
    st.tuples(st.just("vanish"), FILES),
    st.tuples(st.sampled_from(["again", "back"]), FILES),
    st.tuples(st.just("exit"), st.sampled_from([0, 1, -11]), st.booleans()),
    st.tuples(st.just("guard"), st.none()),
    st.tuples(st.just("git"), st.booleans()),
)
TRACES = st.lists(st.tuples(DELAY, HAPPENINGS), min_size=1, max_size=40)
POLICIES = st.builds(
    life.Policy,
    on_exit=st.sampled_from([life.OnExit.WAIT, life.OnExit.RESTART]),
    postpone=st.booleans(),
)


def play(world: World, trace: Trace) -> None:
    """Let the happenings of a trace come one after the other."""
    kinds = {
        "change": Kind.WRITTEN,
        "vanish": Kind.VANISHED,
        "open": Kind.OPENED,
        "modify": Kind.MODIFIED,
        "move in": Kind.APPEARED,
    }
    moment = 0.0
    for delay, (what, *details) in trace:
        moment += delay
        if what == "exit":
            world.later(moment, partial(world.command_exits, *details))
        elif what == "again":
            world.later(moment, partial(world.save_again, details[0]))
        elif what == "back":
            world.later(moment, partial(world.change_back, details[0]))
        elif what == "git":
            world.later(moment, partial(world.git, details[0]))
        elif what == "guard":
            world.later(moment, world.guard_is_killed)
        else:
            world.later(moment, partial(world.change, details[0], kinds[what]))
    world.later(0.0, lambda: world.handle(life.Begin()))


@given(trace=TRACES, policy=POLICIES, starts=st.lists(DELAY, min_size=1), stops=st.lists(DELAY, min_size=1))
@settings(max_examples=500, deadline=None)
@example(  # all is undone when the stop is over and the burst is not
    trace=[(1.0, ("change", "a")), (0.001, ("change", "b")), (0.02, ("back", "a")), (0.0, ("back", "b"))],
    policy=life.Policy(),
    starts=[0.0],
    stops=[0.0],
)
def test_what_runs_in_the_end_was_started_with_what_is_there_in_the_end(
    trace: Trace,
    policy: life.Policy,
    starts: list[float],
    stops: list[float],
) -> None:
    """I1: whatever happens when, the disk is in the end what it was when the command was started last.

    That no start is made beside a living tree (I2) is asserted by the world at every start.
    """
    world = World(policy, itertools.cycle(starts).__next__, itertools.cycle(stops).__next__)

    play(world, trace)
    world.run(until=10_000.0)

    assert not world.stopped, "stopped, and not started again"
    if world.seen is not None or world.disk != dict.fromkeys("abc", 0):
        assert world.seen == world.disk


@given(
    trace=TRACES,
    policy=POLICIES,
    starts=st.lists(DELAY, min_size=1),
    stops=st.lists(DELAY, min_size=1),
    ends=st.lists(
        st.tuples(DELAY, st.sampled_from([signal.SIGINT, signal.SIGTERM, signal.SIGHUP]), st.booleans()), min_size=1
    ),
)
@settings(max_examples=300, deadline=None)
def test_asked_to_end_it_ends_with_nothing_left(
    trace: Trace,
    policy: life.Policy,
    starts: list[float],
    stops: list[float],
    ends: list[tuple[float, signal.Signals, bool]],
) -> None:
    """I3: a signal at any instant leads to an end with exit code 0 and an empty tree, and no start comes after it."""
    world = World(policy, itertools.cycle(starts).__next__, itertools.cycle(stops).__next__)
    play(world, trace)
    for delay, number, from_terminal in ends:
        world.later(delay, partial(world.handle, life.Interrupted(number, from_terminal)))

    world.run(until=10_000.0)

    assert world.exit_code == 0
    assert world.lifecycle.state is life.State.FINISHED


@given(gaps=st.lists(st.floats(0.0, 0.004), min_size=1, max_size=300), stop=DELAY)
@settings(max_examples=100, deadline=None)
def test_a_burst_is_one_restart(gaps: list[float], stop: float) -> None:
    """I5: however many saves of however many files, less than the quiet time apart, there is one start for them."""
    world = World(life.Policy(), lambda: 0.001, lambda: stop)
    world.handle(life.Begin())
    world.run(until=5.0)
    for moment, path in zip(itertools.accumulate(gaps), itertools.cycle("abcdefg")):
        world.later(5.0 + moment, partial(world.change, path))

    world.run()

    assert len(world.started_at) == 2


@given(gaps=st.lists(st.floats(0.0, 0.45), min_size=1, max_size=60), stop=DELAY)
@settings(max_examples=100, deadline=None)
def test_a_checkout_is_one_restart(gaps: list[float], stop: float) -> None:
    """I5: while Git holds its lock, pauses of almost half a second do not end the burst."""
    world = World(life.Policy(), lambda: 0.001, lambda: stop)
    world.handle(life.Begin())
    world.run(until=5.0)
    world.later(5.0, partial(world.git, True))
    for moment, path in zip(itertools.accumulate(gaps), itertools.cycle("abc")):
        world.later(5.0 + moment, partial(world.change, path))
    world.later(5.0 + sum(gaps), partial(world.git, False))

    world.run()

    assert len(world.started_at) == 2


@given(gaps=st.lists(DELAY, min_size=1, max_size=30), stop=DELAY)
@settings(max_examples=100, deadline=None)
def test_saves_that_change_nothing_restart_nothing(gaps: list[float], stop: float) -> None:
    """I5: however many there are, of however many files."""
    world = World(life.Policy(), lambda: 0.001, lambda: stop)
    world.handle(life.Begin())
    for moment, path in zip(itertools.accumulate(gaps), itertools.cycle("abc")):
        world.later(moment, partial(world.save_again, path))

    world.run()

    assert len(world.started_at) == 1
