"""A large tree: 20,000 folders with 100,000 files, over each backend. And what memory that takes."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.tool import Project, autoreload
from tests.kernel.mirror import maker

FOLDERS, FILES = 20_000, 5
MOST = 40.0
"""MB that autoreload may ever take for it. (For 100,000 folders with a million files it is 110: how-it-works.md.)"""


@pytest.fixture(scope="module")
def large() -> Iterator[Path]:
    """In memory if there is such a place: on a disk it takes half a minute to delete."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as tree:
        for number in range(FOLDERS // 100):
            os.mkdir(f"{tree}/package{number}")
            for inner in range(99):
                folder = f"{tree}/package{number}/module{inner}"
                os.mkdir(folder)
                for file in range(FILES):
                    os.close(os.open(f"{folder}/component{file}.py", os.O_WRONLY | os.O_CREAT))
        yield Path(tree)


@pytest.mark.parametrize("how", ["--backend=auto", "--backend=inotify", "--backend=fanotify", "--poll=1"])
def test_a_large_tree(project: Project, large: Path, how: str) -> None:
    """A change is noticed wherever it is, at once after the start as well as later, and the memory stays bounded."""
    if how == "--backend=fanotify":
        maker("fanotify", str(large))
    names = ["package0/module0/component0.py", f"package{FOLDERS // 100 - 1}/module98/new.py"]
    project.tree = large
    with autoreload(project, how, "-e", ".py", "--", *project.stamp(*names)) as it:
        project.wait_for_start(1)
        for number in range(3):
            for name in names:
                project.write(name, f"{how} {number}")
                project.wait_for_text(name, f"{how} {number}")
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{it.pid}/status").read_text())
        assert found is not None
        assert int(found[1]) / 1000 < MOST
        it.end()
