"""File systems that may not answer have processes of their own. What is mounted is made up: no NFS is needed."""

from __future__ import annotations

import errno
import os
import select
import signal
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from autoreload.core.change import Change
from autoreload.linux.mounts import Mount
from autoreload.watch.aside import Aside, AsideBackend
from autoreload.watch.backend import Backend, Interest, Judge, Linked, Root
from autoreload.watch.combined import CombinedBackend
from autoreload.watch.helper import AGAIN, PATIENCE, SILENT
from autoreload.watch.linked import LinkedBackend, Sieve
from autoreload.watch.polling import PollingBackend
from tests.kernel.mirror import Everything, now_ns, wait_for
from tests.support import eventually, state

LOCAL = Mount(1, 0, "254:0", "/", "/", "ext4", "/dev/vda", "rw")


class Near:
    """What the helpers know."""

    told_names = (".gitignore",)

    def __init__(self) -> None:
        self.interest = Everything()
        self.services: dict[str, Callable[..., Any]] = {"add": lambda a, b: a + b, "sleep": time.sleep}
        self.adopted: list[Any] = []
        self.pids: list[int] = []

    def born(self, pid: int) -> None:
        """One more."""
        self.pids.append(pid)

    def forked(self) -> None:
        """Nothing to forget."""

    def heard(self, changes: Sequence[Change]) -> bool:
        """Nothing changes the interest."""
        return False

    def adopt(self, outline: Any) -> None:
        """Ignore what ends with it."""
        self.interest.ignored = lambda path: path.endswith(outline)

    def open(self, roots: Sequence[Root], interest: Interest, since: int) -> Backend:
        """One that looks often."""
        return PollingBackend(roots, interest, since, 0.05)


class World:
    """A tree, in which a folder is said to be on a server."""

    def __init__(self, base: Path) -> None:
        self.tree = base / "tree"
        self.far = self.tree / "far"
        self.far.mkdir(parents=True)
        self.table = [LOCAL, Mount(2, 1, "0:50", "/", str(self.far), "nfs4", "server:/", "rw")]
        self.near = Near()
        self.outline = "ignored"
        self.aside = Aside(self.near, lambda: self.outline, lambda: self.table)
        self.interest = self.near.interest
        self.told: list[str] = []
        self.notices: list[str] = []

    def start(self, *roots: Path, certain: bool = True) -> None:
        """Watch these; the tree, if none are given. `certain`: wait until all was looked at."""
        found = [Root(str(root), single=root.is_file()) for root in roots or [self.tree]]

        def inner(interest: Judge, fences: Collection[str]) -> LinkedBackend:
            def make(sieve: Sieve, linked: Linked) -> CombinedBackend:
                return CombinedBackend(found, sieve, now_ns(), linked=linked, fences=fences)

            return LinkedBackend(found, interest, now_ns(), make, fences=fences)

        self.backend = AsideBackend(found, self.interest, now_ns(), self.aside, inner)
        self.until(lambda: self.backend.told_until() > 0 or not certain)
        self.told.clear()

    @property
    def helper(self) -> Any:
        """The only one."""
        (helper,) = self.aside.helpers.values()
        return helper

    def read(self, now: float | None = None) -> None:
        """Hear what there is to hear."""
        select.select([self.backend.fileno()], [], [], 0.01)
        self.told += [change.path for change in self.backend.read(time.monotonic() if now is None else now)]
        self.notices += [notice.what for notice in self.backend.notices()]

    def until(self, true: Callable[[], object], ahead: float = 0.0) -> None:
        """Hear until it is true, by a clock that is `ahead` by so many seconds."""

        def is_true() -> bool:
            self.read(time.monotonic() + ahead)
            return bool(true())

        eventually(is_true, what=f"{true}; told: {self.told}")

    def hears(self, path: Path) -> None:
        """Wait until it is told."""
        self.until(lambda: str(path) in self.told)

    def mounts(self, *found: Mount) -> None:
        """From now on these are mounted."""
        self.table[1:] = found
        for path in self.aside.update(self.backend._roots, 0):
            self.backend._inner.mounted(path)
        self.backend._register()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """With nothing started yet; in the end all processes end."""
    it = World(tmp_path)
    yield it
    it.backend.close()
    eventually(lambda: all(_reaped(pid) for pid in it.near.pids), what="an end")


