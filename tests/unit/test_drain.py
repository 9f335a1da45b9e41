"""Which connections still owe an answer, and how long a stop waits for them."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from autoreload.core.drain import AGAIN, FIRST_BYTE, LONGEST, SPOKE_JUST_NOW, Drain, owes


class One(NamedTuple):
    """A connection that was accepted, asked something and has had its answer a second ago."""

    is_accepted: bool = True
    unread: int = 0
    unacknowledged: int = 0
    since_sent: int = 1000
    since_received: int = 1010
    has_asked: bool = True
    has_answered: bool = True


IDLE = One()
ASKED = One(since_sent=2000, since_received=10)


@pytest.mark.parametrize(
    ("connection", "it_does"),
    [
        (IDLE, False),
        (ASKED, True),
        (One(unread=1), True),
        (One(unacknowledged=1), True),
        (One(has_answered=False, since_sent=0), True),
        (One(since_sent=SPOKE_JUST_NOW - 1), True),
        (One(since_sent=SPOKE_JUST_NOW, since_received=SPOKE_JUST_NOW), False),
        (One(has_asked=False, has_answered=False, since_received=FIRST_BYTE - 1), True),
        (One(has_asked=False, has_answered=False, since_received=FIRST_BYTE), False),
        (One(is_accepted=False, unread=1), False),
    ],
)
def test_who_is_owed_an_answer(connection: One, it_does: bool) -> None:
    """Not who waits in the queue, nor an idle one: keep-alive, a WebSocket, one that was opened to be used later."""
    assert owes(connection) is it_does


def test_nobody_is_waited_for_where_nobody_is_owed() -> None:
    """At the first look, if nothing can come."""
    assert Drain(0.0, is_sure=True).is_over([IDLE], 0.0)


def test_where_it_may_accept_one_more_two_quiet_looks_are_needed() -> None:
    """One after the other."""
    drain = Drain(0.0, is_sure=False)
    assert not drain.is_over([], 0.0)
    assert not drain.is_over([ASKED], AGAIN)
    assert not drain.is_over([], 2 * AGAIN)
    assert drain.is_over([], 3 * AGAIN)


def test_it_does_not_wait_for_ever() -> None:
    """Three seconds."""
    drain = Drain(10.0, is_sure=True)
    assert not drain.is_over([ASKED], 10.0)
    assert not drain.is_over([ASKED], 10.0 + LONGEST - 0.01)
    assert drain.is_over([ASKED], 10.0 + LONGEST)
