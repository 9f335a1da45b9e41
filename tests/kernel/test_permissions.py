"""Folders that may not be read, and that may be read later: seen by somebody who is not root."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autoreload.watch.fanotify import FanotifyBackend
from tests.kernel.mirror import MAKERS, Maker, Mirror, Writer, maker, wait_for

NOBODY = 65534


@pytest.fixture(params=[name for name in MAKERS if name != "fanotify"])
def make(request: pytest.FixtureRequest) -> Maker:
    """Each backend that works without privileges."""
    return maker(request.param)


@pytest.fixture
def tree() -> Iterator[Path]:
    """Where nobody may go; `secret/deep/old.py` in it, which is not to be read at first."""
    with tempfile.TemporaryDirectory(prefix="permissions-") as base:
        os.chmod(base, 0o777)
        tree = Path(base) / "tree"
        (tree / "secret" / "deep").mkdir(parents=True)
        (tree / "secret" / "old.py").write_text("old")
        (tree / "secret" / "deep" / "old.py").write_text("old")
        (tree / "open.py").write_text("old")
        yield tree


def as_nobody(tree: Path, work: Callable[[], None]) -> None:
    """Run it in a process that permissions matter to, and that owns the tree."""
    if os.geteuid() == 0:
        for folder, _, names in os.walk(tree):
            for path in [folder, *(f"{folder}/{name}" for name in names)]:
                os.chown(path, NOBODY, NOBODY)

    def unprivileged() -> None:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
        work()

    writer = Writer(unprivileged)
    try:
        wait_for(writer.done, "the process that is nobody's")
    finally:
        writer.stop()
        (tree / "secret").chmod(0o755)


@pytest.mark.parametrize("mode", [0o000, 0o444, 0o111], ids=["nothing", "no way in", "no listing"])
def test_a_folder_that_is_made_readable_later_is_watched_from_then_on(make: Maker, tree: Path, mode: int) -> None:
    """What is in it is told then, as if it were new; one notice says that it was not watched until then."""

    def work() -> None:
        secret = tree / "secret"
        secret.chmod(mode)
        mirror = Mirror(tree, make=make)
        (tree / "open.py").write_text("new")
        mirror.settle()
        assert set(mirror.told) == {f"{tree}/open.py"}
        notices = mirror.backend.notices()
        assert [notice.remedy for notice in notices] == ["make it readable, or ignore it"], notices
        secret.chmod(0o755)
        mirror.settle()
        assert {f"{tree}/secret/deep/old.py"} <= set(mirror.told)
        for file in secret / "old.py", secret / "deep" / "old.py", secret / "new.py":
            file.write_text("newer")
        mirror.settle()
        assert not mirror.wrong()
        assert set(mirror.told) == {str(path) for path in tree.rglob("*.py")}
        mirror.close()

    as_nobody(tree, work)


def test_a_folder_that_may_not_be_read_for_a_while_is_watched_again(make: Maker, tree: Path) -> None:
    """With what came into it meanwhile."""

    def work() -> None:
        secret = tree / "secret"
        mirror = Mirror(tree, make=make)
        secret.chmod(0o300)
        (secret / "new").mkdir()
        (secret / "new" / "f.py").write_text("new")
        mirror.settle()
        secret.chmod(0o755)
        mirror.settle()
        assert f"{secret}/new/f.py" in mirror.told
        (secret / "new" / "f.py").write_text("newer")
        mirror.settle()
        assert not mirror.wrong()
        mirror.close()

    as_nobody(tree, work)


def test_permissions_of_files_say_nothing(make: Maker, tree: Path) -> None:
    """Also where those of folders are listened to."""

    def work() -> None:
        (tree / "secret").chmod(0)
        mirror = Mirror(tree, make=make)
        for _ in range(2):
            os.utime(tree / "open.py", (1, 1))
            (tree / "open.py").chmod(0o600)
            tree.chmod(0o711)
            tree.chmod(0o755)
        mirror.settle()
        told = mirror.told.keys()
        assert told <= ({f"{tree}/open.py"} if make is MAKERS["polling"] else set()), told
        mirror.close()

    as_nobody(tree, work)


def test_fanotify_is_for_root_who_may_read_everything(tree: Path) -> None:
    """So none of this concerns it."""
    maker("fanotify")
    (tree / "secret").chmod(0)
    mirror = Mirror(tree, make=FanotifyBackend)
    (tree / "secret" / "old.py").write_text("new")
    mirror.settle()
    assert set(mirror.told) == {f"{tree}/secret/old.py"}
    mirror.close()
