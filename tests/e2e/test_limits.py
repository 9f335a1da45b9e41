"""The real command where the kernel gives little: watches, instances, descriptors, memory."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests import denied
from tests.e2e.tool import Project, Tool, autoreload, watched
from tests.kernel.mirror import maker

NAMESPACE = ["unshare", "--user", "--map-root-user"]
WATCHES = r"the limit fs\.inotify\.max_user_watches \(\d+\) is reached: "


@contextmanager
def limited(project: Project, how: str, *files: str, namespace: bool = True) -> Iterator[Tool]:
    """autoreload after these words of a shell, in a user namespace, which has limits of its own."""
    before = [*(NAMESPACE if namespace else []), "sh", "-c", f'{how} && exec "$@"', "sh"]
    if subprocess.run([*before, "true"], capture_output=True).returncode:
        pytest.skip(f"needs a user namespace with limits of its own: {how}")
    with autoreload(project, "-e", ".py", "--", *project.stamp(*files), before=before) as it:
        project.wait_for_start(1)
        yield it
        it.end()


def saved(project: Project, name: str, text: str) -> None:
    """A save of this file restarts the command."""
    project.write(name, text)
    project.wait_for_text(name, text)


@pytest.mark.needs("unshare")
def test_a_limit_that_is_reached_later_is_named_then_and_what_exceeds_it_is_polled(project: Project) -> None:
    """One line, however many folders come; and where there are watches again, they are used again."""
    project.write("app.py", "old")
    how = "echo 60 > /proc/sys/user/max_inotify_watches"
    with limited(project, how, "app.py", "new/d150/f.py", "again/f.py") as it:
        saved(project, "app.py", "1")
        assert "limit" not in it.text()
        for number in range(200):
            project.write(f"new/d{number}/f.py", "old")
        it.expect(WATCHES)
        for number in range(2):
            saved(project, "new/d150/f.py", f"{number} polled")
            saved(project, "app.py", f"{number} watched")
        shutil.rmtree(project.tree / "new")
        project.wait_for_text("new/d150/f.py", None)
        saved(project, "again/f.py", "1")
        saved(project, "again/f.py", "2")
        it.watching(project.tree, project.tree / "again")
        assert it.text().count("is reached") == 1


@pytest.mark.needs("unshare")
@pytest.mark.parametrize("most", [0, 1, 3])
def test_hardly_any_watches(project: Project, most: int) -> None:
    """Not even one for the root, or for the folders above it."""
    project.write("a/b/app.py", "old")
    with limited(project, f"echo {most} > /proc/sys/user/max_inotify_watches", "a/b/app.py", "c/new.py") as it:
        it.expect(WATCHES)
        saved(project, "a/b/app.py", "1")
        saved(project, "c/new.py", "2")


@pytest.mark.needs("unshare")
def test_no_instance_is_left(project: Project) -> None:
    """Everything is polled."""
    project.write("a/app.py", "old")
    with limited(project, "echo 0 > /proc/sys/user/max_inotify_instances", "a/app.py", "b/new.py") as it:
        it.expect(r"the limit fs\.inotify\.max_user_instances \(\d+\) is reached: everything is polled instead")
        assert watched(it.pid) == set()
        saved(project, "a/app.py", "1")
        saved(project, "b/new.py", "2")


@pytest.mark.parametrize("how", ["ulimit -n 16", "ulimit -n 64", "ulimit -v 60000"])
def test_little_of_everything_else(project: Project, how: str) -> None:
    """Sixteen descriptors are enough for a tree of any size, and 60 MB of addresses for a small one."""
    for number in range(100):
        project.write(f"d{number}/sub/f.py", "old")
    with limited(project, how, "d0/sub/f.py", "d99/sub/f.py", namespace=False) as it:
        for number in range(3):
            saved(project, "d0/sub/f.py", f"{number}")
            saved(project, "d99/sub/f.py", f"{number}")
        assert "instead" not in it.text()


@pytest.mark.skipif(not denied.supported(), reason="needs the numbers of the system calls of this machine")
@pytest.mark.parametrize("words", [[], ["-v"]], ids=["", "-v"])
def test_fanotify_takes_over_in_silence_where_it_is_permitted(project: Project, words: list[str]) -> None:
    """Nothing is polled, and only `-v` says so."""
    maker("fanotify", str(project.tree))
    project.write("a/app.py", "old")
    command = [*words, "-e", ".py", "--", *project.stamp("a/app.py", "b/new.py")]
    with autoreload(project, *command, before=denied.command("inotify_add_watch=ENOSPC")) as it:
        project.wait_for_start(1)
        for number in range(2):
            saved(project, "a/app.py", f"{number}")
            saved(project, "b/new.py", f"{number}")
        told = "the limit of inotify watches is reached: watching with fanotify"
        assert [line for line in it.lines() if "reached" in line] == ([told] if words else [])
        it.end()
