"""A test that is left out is named; in CI it is a failure. Seen from outside, on small test files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SKIPPED = "import pytest\n@pytest.mark.needs('no-such-program')\ndef test_it() -> None: ...\n"
SKIPPED_FILE = "import pytest\npytest.importorskip('no_such_module')\ndef test_it() -> None: ...\n"
EXPECTED = "import pytest\n@pytest.mark.xfail\ndef test_it() -> None: assert False\n"
FINE = "def test_it() -> None: ...\n"


def outcome(folder: Path, source: str, **environment: str) -> tuple[int, str]:
    """Exit code and output of a pytest that has our hooks and settings, and this one file."""
    (folder / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (folder / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    (folder / "tests").mkdir()
    (folder / "tests" / "test_it.py").write_text(source)
    # The plugin of the property tests takes half a second to import, and has nothing to do with this.
    call = [sys.executable, "-m", "pytest", "-p", "no:hypothesispytest", "-p", "no:cacheprovider"]
    inherited = {name: value for name, value in os.environ.items() if name != "AUTORELOAD_NO_SKIPS"}
    done = subprocess.run(call, cwd=folder, capture_output=True, text=True, env=inherited | environment)
    return done.returncode, done.stdout


@pytest.mark.slow
def test_a_test_without_its_program_is_skipped_and_named(tmp_path: Path) -> None:
    """On a machine that lacks it, the run passes and tells what was not tested, and for want of what."""
    code, output = outcome(tmp_path, SKIPPED)
    assert code == 0
    assert "SKIPPED tests/test_it.py::test_it - Skipped: needs no-such-program: not on PATH" in output


@pytest.mark.slow
def test_in_ci_a_skipped_test_is_a_failed_one(tmp_path: Path) -> None:
    """Otherwise nobody would notice that half of the tests have not run for a year."""
    code, output = outcome(tmp_path, SKIPPED, AUTORELOAD_NO_SKIPS="1")
    assert code == 1
    assert "ERROR tests/test_it.py::test_it" in output
    assert "needs no-such-program: not on PATH (and AUTORELOAD_NO_SKIPS=1 allows no skipped test)" in output
    assert "1 error in" in output


@pytest.mark.slow
def test_in_ci_a_skipped_file_is_a_failure(tmp_path: Path) -> None:
    """It would hide even the names of its tests."""
    code, output = outcome(tmp_path, SKIPPED_FILE, AUTORELOAD_NO_SKIPS="1")
    assert code != 0
    assert "ERROR tests/test_it.py" in output


@pytest.mark.slow
@pytest.mark.parametrize("source", [EXPECTED, FINE])
def test_in_ci_what_did_run_counts_as_it_is(tmp_path: Path, source: str) -> None:
    """Control: an expected failure was run, and is no skip, though pytest's reports look alike."""
    code, output = outcome(tmp_path, source, AUTORELOAD_NO_SKIPS="1")
    assert code == 0, output


@pytest.mark.slow
def test_a_run_without_any_test_is_a_failure(tmp_path: Path) -> None:
    """As after a wrong path or a filter with a typing error."""
    code, _ = outcome(tmp_path, "")
    assert code == 5
