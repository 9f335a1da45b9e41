"""Which held socket is given back at which bind, and when one is released."""

from __future__ import annotations

from socket import AF_INET, AF_INET6, AF_UNIX, IPPROTO_MPTCP

import pytest

from autoreload.core.held import ABANDONED, SWEEP, Decision, Held, Wish, collide

LOCAL = Wish(AF_INET, "127.0.0.1", 8000)
ANY = Wish(AF_INET, "0.0.0.0", 8000)
LOCAL_SIX = Wish(AF_INET6, "::1", 8000)
DUAL = Wish(AF_INET6, "::", 8000)
ONLY_SIX = DUAL._replace(only_six=True)
OTHER_PORT = LOCAL._replace(port=8001)
SHARED = LOCAL._replace(shared=True)
PATH = Wish(AF_UNIX, path="/run/app.sock")


class Kernel:
    """What is known of sockets 1, 2, ...: those that were kept listen, and are open until the command is dead."""

    def __init__(self) -> None:
        self.open: set[int] = set()
        self.deaf: set[int] = set()

    def listens(self, number: int) -> bool:
        """It does, unless it was said otherwise."""
        return number not in self.deaf

    def is_open(self, number: int) -> bool:
        """In the command."""
        return number in self.open


class Command:
    """A command that binds, under a table of held sockets."""

    def __init__(self) -> None:
        self.held = Held()
        self.kernel = Kernel()
        self._number = 0
        self.held.starting()

    def bind(self, wish: Wish) -> Decision:
        """What becomes of it; the new socket, if it is kept, has the next number."""
        decision = self.held.binding(wish, self.kernel)
        if decision.give is None:
            self._number += 1
            self.held.keep(self._number, wish)
            self.kernel.open.add(self._number)
        else:
            self.held.arrived(decision.give)
            self.kernel.open.add(decision.give)
        self.kernel.open.difference_update(decision.release)
        return decision

    def close(self, number: int) -> tuple[int, ...]:
        """What is released when it closes this."""
        self.kernel.open.discard(number)
        return self.held.closed(number, self.kernel)

    def restart(self) -> None:
        """It is stopped, and closes everything; another one is started."""
        self.held.stopping(self.kernel)
        for number in list(self.kernel.open):
            assert self.close(number) == ()
        self.held.starting()


@pytest.fixture
def command() -> Command:
    """Started once."""
    return Command()


@pytest.mark.parametrize("wish", [LOCAL, ANY, LOCAL_SIX, DUAL, ONLY_SIX, SHARED, PATH], ids=str)
def test_what_is_bound_again_is_given_back(wish: Wish, command: Command) -> None:
    """At each start, and once at each."""
    assert command.bind(wish) == Decision()
    for _ in range(3):
        command.restart()
        assert command.bind(wish) == Decision(1)


@pytest.mark.parametrize(
    "wish",
    [OTHER_PORT, LOCAL_SIX, PATH, LOCAL._replace(host="127.0.0.2")],
    ids=str,
)
def test_another_address_is_another_socket(wish: Wish, command: Command) -> None:
    """Nothing is in the way, so nothing is released yet."""
    command.bind(LOCAL)
    command.restart()
    assert command.bind(wish) == Decision()
    assert 1 in command.held


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (LOCAL, ANY),
        (ANY, LOCAL),
        (LOCAL, DUAL),
        (DUAL, LOCAL),
        (DUAL, ONLY_SIX),
        (ONLY_SIX, DUAL),
        (ANY, DUAL),
        (LOCAL_SIX, ONLY_SIX),
        (LOCAL, LOCAL._replace(protocol=IPPROTO_MPTCP)),
        (SHARED, ANY),
    ],
    ids=str,
)
def test_what_is_in_the_way_is_released(before: Wish, after: Wish, command: Command) -> None:
    """bind(2) cannot have both."""
    command.bind(before)
    command.restart()
    assert command.bind(after) == Decision(release=(1,))
    assert 1 not in command.held


