"""What the snapshots tell may come late, in any order, and of one it may not come at all yet."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autoreload.process.events import Emptied, Exited, GuardLost
from autoreload.process.injection import Injection
from autoreload.runtime.protocol import Stream, note
from autoreload.runtime.used import signature_of
from autoreload.warm.chain import Chain, Snapshot
from autoreload.warm.runner import WarmRunner
from autoreload.warm.terms import Terms
from autoreload.warm.thinning import MOST_SNAPSHOTS


def facts(depth: int, *used: str) -> dict[str, Any]:
    """What the snapshot with so many above it tells."""
    return {
        "pid": 1_000_000 + depth,
        "depth": depth,
        "kind": "before" if depth else "root",
        "path": f"/m{depth}.py" if depth else "",
        "age": float(depth),
        "line": b"line%d" % depth,
        "best": False,
        "above": b"line%d" % (depth - 1) if depth else b"",
        "used": [(path, signature_of(path)) for path in used],
        "overflowed": False,
        "made": [],
        "removed": [],
        "alone": True,
        "child": 1_000_001 + depth,
        "in_progress": {},
    }


def frozen(chain: Chain, depth: int, *used: str) -> Stream:
    """That snapshot has connected and told."""
    stream = Stream.connected(chain.address)
    stream.send("frozen", facts(depth, *used))
    return stream


@pytest.fixture
def chain() -> Iterator[Chain]:
    """Nobody has told anything yet."""
    it = Chain()
    yield it
    it.close()


def test_below_a_snapshot_that_has_not_told_yet_none_is_trusted(chain: Chain) -> None:
    """What that one used, those below it have used as well."""
    with contextlib.ExitStack() as stack:
        for depth in (0, 1, 3, 4):
            stack.callback(frozen(chain, depth).close)
        chain.read()
        assert [len(chain.known()), chain.is_whole] == [2, False]

        stack.callback(frozen(chain, 2, "/late.py").close)
        chain.read()
        assert [len(chain.known()), chain.is_whole] == [5, True]
        assert ["/late.py" in known.used for known in chain.known()] == [False, False, True, True, True]


def test_one_that_has_been_dropped_is_not_missed(chain: Chain) -> None:
    """It has told."""
    with contextlib.ExitStack() as stack:
        streams = [frozen(chain, depth, f"/used{depth}.py") for depth in range(3)]
        for stream in streams:
            stack.callback(stream.close)
        chain.read()
        chain.snapshots[1].expected_to_end = chain.snapshots[1].dropped = True
        streams[1].close()
        chain.read()

        assert chain.is_whole
        assert [sorted(known.used) for known in chain.known()] == [
            ["/used0.py"],
            ["/used0.py", "/used1.py", "/used2.py"],
        ]


def test_who_opened_a_file_is_told_apart(chain: Chain) -> None:
    """The program itself, or a child of it that tells as well."""
    assert note(chain.address, "opened", "/dev")
    chain.read()
    assert [chain.was_opened("/dev"), chain.was_opened_by_itself("/dev")] == [True, False]

    stream = Stream.connected(chain.address)
    stream.send("frozen", {**facts(0), "child": os.getpid()})
    chain.read()
    assert chain.was_opened_by_itself("/dev")
    stream.close()


def test_a_link_that_comes_to_lead_elsewhere_is_noticed(chain: Chain, tmp_path: Path) -> None:
    """Neither file has changed."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "m.py").write_text("")
    (tmp_path / "link").symlink_to("one")
    with contextlib.closing(frozen(chain, 0, str(tmp_path / "link" / "m.py"))):
        chain.read()
        assert chain.stale() == set()

        (tmp_path / "link").unlink()
        (tmp_path / "link").symlink_to("two")

        assert chain.stale() == {str(tmp_path / "link" / "m.py")}


