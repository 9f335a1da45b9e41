"""What is prepared serves one start only: for the same changes, by a snapshot that may still serve."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import pytest

from autoreload.warm.chain import Snapshot
from autoreload.warm.overlap import Overlap


class Stream:
    """Of a snapshot: keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[Any, ...]] = []

    def send(self, *message: Any) -> bool:
        """To the snapshot."""
        self.sent.append(message)
        return True


class Case:
    """Three snapshots, and files that can change."""

    def __init__(self) -> None:
        self.streams = [Stream() for _ in range(3)]
        self.snapshots = [Snapshot(cast("Any", stream)) for stream in self.streams]
        for depth, snapshot in enumerate(self.snapshots):
            snapshot.facts = {"depth": depth}
        self.versions: dict[str, int] = {}
        self.is_up_to_date = True
        self.overlap = Overlap(self.signatures, lambda snapshot, pid, since: self.is_up_to_date)

    def signatures(self, paths: Iterable[str]) -> dict[str, object]:
        """Of the files as they are."""
        return {path: self.versions.get(path, 0) for path in paths}

    def begin(self, *depths: int, paths: Iterable[str] = ("a",)) -> int:
        """The number that the first was asked under."""
        self.overlap.begin([self.snapshots[depth] for depth in depths], {}, paths)
        return int(self.streams[depths[0]].sent[-1][1]["number"])

    def take(self, *depths: int, paths: Iterable[str] = ("a",)) -> tuple[list[int], bool]:
        """Who is to be asked for the start, and is the first to release?"""
        asked, releases = self.overlap.take([self.snapshots[depth] for depth in depths], paths)
        return [one.depth for one in asked], releases


@pytest.fixture
def case() -> Case:
    """Nothing is prepared."""
    return Case()


def test_without_it_all_candidates_are_asked(case: Case) -> None:
    """In their order."""
    assert case.take(2, 1) == ([2, 1], False)


def test_what_is_prepared_for_the_same_changes_is_released(case: Case) -> None:
    """And if it has died, the others are asked."""
    case.overlap.prepared(case.begin(1), 7)

    assert case.take(1, 0) == ([1, 0], True)
    assert not case.overlap


@pytest.mark.parametrize("paths", [("a", "b"), ("b",), ()])
def test_for_other_changes_it_is_not(case: Case, paths: tuple[str, ...]) -> None:
    """Its snapshot is asked to resume, which ends it."""
    case.overlap.prepared(case.begin(1), 7)

    assert case.take(1, 0, paths=paths) == ([1, 0], False)


def test_if_a_file_has_changed_again_it_is_not(case: Case) -> None:
    """It may have read what is no longer there."""
    case.overlap.prepared(case.begin(1), 7)
    case.versions["a"] = 1

    assert case.take(1, 0) == ([1, 0], False)


def test_if_something_else_that_it_read_has_changed_it_is_not(case: Case) -> None:
    """The old program wrote it as it ended."""
    case.overlap.prepared(case.begin(1), 7)
    case.is_up_to_date = False

    assert case.take(1, 0) == ([1, 0], False)


def test_if_its_snapshot_may_no_longer_serve_it_is_not(case: Case) -> None:
    """The old program changed, as it ended, something that was used."""
    case.overlap.prepared(case.begin(1), 7)

    assert case.take(0) == ([0], False)


def test_nobody_below_it_is_asked(case: Case) -> None:
    """They would not end it: it is no child of theirs."""
    case.overlap.prepared(case.begin(1), 7)
    case.versions["a"] = 1

    assert case.take(2, 1) == ([1], False)
    case.overlap.prepared(case.begin(1), 7)
    case.versions["a"] = 2
    assert case.take(2) == ([], False)


def test_one_that_has_not_answered_is_not_relied_on(case: Case) -> None:
    """Nor is an answer to what was asked before."""
    old = case.begin(1)
    case.begin(1)
    case.overlap.prepared(old, 7)

    assert case.take(1) == ([1], False)


def test_a_snapshot_in_the_middle_of_the_changed_file_leaves_it_to_the_next(case: Case) -> None:
    """As for any start."""
    number = case.begin(2, 1)

    assert not case.overlap.unprepared(number, "a")
    case.overlap.prepared(case.streams[1].sent[-1][1]["number"], 7)
    assert case.take(2, 1) == ([1], True)


def test_where_it_cannot_be_known_what_it_does_nobody_is_asked(case: Case) -> None:
    """It would take longer from further up."""
    assert case.overlap.unprepared(case.begin(2, 1), "")

    assert not case.streams[1].sent
    assert case.take(2, 1) == ([2, 1], False)


def test_what_is_begun_anew_ends_what_was_prepared(case: Case) -> None:
    """Also if another snapshot serves now."""
    case.overlap.prepared(case.begin(2), 7)
    case.begin(1, paths=("a", "b"))

    assert case.streams[2].sent[-1] == ("discard",)


def test_it_ends_with_its_snapshot(case: Case) -> None:
    """Another one makes no difference."""
    case.begin(1)
    case.overlap.gone(case.snapshots[2])
    assert case.overlap

    case.overlap.gone(case.snapshots[1])

    assert not case.overlap
