"""The table of identities, its limits, and file systems that round times."""

from __future__ import annotations

import random
import sys

import pytest

from autoreload.core.change import Change, Kind
from autoreload.core.identity import Identities, latest
from autoreload.core.table import SIZE, Table

MS = 1_000_000


def identity(number: int) -> bytes:
    """Some identity."""
    return number.to_bytes(SIZE, "little")


def test_the_table_is_a_dictionary() -> None:
    """Whatever is put, changed, dropped and put again."""
    chance = random.Random(1)
    table, truth = Table(10_000), dict[str, bytes]()
    names = [f"/src/{number}.py" for number in range(3000)]
    for step in range(30_000):
        name = chance.choice(names)
        if chance.random() < 0.6:
            assert table.put(name, identity(step))
            truth[name] = identity(step)
        else:
            table.drop(name)
            truth.pop(name, None)
    assert len(table) == len(truth)
    assert {name: table.get(name) for name in names} == {name: truth.get(name) for name in names}


def test_the_table_takes_no_more_than_it_may() -> None:
    """What is there already may change."""
    table = Table(100)
    assert [table.put(str(number), identity(number)) for number in range(101)] == [True] * 100 + [False]
    assert table.put("5", identity(7))
    assert table.get("5") == identity(7)
    table.drop("5")
    assert table.put("100", identity(100))


def test_the_table_is_small() -> None:
    """Less than 80 bytes a file, however long its path, and nearly nothing for a few."""

    def size(table: Table) -> int:
        return sum(sys.getsizeof(getattr(shard, slot)) for shard in table._shards for slot in ("_keys", "_values"))

    table = Table(100_000)
    assert size(table) < 150_000
    for number in range(50_000):
        table.put(f"/a/rather/long/path/of/a/file/{number}", identity(number))
    assert size(table) < 80 * 50_000


@pytest.mark.parametrize(
    ("time", "until"),
    [
        (1_700_000_000_123_456_789, 0),
        (1_700_000_000_123_456_700, 100),
        (1_700_000_000_123_456_000, 1000),
        (1_700_000_000_123_000_000, 10 * MS),
        (1_700_000_000_000_000_000, 2000 * MS),
    ],
)
def test_a_round_time_may_be_that_of_a_coarse_clock(time: int, until: int) -> None:
    """A file system that keeps whole seconds says of a change after the start that it was before it."""
    assert latest(time) == time + until

    known = Identities()
    for start, trusted in ((time + until, False), (time + until + 1, True)):
        known.started(start)
        known.told(start + 1)
        known.read("file", identity(1), time, start + 1)
        known.told(start + 2)
        assert (known.was("file") is not None) is trusted


def test_when_it_is_full_nothing_more_is_known_and_changes_count() -> None:
    """A large tree costs bounded memory."""
    known = Identities(most=10)
    known.started(1001)
    known.told(1002)
    for number in range(12):
        known.read(str(number), identity(number), 777, 1003)
    assert known.full
    known.told(1005)
    assert len(known) == 10
    assert known.was("9") == identity(9)
    assert known.was("10") is None
    known.heard(Change(Kind.WRITTEN, "11"))
    assert known.was("11") is None


def test_after_forgetting_nothing_is_known() -> None:
    """Other files matter now: what happened to them was not heard."""
    known = Identities()
    known.started(1001)
    known.told(1002)
    known.read("file", identity(1), 777, 1003)
    known.walked(1003)
    known.told(1005)
    known.heard(Change(Kind.WRITTEN, "file"))
    assert known.was("file") == identity(1)

    known.forget()

    known.heard(Change(Kind.VANISHED, "other"))
    assert known.was("file") is known.was("other") is None


def test_what_was_told_stays_told_while_the_backend_is_busy() -> None:
    """A change that comes in two parts is compared in both."""
    known = Identities()
    known.started(1000 * MS)
    known.told(1001 * MS)
    known.read("/f", identity(1), 1, 1002 * MS)
    known.told(1003 * MS)
    known.told(0)  # nobody knows how far it is
    known.heard(Change(Kind.VANISHED, "/f"))
    assert known.was("/f") == identity(1)
