"""Has a resumed program come up?"""

from __future__ import annotations

import pytest

from autoreload.warm.arrival import AT_LEAST, DISTRUSTED, Arrival, Wait
from autoreload.warm.fit import is_fit

SERVES = Wait("", 1.0)
LOCKED = Wait("0x7f 0x80", 1.0)
FILE = "/models.py"


@pytest.fixture
def arrival() -> Arrival:
    """A cold start took 3 s, and a file was edited at 100."""
    arrival = Arrival()
    arrival.cold()
    arrival.rested(3.0, SERVES, 3.0)
    arrival.warm([FILE], 100.0)
    return arrival


def test_who_does_nothing_but_wait_for_a_lock_is_given_the_time_of_a_cold_start(arrival: Arrival) -> None:
    """Then it is stuck, and the file is not tried warm for a while."""
    arrival.rested(0.2, LOCKED, 100.3)

    assert arrival.deadline() == 103.0
    assert arrival.is_stuck(LOCKED, 103.0)
    assert arrival.is_distrusted(FILE, 103.0)
    assert arrival.is_distrusted(FILE, 103.0 + DISTRUSTED - 1)
    assert not arrival.is_distrusted(FILE, 103.0 + DISTRUSTED)
    assert not arrival.is_distrusted("/views.py", 104.0)
    assert arrival.deadline() is None


def test_it_must_have_done_nothing_for_a_while(arrival: Arrival) -> None:
    """However short the cold start was."""
    arrival.rested(5.0, LOCKED, 105.0)

    assert arrival.deadline() == 105.0 + AT_LEAST


@pytest.mark.parametrize("later", [SERVES, LOCKED._replace(used=1.001), LOCKED._replace(lock="0x7e 0x80")])
def test_who_has_gone_on_is_healthy(arrival: Arrival, later: Wait) -> None:
    """A thread with a beat, a lock that was released."""
    arrival.rested(0.2, LOCKED, 100.3)

    assert not arrival.is_stuck(later, 103.0)
    assert not arrival.is_distrusted(FILE, 103.0)
    assert arrival.deadline() is None


def test_who_waits_for_something_else_is_left_alone(arrival: Arrival) -> None:
    """A request, a person at a prompt, a debugger, a database."""
    arrival.rested(0.2, SERVES, 100.3)

    assert arrival.deadline() is None


def test_a_program_whose_main_thread_always_waits_for_a_lock_is_left_alone() -> None:
    """One that joins its threads."""
    arrival = Arrival()
    arrival.cold()
    arrival.rested(3.0, LOCKED, 3.0)
    arrival.warm([FILE], 100.0)
    arrival.rested(0.2, LOCKED, 100.3)

    assert arrival.deadline() is None


def test_who_has_never_been_seen_to_come_up_cold_cannot_be_compared() -> None:
    """A program that was busy all the time."""
    arrival = Arrival()
    arrival.cold()
    arrival.rested(None, SERVES, 30.0)
    arrival.warm([FILE], 100.0)
    arrival.rested(0.2, LOCKED, 100.3)

    assert arrival.deadline() is None


@pytest.mark.parametrize(
    ("executable", "command", "fit"),
    [
        ("/usr/bin/python3.11", "python app.py -I", True),
        ("/usr/bin/python3.9", "python -u -X dev -m flask run", True),
        ("/usr/bin/python3.13", "python -c import_app -E", True),
        ("/usr/bin/python3.12", "python -Xutf8 -Wignore app.py", True),
        ("/usr/bin/python3.12", "python -W Ignore app.py", True),
        ("/usr/bin/python3.12", "python", True),
        ("/usr/bin/python3.12", "python -I app.py", False),
        ("/usr/bin/python3.12", "python -uE app.py", False),
        ("/usr/bin/python3.12", "python -W ignore -S app.py", False),
        ("/usr/bin/python3.8", "python app.py", False),
        ("/usr/bin/python3.14", "python app.py", True),
        ("/usr/bin/python3.15", "python app.py", False),
        ("/usr/bin/python3.13t", "python app.py", False),
        ("/usr/bin/pypy3.10", "pypy app.py", False),
        ("/usr/bin/uv", "uv run app.py", False),
        ("/usr/bin/node", "node app.js", False),
    ],
)
def test_for_which_commands_snapshots_can_be_recommended(executable: str, command: str, fit: bool) -> None:
    """Those that would let the runtime in."""
    assert is_fit(executable, command.split()) is fit
