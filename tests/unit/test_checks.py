"""What stands between the debounce and the lifecycle."""

from __future__ import annotations

from collections.abc import Iterable
from unittest.mock import Mock

from autoreload.checks import LONGEST_SEARCH, Checks
from autoreload.core.change import Change, Kind
from autoreload.core.debounce import Debounce, Phase
from autoreload.git import NOT_AT_WORK, AtWork


def burst() -> Checks:
    """Two files that changed at 1 s."""
    debounce = Debounce()

    def nothing(paths: Iterable[str], now: int) -> AtWork:
        return NOT_AT_WORK

    checks = Checks(debounce, lambda change, why: None, Mock(), nothing)
    for path in "ab":
        debounce.add(Change(Kind.APPEARED, path, synthesized=True), 1.0)
    return checks


def test_while_there_may_be_more_to_be_found_nothing_is_stopped() -> None:
    """Nor is anything started."""
    checks = burst()
    assert checks.look(1.5, committed=False, running=True, searching=True) is Phase.CHANGING
    assert checks.look(1.6, committed=False, running=True, searching=False) is Phase.SETTLED


def test_a_search_without_an_end_is_not_awaited() -> None:
    """It may be of a file system that does not answer."""
    checks = burst()
    checks.look(1.5, committed=False, running=True, searching=True)
    assert checks.look(1.5 + LONGEST_SEARCH - 0.1, committed=False, running=True, searching=True) is Phase.CHANGING
    assert checks.look(1.5 + LONGEST_SEARCH, committed=False, running=True, searching=True) is Phase.SETTLED


def test_what_was_stopped_is_started_though_there_may_be_more() -> None:
    """Each start begins anew."""
    checks = burst()
    assert checks.look(1.5, committed=True, running=True, searching=True) is Phase.SETTLED
    checks.started()
    assert checks.phase is Phase.QUIET
