"""Changes that wait to be told."""

from __future__ import annotations

from autoreload.core.change import Change, Kind
from autoreload.watch.outbox import Outbox


def test_what_was_said_last_of_a_file_is_not_said_again() -> None:
    """However many other files are told of in between; the order stays."""
    box = Outbox()
    for kind, path in [
        (Kind.OPENED, "/a"),
        (Kind.MODIFIED, "/a"),
        (Kind.MODIFIED, "/b"),
        (Kind.MODIFIED, "/a"),
        (Kind.MODIFIED, "/b"),
        (Kind.WRITTEN, "/a"),
        (Kind.MODIFIED, "/a"),
    ]:
        box.tell(kind, path)
    assert [(change.kind, change.path) for change in box.take()] == [
        (Kind.OPENED, "/a"),
        (Kind.MODIFIED, "/a"),
        (Kind.MODIFIED, "/b"),
        (Kind.WRITTEN, "/a"),
        (Kind.MODIFIED, "/a"),
    ]


def test_what_was_taken_may_be_said_again() -> None:
    """It happened again."""
    box = Outbox()
    for _ in range(2):
        box.tell(Kind.WRITTEN, "/a", synthesized=True)
        assert box.last("/a") is Kind.WRITTEN
        assert box.take() == [Change(Kind.WRITTEN, "/a", True)]
        assert box.last("/a") is None
        assert box.take() == []
