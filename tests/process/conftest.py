"""Fixtures of the tests with real processes."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest

_NUMBERS = itertools.count()


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    """An empty file that tells, once it is not, that a command is up."""
    path = tmp_path / "ready"
    path.write_text("")
    return path


@pytest.fixture
def mark() -> str:
    """What tells the processes of this test from all others."""
    return f"mark-{os.getpid()}-{next(_NUMBERS)}-"
