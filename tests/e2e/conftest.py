"""Fixtures of the end-to-end tests."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest

from tests.e2e.tool import Project

_NUMBERS = itertools.count()
_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each of these starts some interpreters."""
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A scratch tree with nothing in it."""
    return Project(tmp_path, f"e2e-{os.getpid()}-{next(_NUMBERS)}-")
