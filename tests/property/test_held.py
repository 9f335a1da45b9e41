"""Whatever a command binds and closes, in whatever order: no socket has two owners, none is in the way of another."""

from __future__ import annotations

import itertools
from socket import AF_INET, AF_INET6, AF_UNIX

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from autoreload.core.held import SWEEP, Held, Wish, collide

FOUR = st.builds(
    Wish,
    st.just(AF_INET),
    st.sampled_from(["127.0.0.1", "127.0.0.2", "0.0.0.0"]),
    st.sampled_from([1, 2]),
    shared=st.booleans(),
)
SIX = st.builds(
    Wish,
    st.just(AF_INET6),
    st.sampled_from(["::1", "::"]),
    st.sampled_from([1, 2]),
    only_six=st.booleans(),
    shared=st.booleans(),
)
UNIX = st.builds(Wish, st.just(AF_UNIX), path=st.sampled_from(["/a", "/b"]))
WISHES = st.one_of(FOUR, SIX, UNIX)


class Commands(RuleBasedStateMachine):
    """One command after the other; a kernel that knows what is bound to what."""

    def __init__(self) -> None:
        super().__init__()
        self.held = Held()
        self.now = 0.0
        self.wishes: dict[int, Wish] = {}
        """Of each socket that is bound: held by us, open in the command, or both."""
        self.ours: set[int] = set()
        self.listening: set[int] = set()
        self.open: set[int] = set()
        self.on_its_way: set[int] = set()
        self.numbers = itertools.count(1)

    # -- facts ---------------------------------------------------------------------------------------------------------
    def listens(self, number: int) -> bool:
        """Has listen been called?"""
        return number in self.listening

    def is_open(self, number: int) -> bool:
        """Has the command got it?"""
        return number in self.open

    # -- what happens --------------------------------------------------------------------------------------------------
    @initialize(wishes=st.lists(WISHES, max_size=2))
    def we_listen(self, wishes: list[Wish]) -> None:
        """--listen."""
        for wish in wishes:
            if not any(collide(wish, other) for other in self.wishes.values()):
                number = next(self.numbers)
                self.held.keep(number, wish, is_ours=True)
                self.wishes[number] = wish
                self.ours.add(number)
                self.listening.add(number)
        self.held.starting()

    @rule(wish=WISHES, listens=st.booleans(), arrives=st.booleans())
    def bind(self, wish: Wish, listens: bool, arrives: bool) -> None:
        """The command binds; perhaps it listens."""
        idle = set(self.wishes) - self.open - self.on_its_way
        give, release = self.held.binding(wish, self)
        self.forget(release)
        if give is not None:
            assert give in idle
            assert give in self.listening
            assert self.wishes[give].place == wish.place
            self.wishes[give] = wish
            (self.open if arrives else self.on_its_way).add(give)
            if arrives:
                self.held.arrived(give)
            return
        in_the_way = [number for number, other in self.wishes.items() if collide(other, wish)]
        assert all(number in self.open | self.on_its_way | self.ours for number in in_the_way)
        if not in_the_way:
            number = next(self.numbers)
            self.held.keep(number, wish)
            self.wishes[number] = wish
            self.open.add(number)
            if listens:
                self.listening.add(number)

    @precondition(lambda self: self.on_its_way)
    @rule(dies=st.booleans())
    def arrive(self, dies: bool) -> None:
        """What was on its way is there, or who it was for is dead."""
        number = min(self.on_its_way)
        self.on_its_way.discard(number)
        if not dies:
            self.open.add(number)
        self.held.arrived(number)

    @precondition(lambda self: self.open)
    @rule()
    def close(self) -> None:
        """The command closes one."""
        number = min(self.open)
        self.open.discard(number)
        self.forget((*self.held.closed(number, self), *({number} - self.kept())))

    @rule()
    def serve(self) -> None:
        """It is ready."""
        self.held.ready(self.now)

    @rule(seconds=st.sampled_from([0.1, SWEEP]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds
        due = self.held.deadline()
        if due is not None and self.now >= due:
            self.forget(self.held.sweep(self.now, self))
            # What is held now, the command has; or it is ours.
            assert set(self.wishes) <= self.open | self.on_its_way | self.ours
            assert self.held.deadline() is None

    @rule()
    def restart(self) -> None:
        """It is stopped; the next one starts with nothing open."""
        self.forget(self.held.stopping(self))
        listening = set(self.wishes) & self.listening
        for number in sorted(self.on_its_way):
            self.held.arrived(number)
        for number in sorted(self.open):
            self.open.discard(number)
            assert self.held.closed(number, self) == ()
            self.forget(tuple({number} - self.kept()))
        self.on_its_way.clear()
        self.held.starting()
        assert set(self.wishes) == listening

    def kept(self) -> set[int]:
        """What is held."""
        return {number for number in self.wishes if number in self.held}

    def forget(self, released: tuple[int, ...]) -> None:
        """These are closed here."""
        assert not set(released) & self.ours
        for number in released:
            assert number not in self.held
            if number in self.wishes and number not in self.open:
                del self.wishes[number]
                self.listening.discard(number)

    @invariant()
    def what_is_bound_is_held(self) -> None:
        """Nothing is forgotten: it would be closed by nobody."""
        assert all(number in self.held or number in self.open for number in self.wishes)


TestCommands = Commands.TestCase
TestCommands.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)
