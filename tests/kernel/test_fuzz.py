"""Random scripts by two concurrent writers: nothing is missed, whatever they do. And the control that must fail."""

from __future__ import annotations

import os
import time

import pytest

from autoreload.watch import inotify
from autoreload.watch.forest import Forest
from autoreload.watch.tree import Look, Node
from tests.kernel import fuzz
from tests.kernel.mirror import MAKERS

SCRIPTS = int(os.environ.get("AUTORELOAD_FUZZ_SCRIPTS", "20"))
GAP = 0.0005
"""s between the two steps that must not be exchanged."""


def failures(outcomes: list[fuzz.Outcome]) -> list[fuzz.Outcome]:
    """Those that missed something."""
    return [outcome for outcome in outcomes if outcome.bad]


@pytest.mark.slow
@pytest.mark.timeout(120 + SCRIPTS)
@pytest.mark.parametrize("settled", [True, False], ids=["all seen once", "while starting"])
def test_no_change_is_missed_whatever_two_writers_do(settled: bool) -> None:
    """No file is stale, no directory unwatched, no watch leaked after any script."""
    outcomes = [fuzz.run(seed, settled=settled) for seed in range(1, SCRIPTS + 1)]
    assert not failures(outcomes)


@pytest.mark.slow
@pytest.mark.timeout(120 + SCRIPTS)
@pytest.mark.parametrize("name", ["polling", "auto"])
def test_no_change_is_missed_by_the_others(name: str) -> None:
    """Fanotify has its own, in test_fanotify.py; a part that is polled, in test_limits.py."""
    outcomes = [fuzz.run(seed, make=MAKERS[name], links=name != "auto") for seed in range(3001, 3001 + SCRIPTS // 2)]
    assert not failures(outcomes)


@pytest.mark.slow
@pytest.mark.timeout(120 + SCRIPTS)
def test_no_change_is_missed_when_few_events_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However the events of one operation are torn apart."""
    monkeypatch.setattr(inotify, "BATCH", 512)
    outcomes = [fuzz.run(seed) for seed in range(1001, 1001 + SCRIPTS)]
    assert not failures(outcomes)


@pytest.mark.slow
@pytest.mark.timeout(120 + SCRIPTS)
def test_no_change_is_missed_when_directories_are_looked_at_one_a_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events come in between any two looks of an unfinished scan."""
    monkeypatch.setattr(inotify, "SLICE", 0.0)
    outcomes = [fuzz.run(seed) for seed in range(2001, 2001 + SCRIPTS)]
    assert not failures(outcomes)


@pytest.mark.slow
@pytest.mark.timeout(120 + SCRIPTS)
def test_no_change_is_missed_when_the_queue_overflows(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the lost events would have said is found by looking, with deletions by name."""
    monkeypatch.setattr(inotify, "SLACK", 50_000_000)
    outcomes = [fuzz.run(seed, flood=True) for seed in range(1, 3 + SCRIPTS // 10)]
    assert not failures(outcomes)
    assert any(outcome.overflows for outcome in outcomes)


class Slow(Forest):
    """Watches a directory, then waits, then looks at it."""

    def look(self, node: Node) -> None:
        """After the gap."""
        time.sleep(GAP)
        super().look(node)


class ScansFirst(Forest):
    """Looks at a directory, then waits, then watches it: the mistake."""

    early: dict[str, list[os.DirEntry[str]]]

    def settle(self, parent: Node, name: str, path: str, as_new: Look, leaf: bool = False) -> Node | None:
        """Remember what is in a directory that is not known yet, before it is watched."""
        self.early = getattr(self, "early", {})
        if parent.kid(name) is None:
            try:
                self.early[path] = super()._entries(path)
            except OSError:
                pass
            time.sleep(GAP)
        return super().settle(parent, name, path, as_new, leaf)

    def _entries(self, path: str) -> list[os.DirEntry[str]]:
        early = getattr(self, "early", {}).pop(path, None)
        return super()._entries(path) if early is None else early


@pytest.mark.slow
def test_control_who_scans_before_watching_misses_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scripts find the mistake that they are there to find."""
    monkeypatch.setattr(inotify, "Forest", ScansFirst)
    assert any(fuzz.run(seed).bad for seed in range(1, 31))


@pytest.mark.slow
def test_who_watches_before_scanning_may_take_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same gap in between does no harm the right way round."""
    monkeypatch.setattr(inotify, "Forest", Slow)
    assert not failures([fuzz.run(seed) for seed in range(1, 11)])
