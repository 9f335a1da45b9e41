"""Which held socket is given back at which bind, and when one is released.

Pure: what the kernel knows of the sockets and of the command's processes is asked through `Facts`; `now` is monotonic
seconds. Whoever carries it out keeps a duplicate of each socket under the number that it has here.

A socket is kept when the command binds it (not when it listens: servers that listen in C bind through Python too). It
is given back at the next bind that wants the same, if the command has it no longer: what it has open is its own, and
then bind(2) fails as it would without us. What stands in the way of another bind is released first, and what the new
code has not taken back a while after it is ready is released then.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

SWEEP = 1.5
"""Seconds after the command is ready: what it has not taken back by then it does not want."""
ABANDONED = 5.0
"""Seconds after a process of the command has ended: what nobody has by then nobody is coming back for. A reloader of
the command's own takes less."""
ANYWHERE = ("0.0.0.0", "::")


class Wish(NamedTuple):
    """What a bind(2) wants."""

    family: int
    """AF_INET, AF_INET6, AF_UNIX."""
    host: str = ""
    """An address, never a name."""
    port: int = 0
    path: str = ""
    """Of a Unix socket: absolute."""
    protocol: int = 0
    only_six: bool = False
    """IPV6_V6ONLY: an IPv6 socket that leaves IPv4 to others."""
    shared: bool = False
    """SO_REUSEPORT: several sockets may have the same address."""

    @property
    def place(self) -> tuple[object, ...]:
        """What must be the same for one socket to stand for another. Whether it may be shared need not."""
        return (self.family, self.host, self.port, self.path, self.protocol, self.only_six)

    @property
    def can_be_held(self) -> bool:
        """A port that the kernel chooses is another each time, and an abstract name ends with its socket."""
        return bool(self.port or (self.path and not self.path.startswith("\0")))


class Facts(Protocol):
    """What is so at this moment. A number is that of a held socket."""

    def listens(self, number: int) -> bool:
        """Has listen(2) been called?"""

    def is_open(self, number: int) -> bool:
        """Has a process of the command got it?"""


class Decision(NamedTuple):
    """What to do about a bind."""

    give: int | None = None
    """The held socket that takes the place of the new one; None: let it bind, and keep it."""
    release: tuple[int, ...] = ()
    """To be closed before that."""


class _Socket(NamedTuple):
    wish: Wish
    run: int
    """Of the start that bound it, or was given it last."""
    is_ours: bool = False
    """Did somebody ask autoreload itself for it? Then it is never released."""
    is_on_its_way: bool = False
    """A descriptor that is in a message is in no process; two must not get it."""
    was_given: bool = False
    """Is it from before this start?"""


