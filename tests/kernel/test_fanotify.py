"""What is special about fanotify: nothing is known of the tree but what events name."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from autoreload.core.change import Kind
from autoreload.errors import UserError
from autoreload.linux import fanotify as kernel
from autoreload.watch import choose, fanotify
from autoreload.watch.backend import Root
from autoreload.watch.combined import CombinedBackend
from autoreload.watch.fanotify import FanotifyBackend
from autoreload.watch.inotify import InotifyBackend
from autoreload.watch.linked import LinkedBackend
from autoreload.watch.walk import NEVER
from tests.kernel import fuzz
from tests.kernel.mirror import Everything, Mirror, Writer, maker, now_ns, quiet_moment

SCRIPTS = int(os.environ.get("AUTORELOAD_FUZZ_SCRIPTS", "20"))


@pytest.fixture(autouse=True)
def permitted() -> None:
    """Skips where fanotify is not permitted."""
    maker("fanotify")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two folders with two files."""
    tree = tmp_path / "tree"
    for name in "a/x.py", "b/c/y.py":
        (tree / name).parent.mkdir(parents=True)
        (tree / name).write_text("old")
    return tree


def watch(tree: Path, **options: object) -> Mirror:
    """A mirror that fanotify tells."""
    return Mirror(tree, make=FanotifyBackend, **options)  # type: ignore[arg-type]


