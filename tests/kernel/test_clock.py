"""The clock was set back while a backend took its first look."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernel.mirror import MAKERS, Mirror, maker, quiet_moment

HOUR = 3_600 * 10**9


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("told", [False, True], ids=["control", "told"])
def test_what_changed_since_the_clock_was_set_back_is_found(tmp_path: Path, name: str, told: bool) -> None:
    """Its time is an hour before the moment from which on changes are news: without being told so, nobody would see."""
    make = maker(name)
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "d" / "e" / "old").write_text("1")
    since = quiet_moment()
    (tmp_path / "d" / "e" / "new").write_text("1")
    mirror = Mirror(tmp_path, make=make, since=since + HOUR, settled=False)
    if told:
        mirror.backend.clock_set_back(HOUR)
    mirror.settle()
    assert ("appeared", "d/e/new") in mirror.kinds() or not told
    assert mirror.kinds() == [] or told


@pytest.mark.parametrize("name", MAKERS)
def test_later_it_is_nothing(tmp_path: Path, name: str) -> None:
    """Nothing is told that did not change, and all that does."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_text("1")
    quiet_moment()
    mirror = Mirror(tmp_path, make=maker(name))
    mirror.backend.clock_set_back(1)
    mirror.settle()
    assert mirror.kinds() == []
    (tmp_path / "d" / "f").write_text("22")
    mirror.settle()
    assert {path for _, path in mirror.kinds()} == {"d/f"}
