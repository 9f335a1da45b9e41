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

from tests.kernel.mirror import maker

ROOT = Path(__file__).parents[2]
MOUNTS = ["--mount", "--propagation", "private"]
UNSHARE = ["unshare", "--user", "--map-root-user", *MOUNTS]

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
        namespace = UNSHARE
        if name.endswith("_fanotify"):  # a capability in a user namespace is not enough for it
            maker("fanotify")
            namespace = ["unshare", *MOUNTS]
        call = [
            *namespace,
            "sh",
            "-c",
            'mount -t tmpfs none "$0" && exec "$@"',
            str(tmp_path),
            sys.executable,
            "-m",
            "tests.kernel.mounted",
            name,
            str(tmp_path),
        ]
        done = subprocess.run(call, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return scenario


@pytest.mark.parametrize("backend", ["inotify", "fanotify", "polling"])
def test_a_change_below_a_bind_mount_is_told_by_both_paths(run: Any, backend: str) -> None:
    """One inode, one watch, two paths; a directory that leaves leaves by both."""
    found = run(f"twice_{backend}")
    assert found["paths"] == ["one/x/f", "two/x/f"]
    assert found["wrong"] == []


@pytest.mark.parametrize("backend", ["inotify", "fanotify", "polling"])
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


@pytest.mark.parametrize("backend", ["inotify", "fanotify"])
def test_a_mount_that_comes_while_it_runs_is_noticed(run: Any, backend: str) -> None:
    """What is in it is told, and watched from then on; nothing of ours keeps it from being unmounted."""
    found = run(f"arrive_{backend}")
    assert found["woken"]
    assert set(found["arrived"]) == {"appeared d/m/old"}
    assert found["changed"][-1] == "written d/m/new"
    assert found["held"] == 0
    assert sorted(found["gone"]) == ["vanished d/m/new", "vanished d/m/old"]
    assert found["after"][-1] == "written d/m/after"


@pytest.mark.parametrize("backend", ["inotify", "fanotify"])
def test_a_mount_over_the_root_itself_is_noticed(run: Any, backend: str) -> None:
    """The path leads to another folder from then on."""
    found = run(f"covered_{backend}")
    assert "appeared above" in found["arrived"]
    assert found["changed"][-1] == "written above"
    assert found["held"] == 0
    assert "vanished above" in found["gone"]
    assert found["after"][-1] == "written below"


def test_what_fanotify_does_not_cover_is_polled(run: Any) -> None:
    """An overlay below the root gives no handles: changes in it are told by the next look, those beside it at once."""
    found = run("otherside_fanotify")
    assert found["there"] == ["appeared m/d/f"]
    assert found["here"][-1] == "written beside"
    assert set(found["again"]) == {"appeared m/here", "appeared m/new/f"}


def test_what_is_not_covered_is_polled_also_when_fanotify_takes_over(run: Any) -> None:
    """Else nothing of it would be told any more."""
    assert run("switch_fanotify")["changed"] == ["appeared m/d/f"]


def test_on_a_remote_file_system_both_sides_are_noticed(run: Any) -> None:
    """What is changed here is told at once, and only once; what is changed there, by the next look."""
    found = run("otherside_inotify")
    assert found["there"] == ["appeared m/d/f"]
    assert {"written m/here", "written m/new/f", "written beside"} <= set(found["here"]) | {
        line.replace("appeared", "written") for line in found["here"]
    }
    assert found["again"] == []
    assert len(found["notices"]) == 1
    assert found["notices"][0].endswith("tree/m (nfs4)")


def test_changes_below_an_overlay_are_noticed(run: Any) -> None:
    """What is written through it is told at once, also when it is copied up; what is changed in a layer, by a look."""
    found = run("layered_inotify")
    assert "written d/copied" in found["first"]
    assert "written d/copied" in found["again"]
    assert found["lower"] == ["appeared d/below"]
    assert found["upper"] == ["appeared d/copied", "appeared d/new"]
