"""What happens when the kernel has no more watches, instances or descriptors to give, or inotify is denied.

A user namespace has limits of its own (/proc/sys/user), so nothing of the machine is changed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import denied
from tests.kernel.mirror import maker

ROOT = Path(__file__).parents[2]
UNSHARE = ["unshare", "--user", "--map-root-user"]

pytestmark = pytest.mark.slow


def run(words: list[str], scenario: str, tree: Path) -> dict[str, Any]:
    """What `limited.py` found out, under a command that takes something from it."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}
    call = [*words, sys.executable, "-m", "tests.kernel.limited", scenario, str(tree)]
    done = subprocess.run(call, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def namespace() -> list[str]:
    """What to put before a command so that it has limits of its own."""
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare: not on PATH")
    done = subprocess.run(
        [*UNSHARE, "sh", "-c", "echo 10000 > /proc/sys/user/max_inotify_watches"], capture_output=True, text=True
    )
    if done.returncode != 0:
        pytest.skip(f"needs a user namespace with limits of its own: {done.stderr.strip()}")
    return UNSHARE


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Sixty folders in ten, a file in each."""
    for number in range(60):
        folder = tmp_path / "tree" / f"t{number % 10}" / f"d{number}"
        folder.mkdir(parents=True)
        (folder / "f.py").write_text("old")
    return tmp_path / "tree"


def test_what_the_limit_of_watches_leaves_over_is_polled(namespace: list[str], tree: Path) -> None:
    """Every change is told all the same, and one line says how much is polled, and what to do about it."""
    found = run(namespace, "watches", tree)
    assert found["wrong"] == []
    assert found["silent"] == []
    assert len(found["notices"]) == 1
    what, remedy = found["notices"][0]
    assert "fs.inotify.max_user_watches" in what
    assert "directories are polled instead" in what
    assert "(40)" in what  # that of the namespace, which is in force
    assert "sudo sysctl fs.inotify.max_user_watches=" in remedy
    assert "/etc/sysctl.d/" in remedy
    polled = int(what.rpartition(": ")[2].split()[0])
    assert 71 - 40 <= polled <= 71


def test_what_is_polled_may_come_go_and_move(namespace: list[str], tree: Path) -> None:
    """Directories that arrive while there are no watches left, that move, that vanish; watches that become free."""
    found = run(namespace, "moves", tree)
    assert found["wrong"] == []
    assert found["watched"] > 0


def test_no_change_is_missed_where_some_folders_are_watched_and_others_polled(
    namespace: list[str], tmp_path: Path
) -> None:
    """Whatever two writers do: the same scripts as over the backends alone."""
    assert run(namespace, "fuzzed", tmp_path)["wrong"] == []


def test_without_a_single_watch_everything_is_polled(namespace: list[str], tree: Path) -> None:
    """The root itself, and a root that is missing."""
    found = run(namespace, "nothing", tree)
    assert found["wrong"] == []
    assert found["silent"] == []


def test_the_limit_of_instances_is_named(namespace: list[str], tree: Path) -> None:
    """EMFILE is its errno, and that of another thing."""
    found = run(namespace, "instances", tree)
    assert found["wrong"] == []
    assert len(found["notices"]) == 1
    what, remedy = found["notices"][0]
    assert what.startswith("the limit fs.inotify.max_user_instances (1)")  # that of the namespace, which is in force
    assert "sudo sysctl fs.inotify.max_user_instances=" in remedy
    assert remedy.endswith("; in this user namespace also user.max_inotify_instances")


def test_a_want_of_descriptors_is_not_blamed_on_inotify(tree: Path) -> None:
    """It has the same errno; once there are descriptors again, the polling works."""
    found = run([], "descriptors", tree)
    assert found["wrong"] == []
    assert len(found["notices"]) == 1
    what, remedy = found["notices"][0]
    assert what.startswith("all ")
    assert "descriptors of this process are in use" in what
    assert "ulimit -n" in remedy


def test_a_moment_without_descriptors_loses_nothing(tree: Path) -> None:
    """A directory that cannot be opened for want of a descriptor is looked at later."""
    found = run([], "starved", tree)
    assert found["wrong"] == []
    assert found["deadline"] > 0


def test_a_moment_without_descriptors_loses_nothing_of_what_fanotify_tells(tree: Path) -> None:
    """It names directories by handles, and to look one up takes a descriptor."""
    maker("fanotify")
    found = run([], "handles", tree)
    assert found["silent"] == []
    assert found["deadline"] > 0.0


@pytest.mark.skipif(not denied.supported(), reason="needs the system call numbers of this machine")
@pytest.mark.parametrize("code", ["ENOSYS", "EPERM", "EACCES"])
def test_where_inotify_is_denied_everything_is_polled(tree: Path, code: str) -> None:
    """In some containers, and some sandboxes, there is none, nor fanotify."""
    found = run(denied.command(f"inotify_init1={code}", "fanotify_init=EPERM"), "plain", tree)
    assert found["wrong"] == []
    assert found["silent"] == []
    assert len(found["notices"]) == 1
    assert found["notices"][0][0] == (
        f"inotify is not available here ({code}): everything is polled instead, which is slower"
    )


@pytest.mark.skipif(not denied.supported(), reason="needs the system call numbers of this machine")
def test_control_the_filter_denies_what_it_is_told_to_and_nothing_else(tree: Path) -> None:
    """Without the right first argument prctl(2) works, and inotify too."""
    found = run(denied.command("prctl(36)=EINVAL"), "plain", tree)
    assert found["notices"] == []
    assert found["wrong"] == []
