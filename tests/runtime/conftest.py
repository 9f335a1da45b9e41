"""Fixtures of the tests of what runs inside the user's Python."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runtime.stage import Stage, interpreters, stage

_NUMBERS = itertools.count()


@pytest.fixture(params=interpreters(), ids=lambda path: os.path.basename(os.path.realpath(path)))
def python(request: pytest.FixtureRequest) -> str:
    """Each supported interpreter that is there."""
    return str(request.param)


@pytest.fixture
def mark() -> str:
    """What tells the processes of this test from all others."""
    return f"warm-{os.getpid()}-{next(_NUMBERS)}-"


@pytest.fixture
def program(tmp_path: Path, mark: str) -> Iterator[Stage]:
    """A program that is yet to be written."""
    with stage(tmp_path / "app", mark) as it:
        yield it
