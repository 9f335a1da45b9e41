"""Which connections still owe an answer, and how long a stop waits for them."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from autoreload.core.drain import (
    AGAIN,
    FIRST_BYTE,
    LARGE_PART,
    LONGEST,
    MANY,
    PAUSE,
    SMALL_QUESTION,
    SPOKE_JUST_NOW,
    UNKNOWN_LONGEST,
    Drain,
    owes,
)


class One(NamedTuple):
    """A connection that was accepted, asked something and has had its answer a second ago."""

    is_accepted: bool = True
    unread: int = 0
    unacknowledged: int = 0
    since_sent: int = 1000
    since_received: int = 1010
    has_asked: bool = True
    has_answered: bool = True
    parts: int = 0
    sent: int = 100
    questions: int = 1
    received: int = 200


IDLE = One()
STREAM = One(since_sent=5, since_received=int(LONGEST * 1000), parts=100, sent=100 * (LARGE_PART - 1))
"""An answer that began three seconds ago, and goes on in small parts."""
TALK = One(since_sent=5, since_received=5, questions=MANY, received=MANY * SMALL_QUESTION - 1)
"""On a WebSocket."""
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
        (One(parts=MANY, since_sent=PAUSE - 1), True),
        (One(parts=MANY, since_sent=PAUSE, since_received=PAUSE), False),
        (One(parts=MANY - 1, since_sent=PAUSE - 1), False),
        (STREAM, False),
        (STREAM._replace(unacknowledged=10), False),
        (STREAM._replace(since_received=STREAM.since_received - 1), True),
        (STREAM._replace(sent=100 * LARGE_PART), True),
        (STREAM._replace(parts=MANY - 1), True),
        # It was asked something on a connection that had had a long answer before.
        (STREAM._replace(since_sent=10_000), True),
        (TALK, False),
        (TALK._replace(unread=1), True),
        (TALK._replace(since_sent=6), True),
        (TALK._replace(since_sent=6, unread=1, parts=-MANY), False),
        (TALK._replace(since_sent=6, unread=1, parts=1 - MANY), True),
        (TALK._replace(received=MANY * SMALL_QUESTION), True),
        (TALK._replace(questions=MANY - 1, received=1), True),
    ],
)
def test_who_is_owed_an_answer(connection: One, it_does: bool) -> None:
    """Not who waits in the queue, nor an idle one: keep-alive, a WebSocket, one that was opened to be used later. Nor
    a stream of small messages."""
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


@pytest.mark.parametrize(
    "downloading", [One(unacknowledged=9), One(parts=MANY, sent=MANY * LARGE_PART, since_sent=PAUSE - 1)]
)
def test_a_download_has_the_grace_period(downloading: One) -> None:
    """Not so what is only unanswered, nor many small messages."""
    drain = Drain(10.0, is_sure=True, grace=5.0)
    assert not drain.is_over([downloading, ASKED], 10.0)
    assert not drain.is_over([downloading, ASKED], 10.0 + LONGEST)
    assert not drain.is_over([downloading, ASKED], 14.9)
    assert drain.is_over([downloading, ASKED], 15.0)

    drain = Drain(10.0, is_sure=True, grace=5.0)
    assert not drain.is_over([downloading], 10.0 + LONGEST)
    assert drain.is_over([ASKED, One(parts=MANY, since_sent=9)], 10.0 + LONGEST + AGAIN)


def test_who_may_be_idle_is_waited_for_a_while() -> None:
    """Of a Unix socket nothing else is known."""
    drain = Drain(0.0, is_sure=True)
    assert not drain.is_over([], 0.0, unknown=1)
    assert not drain.is_over([], UNKNOWN_LONGEST - 0.1, unknown=1)
    assert drain.is_over([], UNKNOWN_LONGEST, unknown=1)
    assert Drain(0.0, is_sure=True).is_over([], 0.0, unknown=0)
