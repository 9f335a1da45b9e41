"""Which files a program tells it has imported."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from autoreload.runtime.imported import LONGEST, SEPARATOR, untold


def module(monkeypatch: pytest.MonkeyPatch, path: object) -> None:
    """One that was loaded from there."""
    name = f"fake_{path}"
    made = type(sys)(name)
    made.__dict__["__file__"] = path
    monkeypatch.setitem(sys.modules, name, made)


def test_each_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was imported since is told later."""
    told: set[str] = set()
    module(monkeypatch, "/app/a.py")
    assert "/app/a.py" in untold(told).split(SEPARATOR)
    assert untold(told) == ""
    module(monkeypatch, "/app/b.py")
    assert untold(told) == "/app/b.py"


@pytest.mark.parametrize(
    "path",
    [None, 3, "/app/x.so", f"{os.path.dirname(os.__file__)}/json/__init__.py", "/v/lib/site-packages/django/apps.py"],
)
def test_what_nobody_edits_is_not(path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """The standard library, packages; nor what has no source. Odd things in sys.modules do not matter."""
    told: set[str] = set()
    untold(told)
    monkeypatch.setitem(sys.modules, "odd", None)
    module(monkeypatch, path)
    assert untold(told) == ""


def test_a_path_is_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """That of a main script may not be."""
    told: set[str] = set()
    untold(told)
    monkeypatch.chdir(tmp_path)
    module(monkeypatch, "app.py")
    assert untold(told) == str(tmp_path / "app.py")


def test_of_very_many_some_are_told_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message has an end."""
    told: set[str] = set()
    untold(told)
    for number in range(20):
        module(monkeypatch, f"/{number}/{'x' * (LONGEST // 8)}.py")
    first = untold(told)
    assert 0 < len(first) <= LONGEST
    assert untold(told)
