"""The hard cases once more, on other file systems: each in a mount namespace of its own, in a pytest of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow

ALL, OTHERS = "all_that_changed", "all_that_changed and not fanotify"
"""Which tests: where there are no file handles, fanotify says so, which is tested below."""

LOOP = 'truncate -s 400M "$1/image" && mkfs.{0} -q "$1/image" && mount -o loop "$1/image" "$1/here"'
SETUPS = {
    "tmpfs": ('mount -t tmpfs none "$1/here"', ALL),
    "a bind mount": ('mkdir "$1/there" && mount --bind "$1/there" "$1/here"', ALL),
    "overlayfs": (
        'mount -t tmpfs none "$1/layers" && mkdir "$1/layers/low" "$1/layers/up" "$1/layers/work" && '
        'mount -t overlay none -o "lowerdir=$1/layers/low,upperdir=$1/layers/up,workdir=$1/layers/work" "$1/here"',
        OTHERS,
    ),
    "a lower layer": ('mount -t tmpfs none "$1/here" && export AUTORELOAD_LAYERED=1', OTHERS),
    "ext4": (LOOP.format("ext4"), ALL),
    "xfs": (LOOP.format("xfs"), ALL),
    "btrfs": (LOOP.format("btrfs"), ALL),
}
"""What mounts it on $1/here, and which of the backends can be tested there."""


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Where it may be mounted."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount")
    for name in "here", "layers":
        (tmp_path / name).mkdir()
    return tmp_path


def on(setup: str, base: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run this where the file system is mounted."""
    command = f'set -e; {setup}; cd "$0"; shift; exec "$@"'
    call = ["unshare", "--mount", "--propagation", "private", "sh", "-c", command, str(ROOT), str(base), *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "AUTORELOAD_NO_SKIPS": "1"}
    return subprocess.run(call, env=environment, capture_output=True, text=True, timeout=110)


@pytest.mark.needs("unshare")
@pytest.mark.parametrize("name", SETUPS)
def test_the_hard_cases(base: Path, name: str) -> None:
    """Every change is told there as well, and nothing else."""
    setup, which = SETUPS[name]
    program = "mkfs." + name
    if "mkfs" in setup and shutil.which(program) is None:
        pytest.skip(f"needs {program}: not on PATH")
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
    done = on(setup, base, *words, f"--basetemp={base}/here/tests", "-k", which, "tests/kernel/test_hard_cases.py")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert " passed" in done.stdout


@pytest.mark.needs("unshare")
def test_fanotify_says_that_it_cannot_watch_an_overlay(base: Path) -> None:
    """One line, and inotify takes its place."""
    setup, _ = SETUPS["overlayfs"]
    words = [sys.executable, "-m", "autoreload", "--on-exit", "quit", "--backend", "fanotify", "--", "sleep", "0.1"]
    done = on(setup, base, "env", "-C", f"{base}/here", *words)
    assert (done.returncode, done.stdout) == (0, "")
    assert "fanotify is not available here (" in done.stderr
    assert "watching with inotify; the file system gives no handles" in done.stderr