@pytest.mark.parametrize(("before", "after"), [(ONLY_SIX, ANY), (LOCAL, ONLY_SIX), (LOCAL_SIX, LOCAL)], ids=str)
def test_the_two_families_are_not(before: Wish, after: Wish) -> None:
    """Unless `::` takes both."""
    assert not collide(before, after)
    assert not collide(after, before)


def test_what_the_command_has_open_is_its_own(command: Command) -> None:
    """A second bind of the same fails, as it would without us; nothing is released."""
    command.bind(LOCAL)
    assert command.bind(LOCAL) == Decision()
    assert command.bind(ANY) == Decision()
    assert 1 in command.held


class TestSharedAddresses:
    """SO_REUSEPORT: several processes, each with its own socket."""

    def test_each_is_given_one(self, command: Command) -> None:
        """And the fourth binds its own."""
        for _ in range(3):
            command.bind(SHARED)
        command.restart()
        assert [command.bind(SHARED).give for _ in range(4)] == [1, 2, 3, None]

    def test_two_do_not_get_the_same(self, command: Command) -> None:
        """Not even while it is on its way, in nobody's hands; who died on the way has it no longer."""
        command.bind(SHARED)
        command.bind(SHARED)
        command.restart()
        held, kernel = command.held, command.kernel
        assert held.binding(SHARED, kernel).give == 1
        assert held.binding(SHARED, kernel).give == 2
        held.arrived(1)
        assert held.binding(SHARED, kernel).give == 1

    def test_one_that_is_not_shared_any_more_is_alone(self, command: Command) -> None:
        """The others would go on taking their part of the connections."""
        command.bind(SHARED)
        command.bind(SHARED)
        command.restart()
        assert command.bind(LOCAL) == Decision(1, (2,))

    def test_fewer_than_before(self, command: Command) -> None:
        """What is left over is released by the sweep."""
        command.bind(SHARED)
        command.bind(SHARED)
        command.restart()
        command.bind(SHARED)
        command.held.ready(10.0)
        assert command.held.sweep(10.0 + SWEEP, command.kernel) == (2,)


class TestRelease:
    """What nobody wants is not held for ever."""

    def test_what_is_not_taken_back_is_released_a_while_after_it_is_ready(self, command: Command) -> None:
        """Another port in the new code: the old one is refused then."""
        command.bind(LOCAL)
        command.restart()
        command.bind(OTHER_PORT)
        held = command.held
        assert held.deadline() is None
        held.ready(10.0)
        held.ready(11.0)  # it says so again and again
        assert held.deadline() == 10.0 + SWEEP
        assert held.sweep(10.0 + SWEEP - 0.01, command.kernel) == ()
        assert held.sweep(10.0 + SWEEP, command.kernel) == (1,)
        assert held.deadline() is None
        assert 2 in held

    def test_a_restart_before_the_sweep_puts_it_off(self, command: Command) -> None:
        """The new code may want it again."""
        command.bind(LOCAL)
        command.restart()
        command.held.ready(10.0)
        command.restart()
        assert command.held.deadline() is None
        assert command.bind(LOCAL) == Decision(1)

    def test_what_is_closed_while_it_serves_is_released_at_once(self, command: Command) -> None:
        """The port is free for others."""
        command.bind(LOCAL)
        command.held.ready(1.0)
        assert command.close(1) == (1,)
        assert command.close(1) == ()

    def test_not_while_another_process_has_it(self, command: Command) -> None:
        """A worker that ends, one that forked: they close their own."""
        command.bind(LOCAL)
        command.held.ready(1.0)
        assert command.held.closed(1, command.kernel) == ()

    def test_a_probe_is_kept_until_the_sweep(self, command: Command) -> None:
        """Bound and closed before it serves: other programs see it taken. One that never listened is not."""
        command.bind(LOCAL)
        command.restart()
        command.bind(LOCAL)
        assert command.close(1) == ()
        command.bind(OTHER_PORT)
        command.kernel.deaf.add(2)
        assert command.close(2) == (2,)
        assert command.bind(LOCAL) == Decision(1)

    def test_what_was_bound_anew_is_no_probe(self, command: Command) -> None:
        """Others have seen it taken, and free before."""
        command.bind(LOCAL)
        assert command.close(1) == (1,)

    def test_what_will_not_listen_is_released(self, command: Command) -> None:
        """Though the command has it open."""
        command.bind(LOCAL)
        assert command.held.no_listener(1, command.kernel) == ()
        command.kernel.deaf.add(1)
        assert command.held.no_listener(1, command.kernel) == (1,)
        assert command.held.no_listener(1, command.kernel) == ()

    def test_what_a_killed_process_leaves_is_released_a_while_later(self, command: Command) -> None:
        """A worker, of a command that goes on. What somebody has is not."""
        command.bind(LOCAL)
        command.bind(OTHER_PORT)
        command.held.lost(0.0)
        assert command.held.deadline() is None  # it may still bind
        command.held.ready(1.0)
        command.held.sweep(1.0 + SWEEP, command.kernel)
        command.kernel.open.discard(1)
        command.held.lost(10.0)
        assert command.held.sweep(10.0 + ABANDONED, command.kernel) == (1,)
        assert 2 in command.held

    def test_of_a_command_that_ended_by_itself_listeners_are_held(self, command: Command) -> None:
        """Clients may wait there."""
        command.bind(LOCAL)
        command.bind(OTHER_PORT)
        command.kernel.deaf.add(2)
        command.held.ready(1.0)
        command.kernel.open.clear()
        assert command.held.left(command.kernel) == (2,)
        assert command.held.deadline() is None  # those who come later wait there too
        assert command.held.closed(1, command.kernel) == ()

    def test_what_never_listened_is_not_held_over_a_restart(self, command: Command) -> None:
        """There is no queue in which somebody could wait."""
        command.bind(LOCAL)
        command.kernel.deaf.add(1)
        assert command.held.stopping(command.kernel) == (1,)

    def test_at_the_end_everything_is(self, command: Command) -> None:
        """The command ended, and will not be started again."""
        command.bind(LOCAL)
        command.bind(PATH)
        assert command.held.end() == (1, 2)