class Held:
    """The table of held sockets."""

    def __init__(self) -> None:
        self._sockets: dict[int, _Socket] = {}
        self._run = 0
        self._is_ready = self._is_stopping = False
        self._sweep_at: float | None = None

    def __contains__(self, number: int) -> bool:
        return number in self._sockets

    # -- the life of the command ---------------------------------------------------------------------------------------
    def starting(self) -> None:
        """The command is about to be started."""
        self._run += 1
        self._is_ready = self._is_stopping = False
        self._sweep_at = None

    def ready(self, now: float) -> None:
        """It serves."""
        if not self._is_ready and not self._is_stopping:
            self._is_ready, self._sweep_at = True, now + SWEEP

    def stopping(self, facts: Facts) -> tuple[int, ...]:
        """It is about to be asked to end. What need not be held over that."""
        self._is_stopping, self._sweep_at = True, None
        return self._release(number for number, held in self._theirs() if not facts.listens(number))

    def deadline(self) -> float | None:
        """When `sweep` wants to be called; None: no need."""
        return self._sweep_at

    def sweep(self, now: float, facts: Facts) -> tuple[int, ...]:
        """What the command does not want, if it is time to say so."""
        if self._sweep_at is None or now < self._sweep_at:
            return ()
        self._sweep_at = None
        return self._release(number for number, held in self._theirs() if _is_idle(number, held, facts))

    # -- what it does --------------------------------------------------------------------------------------------------
    def keep(self, number: int, wish: Wish, is_ours: bool = False) -> None:
        """This socket is held from now on. `is_ours`: until the end, and from before the first start."""
        self._sockets[number] = _Socket(wish, 0 if is_ours else self._run, is_ours=is_ours)

    def binding(self, wish: Wish, facts: Facts) -> Decision:
        """A process of the command is about to bind. What it is given is on its way until `arrived`."""
        idle = {number: held for number, held in self._sockets.items() if _is_idle(number, held, facts)}
        fit = (number for number, held in idle.items() if held.wish.place == wish.place and facts.listens(number))
        given = next(fit, None)
        in_the_way = [
            number for number, held in idle.items() if number != given and not held.is_ours and collide(held.wish, wish)
        ]
        if given is not None:
            held = self._sockets[given]
            self._sockets[given] = held._replace(wish=wish, run=self._run, is_on_its_way=True, was_given=True)
        return Decision(given, self._release(in_the_way))

    def wish(self, number: int) -> Wish:
        """What it was bound by."""
        return self._sockets[number].wish

    def drop(self, number: int) -> tuple[int, ...]:
        """Another one takes its place."""
        return self._release([number])

    def arrived(self, number: int) -> None:
        """Whoever was given it has it now, or is dead."""
        if number in self._sockets:
            self._sockets[number] = self._sockets[number]._replace(is_on_its_way=False)

    def closed(self, number: int, facts: Facts) -> tuple[int, ...]:
        """A process of the command has closed it. Of one that was given back, and before it serves, that may have been
        a probe, and other programs are to see the address taken; so it is kept until the sweep. While it is being
        stopped, that is what we are for."""
        held = self._sockets.get(number)
        if held is None or held.is_ours or self._is_stopping or facts.is_open(number):
            return ()
        is_free = self._is_ready or not held.was_given or not facts.listens(number)
        return self._release([number]) if is_free else ()

    def no_listener(self, number: int, facts: Facts) -> tuple[int, ...]:
        """The command will not listen there: bind(2) has failed, or it has connected to somebody, who would not hear
        of the end of the connection as long as we hold it, too."""
        held = self._sockets.get(number)
        return () if held is None or held.is_ours or facts.listens(number) else self._release([number])

    def lost(self, now: float) -> None:
        """A process of the command that had bound something, or accepted, has ended; the command goes on."""
        if self._is_ready and not self._is_stopping and self._sweep_at is None:
            self._sweep_at = now + ABANDONED

    def left(self, facts: Facts) -> tuple[int, ...]:
        """The command has ended by itself: of what it had, only that in which clients may wait is held on, until the
        next start."""
        self._is_stopping, self._sweep_at = True, None
        return self._release(number for number, held in self._theirs() if not facts.listens(number))

    def keeps_path(self, path: str, facts: Facts) -> bool:
        """Is this the path of a held Unix socket, which must not be removed? Servers remove it before they bind and
        after they have closed."""
        return any(
            held.wish.path == path
            and facts.listens(number)
            and (held.is_ours or self._is_stopping or held.run != self._run)
            for number, held in self._sockets.items()
        )

    def end(self) -> tuple[int, ...]:
        """The command has ended, and is not to be started again. What somebody asked us for is held even so."""
        return self._release(number for number, held in self._theirs())

    # -- inside --------------------------------------------------------------------------------------------------------
    def _theirs(self) -> Iterable[tuple[int, _Socket]]:
        return ((number, held) for number, held in self._sockets.items() if not held.is_ours)

    def _release(self, numbers: Iterable[int]) -> tuple[int, ...]:
        released = tuple(numbers)
        for number in released:
            del self._sockets[number]
        return released


def _is_idle(number: int, held: _Socket, facts: Facts) -> bool:
    """Is it in nobody's hands but ours?"""
    return not held.is_on_its_way and not facts.is_open(number)


def collide(one: Wish, other: Wish) -> bool:
    """Can bind(2) not have both?"""
    if one.path or other.path:
        return one.path == other.path
    if one.port != other.port or (one.shared and other.shared):
        return False
    if one.family == other.family:
        return one.host == other.host or one.host in ANYWHERE or other.host in ANYWHERE
    # IPv6 meets IPv4 only where `::` takes both.
    six, four = (one, other) if ":" in one.host else (other, one)
    return six.host == "::" and not six.only_six and four.host != ""
