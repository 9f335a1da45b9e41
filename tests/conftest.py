"""What all tests share: an environment without surprises, and no test that is left out in silence."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from typing import TypeVar

import pytest

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

# The commands that the tests run write bytecode and buffer their output, as those of most people do.
for _name in ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"):
    os.environ.pop(_name, None)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test marked `needs("git")` where there is no git, by a reason that names it."""
    wanted = [program for marker in item.iter_markers("needs") for program in marker.args]
    missing = [program for program in wanted if shutil.which(program) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: not on PATH")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where nothing may be missing (in CI), a skipped test is a failed one."""
    return without_skips((yield))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """So is a skipped file."""
    return without_skips((yield))


def without_skips(report: Report) -> Report:
    """The report, as a failure if it tells of a skip and AUTORELOAD_NO_SKIPS is set."""
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("AUTORELOAD_NO_SKIPS") == "1":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{reason} (and AUTORELOAD_NO_SKIPS=1 allows no skipped test)"
    return report