class TestOurs:
    """What autoreload itself was asked to listen on: --listen."""

    @pytest.fixture
    def ours(self, command: Command) -> Command:
        """Held from before the first start."""
        command.held = Held()
        command.held.keep(9, LOCAL, is_ours=True)
        command.held.starting()
        return command

    def test_it_is_given_at_the_first_start(self, ours: Command) -> None:
        """To a command that binds what it could take as a descriptor."""
        assert ours.bind(LOCAL) == Decision(9)

    def test_it_is_never_released(self, ours: Command) -> None:
        """Whether it is taken, closed, in the way or left over."""
        assert ours.bind(ANY) == Decision()
        ours.held.ready(1.0)
        assert ours.close(9) == ()
        assert ours.held.sweep(9.0, ours.kernel) == ()
        assert ours.held.end() == (1,)
        assert 9 in ours.held


class TestPaths:
    """A held Unix socket keeps its path."""

    def test_a_server_that_removes_it_before_it_binds(self, command: Command) -> None:
        """Only what an earlier run has bound: what it has bound itself it may remove, and what is nobody's."""
        command.bind(PATH)
        assert not command.held.keeps_path(PATH.path, command.kernel)
        command.restart()
        assert command.held.keeps_path(PATH.path, command.kernel)
        assert not command.held.keeps_path("/run/other.sock", command.kernel)
        command.bind(PATH)
        assert not command.held.keeps_path(PATH.path, command.kernel)

    def test_one_that_removes_it_when_it_ends(self, command: Command) -> None:
        """While it is being stopped."""
        command.bind(PATH)
        command.held.stopping(command.kernel)
        assert command.held.keeps_path(PATH.path, command.kernel)


@pytest.mark.parametrize(
    ("wish", "it_can"),
    [(LOCAL, True), (PATH, True), (LOCAL._replace(port=0), False), (Wish(AF_UNIX, path="\0abstract"), False)],
    ids=str,
)
def test_what_can_be_held(wish: Wish, it_can: bool) -> None:
    """A port that the kernel chooses is never wanted again."""
    assert wish.can_be_held is it_can
