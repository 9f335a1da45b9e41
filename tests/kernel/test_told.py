"""Up to which moment everything has been told: what is read of a file before that may be trusted."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from autoreload.linux.clock import changed_from_now, file_time
from autoreload.watch.backend import Root
from autoreload.watch.combined import CombinedBackend
from autoreload.watch.inotify import InotifyBackend
from tests.kernel.mirror import MAKERS, Everything, Maker, maker, quiet_moment, wait_for


@pytest.fixture(params=[*MAKERS, "combined"])
def make(request: pytest.FixtureRequest) -> Maker:
    """Of each backend, and of several at work together."""
    return CombinedBackend if request.param == "combined" else maker(request.param)


def test_a_moment_is_told_of_once_all_before_it_is(make: Maker, tmp_path: Path) -> None:
    """Never sooner; and soon: some time after the moment it is past it."""
    for number in range(300):
        (tmp_path / f"d{number}").mkdir()
        (tmp_path / f"d{number}" / "f").touch()
    backend = make([Root(str(tmp_path))], Everything(), file_time())
    told: set[str] = set()

    def read() -> int:
        told.update(change.path for change in backend.read(time.monotonic() + 3600 * len(told)))
        return backend.told_until()

    for number in (7, 250, 99):
        path = tmp_path / f"d{number}" / "f"
        path.write_text("x")
        changed = quiet_moment()
        while read() < changed:
            pass
        assert str(path) in told
    backend.close()


def test_while_a_folder_waits_to_be_looked_at_nobody_knows(tmp_path: Path) -> None:
    """What is in it has not been told."""
    backend = InotifyBackend([Root(str(tmp_path))], Everything(), file_time())
    assert backend.told_until() == 0
    wait_for(lambda: (backend.read(time.monotonic()), backend.told_until())[1], "the first look")
    (tmp_path.parent / "tree").mkdir()
    for number in range(3000):
        (tmp_path.parent / "tree" / str(number)).mkdir()
    os.rename(tmp_path.parent / "tree", tmp_path / "tree")

    backend.read(time.monotonic())
    assert backend.told_until() == 0
    wait_for(lambda: (backend.read(time.monotonic()), backend.told_until())[1], "the last look")
    backend.close()


def test_no_file_that_changes_later_is_older(tmp_path: Path) -> None:
    """The moment of a start, and the ctime of what changes right after it."""
    file = tmp_path / "file"
    for number in range(300):
        moment = changed_from_now()
        file.write_text(str(number))
        assert file.stat().st_ctime_ns >= moment
        assert moment >= file_time() - 20_000_000


def test_a_file_that_changed_some_milliseconds_ago_is_older(tmp_path: Path) -> None:
    """Five of them pass between a save and the start; as far as the kernel's clock of file times allows."""
    file = tmp_path / "file"
    tick = int(time.clock_getres(5) * 1e9)
    for number in range(30):
        file.write_text(str(number))
        time.sleep(0.005 + 2 * tick / 1e9)
        assert file.stat().st_ctime_ns < changed_from_now()
