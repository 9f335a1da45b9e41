"""Reading files: what makes one the same as before, and what is never waited for."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autoreload.content import LARGEST, SLICE, UNREADABLE, Content, Disk, Entry, Reading, read
from autoreload.core.change import Change, Kind
from autoreload.core.identity import ABSENT
from autoreload.core.table import SIZE

DAY = 86_400_000_000_000


class Everything:
    """Every file counts, but for what is below a folder of that name."""

    def wants_directory(self, path: str) -> bool:
        """All but these."""
        return not path.endswith("/ignored")

    def counts(self, path: str) -> bool:
        """All."""
        return True


class Silent(Disk):
    """Does not say what is in a folder of that name, nor in its files, until it does."""

    answers = False

    def scan(self, folder: str) -> Iterator[Entry] | None:
        """Nobody knows."""
        return None if folder.endswith("/silent") and not self.answers else super().scan(folder)

    def read(self, path: str, by_content: bool = True, expected: bytes = ABSENT) -> Reading:
        """Nor here."""
        return UNREADABLE if "/silent/" in path and not self.answers else super().read(path, by_content, expected)


def known(*roots: Path, disk: Disk | None = None) -> Content:
    """The content of these folders, with a command that was started a day from now, and all known."""
    content = Content(Everything(), [str(root) for root in roots], str(roots[0]), disk)
    start = time.time_ns() + DAY
    content.started(start)
    content.rested(start)
    content.told(start + 1)
    while not content.complete:
        content.work(time.monotonic())
        content.told(start + 1)
    return content


def is_same(content: Content, path: Path) -> bool:
    """After a change of this file was told: is it what it was?"""
    content.heard(Change(Kind.WRITTEN, str(path)))
    same, differs = content.unchanged([str(path)], time.monotonic, time.monotonic() + 60)
    assert differs is (not same)
    return bool(same)


def test_after_a_crash_only_what_had_changed_before_is_compared(tmp_path: Path) -> None:
    """A save after it is meant to try again; a write of the command itself, before it, is not."""
    by_the_command, by_a_person = tmp_path / "made.py", tmp_path / "app.py"
    for file in (by_the_command, by_a_person):
        file.write_text("old")
    content = known(tmp_path)
    content.failed(but=[str(by_the_command)])

    assert is_same(content, by_the_command)
    assert not is_same(content, by_a_person)


def test_what_changes_while_the_command_may_read_it_counts_whatever_it_is_in_the_end(tmp_path: Path) -> None:
    """A file that is written anew is empty for a moment, and who reads it then goes on with that."""
    before, after = tmp_path / "before.py", tmp_path / "after.py"
    for file in (before, after):
        file.write_text("old")
    content = known(tmp_path)
    start = time.time_ns() + 2 * DAY
    content.started(start)
    content.told(start + 1)
    assert not is_same(content, before)

    content.rested(start + 2)
    content.told(start + 2)
    assert not is_same(content, before)
    content.told(start + 3)
    assert is_same(content, after)


def test_an_identity_has_its_size(tmp_path: Path) -> None:
    """The table of identities relies on it."""
    file = tmp_path / "file"
    for text in ("", "text", "x" * LARGEST, "x" * (LARGEST + 1)):
        file.write_text(text)
        for content in (True, False):
            identity = read(str(file), content).identity
            assert identity is not None
            assert len(identity) == SIZE
    assert read(str(tmp_path / "missing")).identity == ABSENT
    assert read(str(file / "below a file")).identity == ABSENT


@pytest.mark.parametrize("size", [0, 1, 5000, LARGEST])
def test_the_same_content_is_the_same_whatever_the_times_say(size: int, tmp_path: Path) -> None:
    """And another one is not, whatever they say."""
    file = tmp_path / "file"
    file.write_bytes(b"x" * size)
    content = known(tmp_path)
    before = file.stat()

    file.unlink()
    file.write_bytes(b"x" * size)
    os.utime(file, (1, 1))
    assert is_same(content, file)

    file.write_bytes(b"x" * (size - 1) + b"y")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not is_same(content, file)


def test_of_a_large_file_time_size_and_inode_are_compared(tmp_path: Path) -> None:
    """Reading it would take too long."""
    file = tmp_path / "file"
    file.write_bytes(b"x" * (LARGEST + 1))
    content = known(tmp_path)
    assert is_same(content, file)

    os.utime(file, (1, 1))
    assert not is_same(content, file)


def test_a_link_is_where_it_leads_and_what_is_there(tmp_path: Path) -> None:
    """Both have to be the same."""
    for name in ("one", "two"):
        (tmp_path / name).write_text("text")
    (tmp_path / "root").mkdir()
    link = tmp_path / "root" / "link"
    link.symlink_to("../one")
    content = known(tmp_path / "root")

    link.unlink()
    link.symlink_to("../one")
    assert is_same(content, link)
    (tmp_path / "one").write_text("next")
    assert not is_same(content, link)
    (tmp_path / "one").write_text("text")
    link.unlink()
    link.symlink_to("../two")
    assert not is_same(content, link)


def test_what_was_not_there_is_the_same_if_it_is_not_there(tmp_path: Path) -> None:
    """Made and removed; and what is ignored is not read."""
    (tmp_path / "ignored").mkdir()
    (tmp_path / "ignored" / "file").write_text("text")
    (tmp_path / "file").write_text("text")
    content = known(tmp_path)

    assert len(content) == 1
    assert is_same(content, tmp_path / "new")
    (tmp_path / "newer").write_text("")
    assert not is_same(content, tmp_path / "newer")
    (tmp_path / "file").unlink()
    assert not is_same(content, tmp_path / "file")


def fifo(path: Path) -> None:
    """Nobody writes into it."""
    os.mkfifo(path)


def loop(path: Path) -> None:
    """A link to itself."""
    path.symlink_to(path.name)


def folder(path: Path) -> None:
    """Not a file."""
    path.mkdir()


@pytest.mark.parametrize("make", [fifo, loop, folder], ids=lambda make: make.__name__)
def test_what_is_no_file_is_never_the_same(make: Callable[[Path], None], tmp_path: Path) -> None:
    """And never waited for."""
    content = known(tmp_path)
    make(tmp_path / "thing")

    assert not is_same(content, tmp_path / "thing")
    assert not is_same(known(tmp_path), tmp_path / "thing") or make is folder


@pytest.mark.parametrize("target", ["thing", "a/on", "nowhere"])
def test_a_link_that_leads_nowhere_hides_no_file_beside_it(target: str, tmp_path: Path) -> None:
    """Else a file beside it would be taken for one that was not there, and its removal for nothing."""
    for number in range(20):
        (tmp_path / str(number)).write_text("text")
    (tmp_path / "a").write_text("text")
    (tmp_path / "thing").symlink_to(target)
    content = known(tmp_path)
    for number in range(20):
        (tmp_path / str(number)).unlink()

    assert not any(is_same(content, tmp_path / str(number)) for number in range(20))


@pytest.mark.parametrize("code", [errno.EMFILE, errno.EIO])
def test_of_a_folder_that_could_not_be_listed_nothing_is_known(code: int, tmp_path: Path) -> None:
    """A file that is gone was there, perhaps."""

    class Broken(Disk):
        def scan(self, folder: str) -> Iterator[Entry] | None:
            if folder.endswith("/broken"):
                raise OSError(code, os.strerror(code))
            return super().scan(folder)

    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "removed").write_text("text")
    content = known(tmp_path, disk=Broken())
    (tmp_path / "broken" / "removed").unlink()

    assert not is_same(content, tmp_path / "broken" / "removed")


def test_a_single_file_and_nested_roots(tmp_path: Path) -> None:
    """Each file is known, by whatever root."""
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "file").write_text("text")
    single = tmp_path / "inner" / "file"

    assert len(known(single)) == 1
    assert is_same(known(single), single)
    assert len(known(tmp_path, tmp_path / "inner")) == 1


def test_nothing_is_the_same_in_a_folder_that_was_replaced(tmp_path: Path) -> None:
    """The command is in the old one."""
    root = tmp_path / "root"
    for _ in range(2):
        root.mkdir()
        (root / "file").write_text("text")
        content = known(root)
        root.rename(tmp_path / str(time.monotonic_ns()))
    root.mkdir()
    (root / "file").write_text("text")

    assert not is_same(content, root / "file")


def test_where_nobody_answers_all_counts(tmp_path: Path) -> None:
    """Not even that a file is not there is known of a folder that could not be listed; of others, all is."""
    (tmp_path / "silent").mkdir()
    for name in ("near", "silent/kept", "silent/removed"):
        (tmp_path / name).write_text("1")
    disk = Silent()
    content = known(tmp_path, disk=disk)
    disk.answers = True
    (tmp_path / "silent" / "removed").unlink()
    assert is_same(content, tmp_path / "near")
    assert not is_same(content, tmp_path / "silent" / "kept")
    removed = str(tmp_path / "silent" / "removed")
    content.heard(Change(Kind.VANISHED, removed))
    assert content.unchanged([removed], time.monotonic, time.monotonic() + 60) == ([], True)


def test_after_the_clock_was_set_back_all_counts_until_the_next_start(tmp_path: Path) -> None:
    """Then everything is read anew."""
    file = tmp_path / "app.py"
    file.write_text("1")
    content = known(tmp_path)
    content.distrust()
    assert content.deadline() is None
    assert not is_same(content, file)
    start = time.time_ns() + DAY
    content.started(start)
    content.rested(start)
    content.told(start + 1)
    while not content.complete:
        content.work(time.monotonic())
        content.told(start + 1)
    assert is_same(content, file)


def test_reading_is_done_in_slices(tmp_path: Path) -> None:
    """With pauses in between; no slice takes much longer than it may."""
    for number in range(2000):
        (tmp_path / f"f{number}").write_bytes(b"x" * 1000)
    content = Content(Everything(), [str(tmp_path)], str(tmp_path))
    assert content.deadline() is None

    start = time.time_ns() + DAY
    content.started(start)
    content.told(start + 1)
    took = []
    while not content.complete:
        due = content.deadline()
        assert due is not None
        time.sleep(max(0.0, due - time.monotonic()))
        began = time.monotonic()
        content.work(began)
        took.append(time.monotonic() - began)
        content.told(start + 1)
    assert sorted(took)[len(took) // 2] < 2 * SLICE
    assert len(content) == 2000
    assert content.deadline() is None


def test_nothing_is_read_before_all_is_told(tmp_path: Path) -> None:
    """A backend that needs its time is asked less and less often."""
    (tmp_path / "file").write_text("text")
    content = Content(Everything(), [str(tmp_path)], str(tmp_path))
    content.started(time.time_ns() + DAY)
    now, times = 0.0, []
    for _ in range(12):
        content.work(now)
        due = content.deadline()
        assert due is not None
        times.append(due - now)
        now = due
    assert times[0] <= 0.01
    assert times[-1] == pytest.approx(1.0)
    assert len(content) == 0