def _reaped(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def test_each_side_is_told_by_whom_it_concerns(world: World) -> None:
    """This process looks at nothing that is beyond the fence."""
    world.start()
    (world.far / "there").write_text("1")
    world.hears(world.far / "there")
    (world.tree / "here").write_text("1")
    world.hears(world.tree / "here")
    assert str(world.far) not in world.interest.told
    assert world.aside.of(str(world.far / "x")) is world.helper
    assert world.aside.of(str(world.tree / "farther")) is None


def test_a_link_to_beyond_a_fence_is_known_for_one(world: World) -> None:
    """Nobody follows it to find out."""
    (world.tree / "link").symlink_to("far/x")
    world.start()
    assert world.aside.is_beyond(str(world.tree / "link"))
    assert not world.aside.is_beyond(str(world.tree / "other"))


@pytest.mark.parametrize("single", [False, True], ids=["folder", "file"])
def test_a_root_can_be_beyond_a_fence(world: World, single: bool) -> None:
    """Be it a folder or a file, deep in it, and by way of a link."""
    (world.far / "d").mkdir()
    (world.far / "d" / "f").write_text("1")
    (world.tree / "link").symlink_to("far/d")
    root = world.tree / "link" / "f" if single else world.tree / "link"
    world.start(root)
    (world.far / "d" / "f").write_text("22")
    world.hears(world.tree / "link" / "f")


def test_what_is_mounted_and_unmounted_is_noticed(world: World) -> None:
    """What comes is told, by a helper that is new; what goes, by the one that knew it, which then ends."""
    (world.far / "f").write_text("1")
    mount = world.table[1]
    world.start()
    (first,) = world.near.pids
    world.mounts()
    (world.far / "g").write_text("1")
    world.hears(world.far / "g")
    world.until(lambda: _reaped(first))
    world.told.clear()
    world.mounts(mount._replace(id=3))
    world.hears(world.far / "f")
    (world.far / "h").write_text("1")
    world.hears(world.far / "h")


def test_an_answer_is_not_waited_for_long(world: World) -> None:
    """Nor is anything asked again before the first question is answered."""
    world.start()
    assert world.helper.call("add", 1, 2, default=0) == 3
    before = time.monotonic()
    assert world.helper.call("sleep", 4 * PATIENCE, default="nobody knows") == "nobody knows"
    asked = time.monotonic()
    assert [world.helper.call("add", 1, 2, default=0) for _ in range(1000)] == [0] * 1000
    assert asked - before < 3 * PATIENCE
    assert time.monotonic() - asked < 3 * PATIENCE
    eventually(lambda: world.helper.call("add", 1, 2, default=0) == 3, what="an answer")


def test_a_question_may_be_larger_than_what_the_kernel_keeps(world: World) -> None:
    """Thousands of changed files are asked about at once. One who hangs gets the rest of it when he goes on."""
    world.near.services["count"] = lambda names: len(names)
    world.start()
    (pid,) = world.near.pids
    names = [f"{number:0100}" for number in range(30_000)]
    eventually(lambda: world.helper.call("count", names, default=0) == len(names), what="an answer")

    os.kill(pid, signal.SIGSTOP)
    eventually(lambda: state(pid) == "T", what="a helper that hangs")
    assert world.helper.call("count", names, default=0) == 0
    os.kill(pid, signal.SIGCONT)
    eventually(lambda: world.helper.call("add", 1, 2, default=0) == 3, what="an answer")
    assert world.near.pids == [pid]


def test_where_no_process_more_is_permitted_another_try_is_made(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """All else goes on meanwhile."""

    def fork() -> int:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    with monkeypatch.context() as context:
        context.setattr(os, "fork", fork)
        world.start(certain=False)
        (world.tree / "near").write_text("1")
        world.hears(world.tree / "near")
        world.read(time.monotonic() + AGAIN + 1)
        assert not world.near.pids
        (notice,) = [notice for notice in world.notices if "does not answer" in notice]
        assert notice.startswith(f"{world.far} (nfs4) does not answer ({os.strerror(errno.EAGAIN)}): ")
    (world.far / "f").write_text("1")
    world.until(lambda: str(world.far / "f") in world.told, ahead=AGAIN + 1)


def test_silence_is_told_once_and_so_is_its_end(world: World) -> None:
    """What was changed in between is told, and what the interest has become is heeded."""
    world.start()
    (pid,) = world.near.pids
    os.kill(pid, signal.SIGSTOP)
    eventually(lambda: state(pid) == "T", what="a helper that hangs")
    world.read()
    world.read(time.monotonic() + SILENT + 1)
    world.read(time.monotonic() + 2 * SILENT)
    assert [what for what in world.notices if "does not answer" in what] == [
        f"{world.far} (nfs4) does not answer: changes on it go unnoticed until it does"
    ]
    assert world.backend.deadline() is None or world.backend.deadline() != 0.0
    before = time.monotonic()
    assert [world.helper.call("add", 1, 2, default=0) for _ in range(1000)] == [0] * 1000
    assert time.monotonic() - before < PATIENCE
    (world.far / "f").write_text("1")
    (world.far / "ignored").mkdir()
    (world.far / "ignored" / "f").write_text("1")
    world.backend.rejudge()
    os.kill(pid, signal.SIGCONT)
    world.hears(world.far / "f")
    assert world.notices[-1] == f"{world.far} (nfs4) answers again: what changed on it meanwhile is told now"
    assert world.near.pids == [pid]


def test_a_helper_that_was_killed_is_followed_by_another_in_time(world: World) -> None:
    """Whoever waits for nothing else is told when, and what changed meanwhile is told."""
    world.start()
    (pid,) = world.near.pids
    os.kill(pid, signal.SIGKILL)
    world.until(lambda: world.helper.fileno() == -1)
    (world.far / "f").write_text("1")
    due = world.backend.deadline()
    assert due is not None
    world.read(due)
    assert len(world.near.pids) == 2
    world.hears(world.far / "f")


def test_a_helper_that_hangs_is_given_up_when_its_mount_is_gone(world: World) -> None:
    """Its process is killed, and not waited for."""
    world.start()
    (pid,) = world.near.pids
    os.kill(pid, signal.SIGSTOP)
    world.mounts()
    world.read(time.monotonic() + SILENT + 1)
    assert not world.aside.helpers
    world.until(lambda: _reaped(pid), ahead=SILENT + 1)
    assert not world.aside.leaving


def test_a_helper_holds_nothing_of_ours(world: World, tmp_path: Path) -> None:
    """Who waits for the end of our output must not wait for a process that hangs."""
    with open(tmp_path / "held", "w"):
        world.start()
        (pid,) = world.near.pids
        wait_for(lambda: os.readlink(f"/proc/{pid}/cwd") == "/", "its beginning")
        held = {os.readlink(f"/proc/{pid}/fd/{fd}").partition(":")[0] for fd in os.listdir(f"/proc/{pid}/fd")}
        assert held <= {"/dev/null", "socket"}
        assert os.getsid(pid) == pid