def test_what_is_in_an_archive_changes_with_it(chain: Chain, tmp_path: Path) -> None:
    """And only then."""
    archive = tmp_path / "a.zip"
    archive.write_text("")
    with contextlib.closing(frozen(chain, 0, f"{archive}/m.py")):
        chain.read()
        assert chain.stale() == set()

        archive.write_text("other")

        assert chain.stale() == {f"{archive}/m.py"}


class Runner:
    """Does nothing, and is asked for nothing."""

    guard, weak = 1, ""

    def __init__(self) -> None:
        self.injection = Injection({})
        self._reader, self._writer = os.pipe()
        self.events: list[Any] = []

    def fileno(self) -> int:
        """Never readable."""
        return self._reader

    def read(self) -> list[Any]:
        """Nothing happens, but for what a test has put there."""
        events, self.events = self.events, []
        return events

    def deadline(self) -> None:
        """Nothing is due."""

    def close(self) -> None:
        """Leave nothing open."""
        os.close(self._reader)
        os.close(self._writer)


@pytest.fixture
def warm() -> Iterator[WarmRunner]:
    """A runner without a guard."""
    plain: Any = Runner()
    it = WarmRunner(plain, Terms(int(signal.SIGTERM), ("/",), "/", False, 0.0))
    yield it
    it.close()


def test_one_that_froze_as_it_was_being_ended_is_no_accident(warm: WarmRunner) -> None:
    """That it had been there may be heard after the answer that nothing of it is left."""
    chain = warm._chain
    root = frozen(chain, 0)
    warm.read()
    warm.stop(1, signal.SIGTERM, 5.0)
    late = frozen(chain, 1)
    late.close()
    root.send("emptied", 1, 0)

    assert warm.read() == [Emptied(1, 0)]
    assert warm._suspect_at is None
    root.close()


def test_an_accident_is_looked_into(warm: WarmRunner) -> None:
    """Control."""
    root, other = frozen(warm._chain, 0), frozen(warm._chain, 1)
    warm.read()
    other.close()
    warm.read()

    assert warm._suspect_at is not None
    root.close()


def test_the_end_of_a_program_that_lost_its_guard_is_no_news(warm: WarmRunner) -> None:
    """It was asked to end, and will be started anew; it is news while there is a guard."""
    root = frozen(warm._chain, 0)
    root.send("exited", 0)
    assert warm.read() == [Exited(0, 0)]

    warm._runner.guard = 0  # type: ignore[misc]
    root.send("exited", int(signal.SIGTERM))
    assert warm.read() == []
    root.close()


def test_what_is_told_together_with_the_loss_of_the_guard_starts_nothing(warm: WarmRunner) -> None:
    """There is a new guard by then: for an end that is told before, the command would be started, then once more."""
    root = frozen(warm._chain, 0)
    warm.read()
    warm.stop(1, signal.SIGTERM, 5.0)
    root.send("emptied", 1, 0)
    warm._runner.events = [GuardLost()]  # type: ignore[attr-defined]

    assert warm.read() == [GuardLost()]
    root.close()


def asked(stream: Stream) -> list[tuple[Any, ...]]:
    """What that snapshot was told."""
    return (stream.receive() or []) if select.select([stream], [], [], 0)[0] else []


def test_none_is_let_go_while_another_has_not_told_of_itself(warm: WarmRunner) -> None:
    """It would not be known whose child is whose."""
    depths = [depth for depth in range(MOST_SNAPSHOTS + 2) if depth != 3]
    streams = {depth: frozen(warm._chain, depth) for depth in depths}
    warm.read()
    assert [asked(stream) for stream in streams.values()] == [[]] * len(streams)

    streams[3] = frozen(warm._chain, 3)
    warm.read()
    assert sum(bool(asked(stream)) for stream in streams.values()) == 1
    for stream in streams.values():
        stream.close()


def test_snapshots_are_known_by_where_they_are(chain: Chain) -> None:
    """Control of the helper."""
    with contextlib.closing(frozen(chain, 2)):
        chain.read()
        found: list[Snapshot] = chain.snapshots
        assert [(one.pid, one.depth, one.where) for one in found] == [(1_000_002, 2, ("before", "/m2.py"))]