def test_a_start_before_the_command_looks_at_nothing(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However large the tree is; not one directory is listed until an event names one."""
    looked: list[object] = []

    def watched(real: Callable[[Any], Any], path: object) -> object:
        looked.append(path)
        return real(path)

    for name in "scandir", "listdir":
        monkeypatch.setattr(os, name, partial(watched, getattr(os, name)))
    backend = FanotifyBackend([Root(str(tree))], Everything(), NEVER)
    backend.read(time.monotonic())
    assert backend.deadline() is None
    assert looked == []
    (tree / "a" / "x.py").write_text("new")
    assert [change.path for change in backend.read(time.monotonic())] == [f"{tree}/a/x.py"]
    assert looked == [str(tree)]
    backend.close()


def test_the_writer_is_named(tree: Path) -> None:
    """Its pid is that of the process, also of one that is gone; what was found by looking has none."""
    mirror = watch(tree)
    writer = Writer(lambda: (tree / "a" / "x.py").write_text("new"))
    while not writer.done():
        pass
    assert {change.pid for change in mirror.settle()} == {writer.pid}
    (tree / "b").rename(tree / "z")
    assert {change.pid for change in mirror.settle()} == {0}
    mirror.close()


def test_what_happens_elsewhere_on_the_file_system_is_not_told(tree: Path) -> None:
    """Beside the root, and below a folder whose name begins as the root's does."""
    mirror = watch(tree)
    for folder in tree.parent / "beside", tree.with_name("tree2"):
        folder.mkdir()
        (folder / "f.py").write_text("x")
        shutil.rmtree(folder)
    assert mirror.settle() == []
    mirror.close()


@pytest.mark.parametrize("then", ["moved out", "moved", "deleted"])
def test_files_are_told_as_gone_that_no_event_has_ever_named(tree: Path, then: str) -> None:
    """Old files, deleted together with folders that were moved just before, all read at once."""
    mirror = watch(tree)
    if then == "moved out":
        (tree / "b").rename(tree.parent / "away")
        shutil.rmtree(tree.parent / "away")
    elif then == "moved":
        (tree / "b").rename(tree / "z")
        (tree / "z" / "c").rename(tree / "d")
        shutil.rmtree(tree / "d")
    else:
        shutil.rmtree(tree / "b")
    assert mirror.settle()
    assert mirror.told[f"{tree}/b/c/y.py"] is Kind.VANISHED
    assert not mirror.wrong()
    mirror.close()


def test_a_folder_moved_while_its_deleted_file_is_being_told_of_loses_nothing(tree: Path) -> None:
    """By the time a deletion is read, its folder is elsewhere, and the event that says so has not been read yet."""
    mirror = watch(tree)
    backend = mirror.backend
    assert isinstance(backend, FanotifyBackend)
    (tree / "b" / "c" / "y.py").unlink()
    drain = backend._drain

    def drain_then_move() -> tuple[list[kernel.Event], int]:
        drained = drain()
        (tree / "b").rename(tree / "z")
        backend._drain = drain  # type: ignore[method-assign]
        return drained

    backend._drain = drain_then_move  # type: ignore[method-assign]
    mirror.read()
    mirror.settle()
    assert mirror.told[f"{tree}/b/c/y.py"] is Kind.VANISHED
    assert not mirror.wrong()
    mirror.close()


def test_a_folder_that_moves_while_it_is_looked_up_is_looked_up_again(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the time its path is tried, it is at another one: it is not taken for a stranger's."""
    mirror = watch(tree)
    (tree / "b" / "c" / "y.py").write_text("new")
    real = os.readlink

    def read_then_move(path: str) -> str:
        found = real(path)
        if found.endswith("/b/c"):
            (tree / "b").rename(tree / "z")
        return found

    monkeypatch.setattr(os, "readlink", read_then_move)
    assert f"{tree}/z/c/y.py" in {change.path for change in mirror.read()}
    monkeypatch.setattr(os, "readlink", real)
    mirror.settle()
    assert not mirror.wrong()
    mirror.close()


def test_what_was_moved_out_of_a_folder_that_is_deleted_just_now_is_gone_from_there(tree: Path) -> None:
    """The folder is there when its event is read, and gone when its former path is asked for."""
    mirror = watch(tree)
    places = mirror.backend._places  # type: ignore[attr-defined]
    (tree / "b" / "c").rename(tree / "d")
    forget = places.forget_paths

    def forget_then_delete() -> None:
        places.forget_paths = forget
        forget()
        (tree / "b").rmdir()

    places.forget_paths = forget_then_delete
    mirror.settle()
    assert mirror.told[f"{tree}/b/c/y.py"] is Kind.VANISHED
    assert not mirror.wrong()
    mirror.close()


def test_strangers_who_keep_moving_folders_do_not_keep_it_from_coming_to_rest(tree: Path) -> None:
    """All that was moved in the tree is told, though folders of the same file system are moved all the time."""
    mirror = watch(tree)
    backend = mirror.backend
    (tree / "b").rename(tree / "z")
    beside = tree.parent / "beside" / "0"
    beside.mkdir(parents=True)
    for number in range(100):
        beside.rename(beside := beside.with_name(str(number + 1)))
        mirror.read()
        if backend.told_until() and backend.deadline() is None:
            break
    assert number < 50
    assert not mirror.wrong()
    mirror.close()


def test_a_nested_ignore_file_is_told_of_before_what_it_rules_is_judged(tree: Path) -> None:
    """Each folder on the way is listed once, when an event names one below it."""
    interest = Everything()
    mirror = watch(tree, interest=interest)
    interest.told.clear()
    mirror.backend.rejudge()
    for _ in range(2):
        (tree / "b" / "c" / "y.py").write_text("new")
        mirror.backend.read(time.monotonic())
    assert [path for path in interest.told if path != f"{tree}/a"][:2] == [str(tree), f"{tree}/b"]
    mirror.close()


def test_lost_events_are_made_up_for_by_looking(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes are told by their times, a moved folder as new; of a deletion, what is beside the deleted file."""
    monkeypatch.setattr(fanotify, "SLACK", 0)
    (tree / "b" / "c" / "beside.py").write_text("old")
    quiet_moment()
    backend = FanotifyBackend([Root(str(tree))], Everything(), NEVER, unlimited=False)
    backend.read(time.monotonic())
    quiet_moment()
    limit = int(Path("/proc/sys/fs/fanotify/max_queued_events").read_text())
    if limit > 50_000:
        pytest.skip(f"needs a shorter queue than fs.fanotify.max_queued_events={limit}")
    noise = tree.parent / "noise"
    noise.mkdir()
    for number in range(limit + 10):
        os.close(os.open(noise / str(number), os.O_WRONLY | os.O_CREAT))
    (tree / "a" / "x.py").write_text("new")
    (tree / "b" / "c" / "y.py").unlink()
    told = set()
    while backend.deadline() == 0.0 or backend.overflows == 0:
        told |= {change.path for change in backend.read(time.monotonic())}
    assert told == {f"{tree}/a/x.py", f"{tree}/b/c/beside.py"}
    backend.close()


@pytest.mark.slow
@pytest.mark.timeout(120 + 2 * SCRIPTS)
@pytest.mark.parametrize("settled", [True, False], ids=["all seen once", "while starting"])
def test_no_content_is_stale_whatever_two_writers_do(settled: bool) -> None:
    """Every file that is there is known as it is, and every one that was ever told is known to be gone. One thing is
    forgiven, which happens in one or two of a thousand of these scripts: of an old file that no event had named, in
    folders that are moved into each other and deleted within a read, the name may stay unknown, as nothing lists the
    tree, and of a folder that had very many names in that time not all are kept in mind."""
    outcomes = [fuzz.run(seed, make=FanotifyBackend, settled=settled) for seed in range(1, SCRIPTS + 1)]
    stale = [line for outcome in outcomes for line in outcome.wrong if not line.endswith(", told []")]
    assert stale == []
    assert sum(outcome.bad for outcome in outcomes) <= max(1, SCRIPTS // 100)


# -- where it does not work ------------------------------------------------------------------------------------------


def refused(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Marks fail with this error."""

    def fail(self: object, path: str, mask: int) -> None:
        raise OSError(code, os.strerror(code), path)

    monkeypatch.setattr(kernel.Fanotify, "mark", fail)


@pytest.mark.parametrize("code", [errno.EPERM, errno.EOPNOTSUPP, errno.ENODEV, errno.EXDEV, errno.EINVAL])
@pytest.mark.parametrize("asked", ["fanotify", "auto"])
def test_where_it_is_refused_inotify_takes_its_place(
    tree: Path, monkeypatch: pytest.MonkeyPatch, code: int, asked: str
) -> None:
    """A line says so to whoever asked for it."""
    refused(monkeypatch, code)
    backend = choose.open_backend([Root(str(tree))], Everything(), now_ns(), asked)
    assert isinstance(backend, LinkedBackend)
    assert isinstance(backend._main, CombinedBackend)
    assert isinstance(backend._main._kernel, InotifyBackend)
    said = [notice.what for notice in backend.notices() if not notice.detail]
    expected = f"fanotify is not available here ({errno.errorcode[code]}): watching with inotify"
    assert said == ([expected] if asked == "fanotify" else [])
    assert backend.notices() == []
    backend.close()


def test_a_refusal_leaves_no_descriptor_behind(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as before."""
    refused(monkeypatch, errno.EPERM)
    before = len(os.listdir("/proc/self/fd"))
    for backend in "fanotify", "auto":
        try:
            choose.open_backend([Root(str(tree))], Everything(), now_ns(), backend).close()
        except UserError:
            pass
    assert len(os.listdir("/proc/self/fd")) == before


def test_where_the_limit_of_watches_is_reached_fanotify_takes_over(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is polled, and only who asks for details hears of it."""
    mirror = Mirror(tree, make=choose.open_backend, settled=False)
    assert isinstance(mirror.backend, LinkedBackend)
    backend = mirror.backend._main
    assert isinstance(backend, CombinedBackend)
    assert backend._inotify is not None
    backend._inotify._forest.limited = 1
    backend.read(time.monotonic())
    assert backend._inotify is None
    assert all(notice.detail for notice in backend.notices())
    for _ in range(2):
        (tree / "b" / "c" / "y.py").write_text("new")
        (tree / "b").rename(tree / "z")
        (tree / "z").rename(tree / "b")
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            mirror.read()
        assert not mirror.wrong()
    assert backend._polling.directories == 0
    mirror.close()
