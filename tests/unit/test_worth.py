"""A program whose child processes do the work is started as without --warm."""

from __future__ import annotations

import os

import pytest

from autoreload.warm.worth import Worth, saves_nothing

USED = {"/main.py", "/conf.py"}


@pytest.mark.parametrize(
    ("age", "seconds", "has_children", "answer"),
    [
        (0.0, 1.0, True, True),
        (0.1, 1.0, True, True),
        (0.2, 1.0, True, False),
        (0.0, 1.0, False, False),
        (0.0, None, True, False),
    ],
)
def test_a_snapshot_of_the_beginning_saves_nothing(
    age: float, seconds: float | None, has_children: bool, answer: bool
) -> None:
    """If it is known how long a start takes, and what follows is done by others."""
    assert saves_nothing(age, seconds, has_children) is answer


@pytest.fixture
def worth() -> Worth:
    """Of a program with a child."""
    it = Worth()
    it.rested(os.getppid(), 1.0)  # it has this process
    return it


def test_it_is_started_without_snapshots_until_it_changes_itself(worth: Worth) -> None:
    """The files of its children make no difference."""
    assert worth.is_in_vain(0.0, ["/leaf.py"], USED)
    assert worth.is_in_vain(None, ["/other.py"], ())
    assert worth.gives_up

    assert not worth.is_in_vain(None, ["/other.py", "/conf.py"], ())
    assert not worth.is_in_vain(None, ["/other.py"], ())
    assert not worth.gives_up


@pytest.mark.parametrize("changed", [["/main.py"], ["/settings.toml"], None])
def test_it_has_another_try(worth: Worth, changed: list[str] | None) -> None:
    """Where it may be another program: data files may be read by anybody."""
    assert not worth.is_in_vain(0.0, changed, USED)
    assert worth.is_in_vain(0.0, ["/leaf.py"], USED)
    assert not worth.is_in_vain(None, changed, ())


def test_a_program_that_does_its_work_itself_keeps_its_snapshots() -> None:
    """Control."""
    it = Worth()
    it.rested(0, 1.0)
    assert not it.is_in_vain(0.0, ["/leaf.py"], USED)
