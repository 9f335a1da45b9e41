"""Files that change twice within one step of the clock of their file system. Times and readings are made up."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from autoreload.watch.signature import LARGEST, Signature, compared, fresh, step

SECOND = 1_000_000_000
FAT = 1_700_000_000 * SECOND
FINE = FAT + 123_456_789
NEVER: list[float] = []


def stat_of(path: Path, ctime: int) -> os.stat_result:
    """As it is, but for its times."""
    real = os.stat(path)
    return os.stat_result(tuple(real), {"st_mtime_ns": ctime, "st_ctime_ns": ctime})


def news(path: Path, ctime: int, saves: dict[float, str], looks: list[float]) -> list[float]:
    """The times of those looks that told of a change, if the file was seen first at 0.0, and always has this time."""
    known: Signature | None = None
    told = []
    for now in sorted({0.0, *saves, *looks}):
        if now in saves:
            path.write_text(saves[now])
        info = stat_of(path, ctime)
        if known is None:
            known = fresh(str(path), info, now)
        elif now in looks:
            known, changed = compared(str(path), info, known, now)
            if changed:
                told.append(now)
    return told


@pytest.mark.parametrize(
    ("ctime", "seconds"),
    [(FAT, 2.0), (FAT + 10_000_000, 0.02), (FAT + 1_000_000 * 7, 0.02), (FINE, 0.02)],
    ids=["FAT", "exFAT", "ms", "ns"],
)
def test_how_coarse_a_clock_is_shows_in_its_times(ctime: int, seconds: float) -> None:
    """A whole second: FAT, or an old server. It is never finer than a tick."""
    assert step(ctime) == seconds


def test_a_second_save_within_one_step_is_told(tmp_path: Path) -> None:
    """Size and times are what they were; the content is not. What is saved unchanged is not told."""
    path = tmp_path / "f"
    saves = {0.0: "one", 0.4: "one", 0.8: "two", 1.9: "six"}
    assert news(path, FAT, saves, [0.5, 1.0, 1.5, 2.1, 2.6]) == [1.0, 2.1]


def test_once_a_change_would_show_the_content_is_read_no_more(tmp_path: Path) -> None:
    """Control: on a finer clock, a save that late would have another time."""
    assert news(tmp_path / "f", FINE, {0.0: "one", 0.5: "two"}, [0.1, 0.6]) == NEVER
    assert news(tmp_path / "f", FINE, {0.0: "one", 0.01: "two"}, [0.1, 0.6]) == [0.1]


def test_of_a_large_file_one_more_change_is_told_to_be_safe(tmp_path: Path) -> None:
    """It is not read, as it is looked at again and again."""
    large = "x" * (LARGEST + 1)
    assert news(tmp_path / "f", FAT, {0.0: large}, [0.5, 1.0, 2.0, 2.5]) == [2.0]
