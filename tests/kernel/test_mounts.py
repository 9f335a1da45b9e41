"""Bind mounts and what else is mounted, in a mount namespace of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
UNSHARE = ["unshare", "--user", "--map-root-user", "--mount", "--propagation", "private"]

pytestmark = pytest.mark.slow


@pytest.fixture
def run(tmp_path: Path) -> Any:
    """Runs a scenario of `mounted.py` where it may mount, and gives what it found."""
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare: not on PATH")
    done = subprocess.run([*UNSHARE, "mount", "-t", "tmpfs", "none", str(tmp_path)], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"needs a mount namespace: {done.stderr.strip()}")

    def scenario(name: str) -> dict[str, Any]:
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}
        call = [*UNSHARE, sys.executable, "-m", "tests.kernel.mounted", name, str(tmp_path)]
        done = subprocess.run(call, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return scenario


@pytest.mark.parametrize("backend", ["inotify", "polling"])
def test_a_change_below_a_bind_mount_is_told_by_both_paths(run: Any, backend: str) -> None:
    """One inode, one watch, two paths; a directory that leaves leaves by both."""
    found = run(f"twice_{backend}")
    assert found["paths"] == ["one/x/f", "two/x/f"]
    assert found["wrong"] == []


@pytest.mark.parametrize("backend", ["inotify", "polling"])
def test_a_bind_mount_of_the_root_into_itself_has_an_end(run: Any, backend: str) -> None:
    """It is not descended: all in it is watched already."""
    found = run(f"circle_{backend}")
    assert found["paths"] == ["self/f"] or found["paths"] == ["f"]


def test_after_an_unmount_what_was_below_is_watched(run: Any) -> None:
    """The kernel drops the watches of what was mounted."""
    found = run("unmount")
    assert found["vanished"] == ["m/t/f"]
    assert found["paths"] == ["m/after"]
    assert found["unwatched"] == []
