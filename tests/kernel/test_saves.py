"""Every way in which a file gets new content, or comes and goes."""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from autoreload.core.change import Kind
from tests.kernel.fuzz import exchange
from tests.kernel.mirror import EVENTED, MAKERS, Maker, Mirror, maker, quiet_moment

AT_FDCWD, AT_SYMLINK_FOLLOW = -100, 0x400


def truncate_and_write(file: Path) -> None:
    """As most programs save: in place, in pieces."""
    with file.open("w") as out:
        for piece in "new", "er", "!":
            out.write(piece)
            out.flush()


def write_and_rename(file: Path) -> None:
    """An atomic save."""
    beside = file.with_name(".f.py.tmp")
    beside.write_text("new")
    beside.rename(file)


def rename_then_write(file: Path) -> None:
    """Vim with `backupcopy=no`: the old file becomes the backup, a new one takes its name."""
    backup = file.with_name("f.py~")
    file.rename(backup)
    file.write_text("new")
    backup.unlink()


def copy_then_write(file: Path) -> None:
    """Vim with `backupcopy=yes`, and its test for writing into the folder."""
    probe = file.with_name("4913")
    probe.touch()
    probe.unlink()
    shutil.copy2(file, file.with_name("f.py~"))
    file.write_text("new")


def swap_hard_link(file: Path) -> None:
    """The name is made anew for a file that was written under another name."""
    beside = file.with_name("beside")
    beside.write_text("new")
    file.unlink()
    os.link(beside, file)
    beside.unlink()


def swap_names(file: Path) -> None:
    """renameat2(2) with RENAME_EXCHANGE, as some atomic savers do."""
    beside = file.with_name("beside")
    beside.write_text("new")
    exchange(str(file), str(beside))


def unnamed_then_linked(file: Path) -> None:
    """O_TMPFILE and linkat(2): the file is complete when it gets its name, and nothing is closed any more."""
    file.unlink()
    descriptor = os.open(file.parent, os.O_TMPFILE | os.O_WRONLY)
    os.write(descriptor, b"new")
    libc = ctypes.CDLL(None, use_errno=True)
    here = f"/proc/self/fd/{descriptor}".encode()
    assert libc.linkat(AT_FDCWD, here, AT_FDCWD, os.fsencode(file), AT_SYMLINK_FOLLOW) == 0, ctypes.get_errno()
    os.close(descriptor)


def linked_then_unlinked(file: Path) -> None:
    """A file made elsewhere, linked here, its other name removed: it has one name again when someone looks."""
    elsewhere = file.parents[2] / "elsewhere"
    elsewhere.write_text("new")
    file.unlink()
    os.link(elsewhere, file)
    elsewhere.unlink()


def replace_by_symlink(file: Path) -> None:
    """A link takes the name."""
    file.unlink()
    file.symlink_to("elsewhere")


def truncate(file: Path) -> None:
    """truncate(2) by path opens and closes nothing."""
    os.truncate(file, 1)


def delete(file: Path) -> None:
    """Gone."""
    file.unlink()


def move_out(file: Path) -> None:
    """Gone, by rename(2)."""
    file.rename(file.parents[2] / "elsewhere")


def set_back(file: Path) -> None:
    """An older version with its old time, as `cp -p` and `tar` do."""
    file.write_text("older")
    os.utime(file, (1_000_000_000, 1_000_000_000))


WAYS = [
    truncate_and_write,
    write_and_rename,
    rename_then_write,
    copy_then_write,
    swap_hard_link,
    swap_names,
    unnamed_then_linked,
    linked_then_unlinked,
    replace_by_symlink,
    truncate,
    delete,
    move_out,
    set_back,
]


@pytest.fixture(params=MAKERS)
def make(request: pytest.FixtureRequest) -> Maker:
    """Each backend."""
    return maker(request.param)


@pytest.fixture(params=EVENTED)
def evented(request: pytest.FixtureRequest) -> Maker:
    """Each backend to which the kernel tells."""
    return maker(request.param)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file in a folder in the tree."""
    file = tmp_path / "tree" / "pkg" / "f.py"
    file.parent.mkdir(parents=True)
    file.write_text("old text")
    return file


@pytest.mark.parametrize("save", WAYS, ids=lambda way: way.__name__)
def test_every_way_of_changing_a_file_is_noticed(make: Maker, file: Path, save: Callable[[Path], None]) -> None:
    """Whatever is told in between, in the end all that is known is true, and the file was told of."""
    mirror = Mirror(file.parents[1], make=make)
    save(file)
    mirror.settle()
    assert not mirror.wrong()
    assert str(file) in mirror.told
    mirror.close()


@pytest.mark.parametrize(
    "save",
    [way for way in WAYS if way not in (truncate, delete, move_out)],
    ids=lambda way: way.__name__,
)
def test_a_finished_save_is_told_as_finished(evented: Maker, file: Path, save: Callable[[Path], None]) -> None:
    """The last word on it is not one after which more must follow."""
    mirror = Mirror(file.parents[1], make=evented)
    save(file)
    mirror.settle()
    assert mirror.told[str(file)] in (Kind.WRITTEN, Kind.APPEARED)
    mirror.close()


def test_a_truncated_file_is_told_as_unfinished(evented: Maker, file: Path) -> None:
    """Nothing tells that nobody will write to it any more."""
    mirror = Mirror(file.parents[1], make=evented)
    truncate(file)
    assert mirror.kinds(mirror.settle()) == [("modified", "pkg/f.py")]
    mirror.close()


def test_a_file_being_written_is_told_as_unfinished_until_it_is_closed(evented: Maker, file: Path) -> None:
    """Half a file is no reason to restart."""
    mirror = Mirror(file.parents[1], make=evented)
    new = file.with_name("new.py")
    out = new.open("w")
    assert mirror.kinds(mirror.settle()) == [("opened", "pkg/new.py")]
    out.write("half")
    out.flush()
    assert mirror.kinds(mirror.settle()) == [("modified", "pkg/new.py")]
    out.close()
    assert mirror.kinds(mirror.settle()) == [("written", "pkg/new.py")]
    mirror.close()


def test_a_file_that_got_its_name_complete_is_doubted_for_a_moment_only(evented: Maker, file: Path) -> None:
    """It looks as one that is being written, until nobody has written to it for some milliseconds."""
    mirror = Mirror(file.parents[1], make=evented)
    linked_then_unlinked(file)
    kinds = mirror.kinds(mirror.settle())
    assert kinds[-2:] == [("opened", "pkg/f.py"), ("appeared", "pkg/f.py")]
    mirror.close()


def test_a_file_that_is_written_to_after_all_is_not_told_as_complete(evented: Maker, file: Path) -> None:
    """The doubt ends with the first write."""
    mirror = Mirror(file.parents[1], make=evented)
    linked_then_unlinked(file)
    mirror.read()
    with file.open("a") as out:
        out.write("more")
        out.flush()
        assert mirror.kinds(mirror.settle()) == [("modified", "pkg/f.py")]
    assert mirror.kinds(mirror.settle()) == [("written", "pkg/f.py")]
    mirror.close()


def test_repeated_events_are_told_once(evented: Maker, file: Path) -> None:
    """However often a file was written between two reads."""
    mirror = Mirror(file.parents[1], make=evented)
    with file.open("w") as out, file.with_name("g.py").open("w") as other:
        for _ in range(50):
            out.write("x")
            out.flush()
            other.write("x")
            other.flush()
    kinds = mirror.kinds(mirror.settle())
    assert kinds.count(("modified", "pkg/f.py")) <= 1
    assert kinds.count(("written", "pkg/f.py")) == 1
    mirror.close()


def test_what_is_no_file_is_not_told_of(make: Maker, file: Path) -> None:
    """Nobody edits a FIFO or a socket."""
    mirror = Mirror(file.parents[1], make=make)
    os.mkfifo(file.with_name("fifo.py"))
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(file.with_name("s.py")))
        assert mirror.settle() == []
    mirror.close()


@pytest.mark.parametrize("change", ["chmod", "touch", "read"])
def test_reads_and_attributes_do_not_count(evented: Maker, file: Path, change: str) -> None:
    """The content is what it was."""
    mirror = Mirror(file.parents[1], make=evented)
    ways: dict[str, Callable[[], object]] = {
        "chmod": lambda: file.chmod(0o700),
        "touch": lambda: os.utime(file),
        "read": file.read_text,
    }
    ways[change]()
    assert mirror.settle() == []
    mirror.close()


def test_names_that_are_not_utf_8_are_told_as_they_are(make: Maker, file: Path) -> None:
    """As surrogates, so that they lead back to the file."""
    mirror = Mirror(file.parents[1], make=make)
    folder = os.fsencode(file.parent) + b"/d\xff"
    os.mkdir(folder)
    name = folder + b"/f\xe9.py"
    with open(name, "w") as out:
        out.write("x")
    mirror.settle()
    assert not mirror.wrong()
    assert os.fsdecode(name) in mirror.told
    shutil.rmtree(folder)
    mirror.settle()
    assert mirror.told[os.fsdecode(name)] is Kind.VANISHED
    mirror.close()


def test_two_saves_within_one_tick_of_the_clock_are_both_seen_by_polling(file: Path) -> None:
    """Equal size, equal times: a file that changed just now is told of once more."""
    mirror = Mirror(file.parents[1], make=MAKERS["polling"])
    for text in "new text", "NEW TEXT":
        file.write_text(text)
        os.utime(file, (1_000_000_000, 1_000_000_000))
        mirror.look()
    quiet_moment()
    mirror.look()
    assert not mirror.wrong()
    mirror.close()


def test_what_nobody_wants_is_not_told_of(make: Maker, file: Path) -> None:
    """An application that logs into the tree goes unheard."""

    class NoLogs:
        def wants_directory(self, path: str) -> bool:
            return True

        def wants_file(self, path: str) -> bool:
            return not path.endswith(".log")

        def counts(self, path: str) -> bool:
            return self.wants_file(path)

        def listed(self, directory: str, names: object) -> None:
            pass

    mirror = Mirror(file.parents[1], make=make, interest=NoLogs())
    for number in range(20):
        with file.with_name("app.log").open("a") as log:
            log.write(f"{number}\n")
    file.write_text("new")
    assert {change.path for change in mirror.settle()} == {str(file)}
    mirror.close()
