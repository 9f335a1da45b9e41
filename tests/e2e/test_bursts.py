"""Many changes at once, and changes at bad moments: few starts, and the last one has seen the last change."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.tool import PYTHON, Project, autoreload, later
from tests.support import eventually


def git(tree: Path, *words: str) -> None:
    """A git that knows nothing of whoever runs the tests."""
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "core.hooksPath=/dev/null"]
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    call = ["git", *identity, "-c", "init.defaultBranch=main", "-c", "gc.auto=0", *words]
    subprocess.run(call, cwd=tree, check=True, env=environ, capture_output=True)


@pytest.mark.needs("git")
def test_a_checkout_of_300_files_is_one_restart(project: Project) -> None:
    """Of another branch, in which files differ, folders come and folders go; and back."""
    git(project.tree, "init", "-q")
    for branch in ("other", "main"):
        git(project.tree, "checkout", "-q", "--orphan", branch)
        git(project.tree, "rm", "-r", "-q", "-f", "--ignore-unmatch", ".")
        for number in range(300):
            project.write(f"d{number % 20}/f{number}.py", branch)
        project.write(f"only_{branch}/deep/f.py")
        git(project.tree, "add", "-A")
        git(project.tree, "commit", "-q", "-m", branch)
    with autoreload(project, "-e", ".py", "--", *project.stamp("d0/f0.py", "d19/f299.py", "cookie.py")) as it:
        project.wait_for_start(1)
        for branch in ("other", "main"):
            it.watching()
            before = len(project.runs())
            git(project.tree, "checkout", "-q", branch)
            run = project.wait_for_start(before + 1)
            assert run.texts["d0/f0.py"] == run.texts["d19/f299.py"] == branch
            project.write("cookie.py", branch)
            assert project.wait_for_text("cookie.py", branch) == project.runs()[before + 1]
            assert it.restarts()[before:] == ["cookie.py"]
        it.end()


def test_a_long_burst_is_not_taken_for_a_process_that_takes_its_time_to_end(project: Project) -> None:
    """It has ended long since, and the start waits for the files."""
    for number in range(2):
        project.write(f"f{number}.py", "old")
    with autoreload(project, "-e", ".py", "--", *project.stamp("f0.py")) as it:
        project.wait_for_start(1)
        it.watching()
        later(0.4)  # a change sooner after a start would stop nothing before the burst is over
        for number in range(50):
            project.write("f0.py", str(number))
            project.write("f1.py", str(number))
            later(0.02)
        project.wait_for_text("f0.py", "49")
        assert "waiting for the process to end" not in it.text()
        it.end()


@pytest.mark.parametrize("pause", [0.0, 0.02, 0.08])
def test_a_formatter_over_60_files_is_few_restarts(pause: float, project: Project) -> None:
    """One restart if it is quick; if it takes its time for each file, one more at most, for the first file alone, and
    perhaps another for a hiccup."""
    for number in range(60):
        project.write(f"f{number}.py", "old")
    with autoreload(project, "-e", ".py", "--", *project.stamp("f0.py", "f59.py")) as it:
        project.wait_for_start(1)
        it.watching()
        for number in range(60):
            project.write(f"f{number}.py", "new")
            later(pause)
        run = project.wait_for_text("f59.py", "new")
        assert run.texts["f0.py"] == "new"
        it.end()
        assert len(it.restarts()) <= (2 if pause < 0.03 else 4), it.restarts()


def test_saves_soon_after_each_start_all_restart(project: Project) -> None:
    """30 saves of one file, each 100 ms after the start before: an editor's autosave is as good as any."""
    project.write("app.py", "0")
    with autoreload(project, "-e", ".py", "--", *project.stamp("app.py")) as it:
        project.wait_for_start(1)
        it.watching()
        for number in range(1, 31):
            project.wait_for_start(number)
            later(0.1)
            project.write("app.py", str(number))
        project.wait_for_start(31)
        assert [run.texts["app.py"] for run in project.runs()] == [str(number) for number in range(31)]
        it.end()
        assert it.text().count("app.py changed right after each of the last 10 starts") == 1


APP = """
import sys
text = open("config.py").read().split()[-1]
import config
with open(sys.argv[1], "a") as file:
    file.write(f"{text} {config.X}\\n")
import signal
signal.pause()
"""


def test_equal_size_edits_within_a_second_never_run_old_bytecode(project: Project) -> None:
    """`X = 10`, `X = 11`, ... each save 120 ms after the other: Python's own cache would serve most of them stale."""
    project.write("app.py", APP)
    project.write("config.py", "X = 10\n")
    seen = project.base / "seen"
    seen.touch()
    with autoreload(project, "-e", ".py", "--", sys.executable, "app.py", str(seen)) as it:
        eventually(lambda: "10 10\n" in seen.read_text())
        it.watching(project.tree)
        for number in range(11, 23):
            project.write("config.py", f"X = {number}\n")
            later(0.12)
        eventually(lambda: seen.read_text().endswith("22 22\n"), what=f"the last value in {seen.read_text()}")
        it.end()
    pairs = [tuple(map(int, line.split())) for line in seen.read_text().splitlines()]
    assert all(imported >= text for text, imported in pairs), pairs
    assert (project.tree / "__pycache__").is_dir()


FILES = ("a.py", "d/b.py", "d/e/c.py", "f/g/h/i.py", "j.py")


class Writer:
    """Changes files in all sorts of ways, at random moments, and knows when a change that counts was made last."""

    def __init__(self, project: Project, seed: int) -> None:
        self.project = project
        self.random = random.Random(seed)
        self.number = 0
        self.last = 0.0

    def go_on(self, seconds: float) -> None:
        """For so long, then make one last change that counts."""
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            self.random.choice([self.write, self.write, self.replace, self.remove, self.move, self.fresh, self.noise])()
            later(self.random.choice([0.0, 0.001, 0.004, 0.008, 0.03, 0.1, 0.25]))
        self.write()

    def write(self) -> None:
        """In place, perhaps in a folder that has to be made first."""
        name = self._name()
        self.last = time.monotonic()
        self.project.write(name, self._text())

    def replace(self) -> None:
        """By a rename."""
        path = self.project.write(self._name(), self._text())
        path.with_suffix(".tmp").write_text(self._text())
        self.last = time.monotonic()
        os.rename(path.with_suffix(".tmp"), path)

    def remove(self) -> None:
        """A file, or the folder it is in."""
        path = self.project.tree / self._name()
        if path.exists():
            self.last = time.monotonic()
            if path.parent != self.project.tree and self.random.random() < 0.5:
                shutil.rmtree(path.parent)
            else:
                path.unlink()

    def move(self) -> None:
        """A folder, away and perhaps back at once."""
        away = self.project.base / "away"
        folder = self.project.tree / self.random.choice(["d", "d/e", "f", "f/g"])
        if folder.exists():
            had_files = any(folder.rglob("*.py"))
            moment = time.monotonic()
            os.rename(folder, away)
            if self.random.random() < 0.5:
                os.rename(away, folder)
            else:
                shutil.rmtree(away)
            if had_files:
                self.last = moment

    def fresh(self) -> None:
        """A tree made elsewhere, moved in."""
        if not (self.project.tree / "f").exists():
            away = self.project.base / "new"
            (away / "g" / "h").mkdir(parents=True)
            (away / "g" / "h" / "i.py").write_text(self._text())
            self.last = time.monotonic()
            os.rename(away, self.project.tree / "f")

    def noise(self) -> None:
        """What does not count."""
        self.project.write(".git/index.py", self._text())
        self.project.write("notes.txt", self._text())

    def _name(self) -> str:
        return self.random.choice(FILES)

    def _text(self) -> str:
        self.number += 1
        return str(self.number)


@pytest.mark.parametrize("seed", range(4))
def test_never_stale(seed: int, project: Project) -> None:
    """Promise I1 with the real kernel: the last start comes after the last change that counts, and has read the last
    content of every file, whatever happened before, at whatever moment."""
    for name in FILES:
        project.write(name, "0")
    with autoreload(project, "-e", ".py", "--", *project.stamp(*FILES)) as it:
        if seed % 2:  # else the writer is there before anything is watched
            project.wait_for_start(1)
        writer = Writer(project, seed)
        writer.go_on(2.5)

        def is_up_to_date() -> bool:
            run = project.runs()[-1]
            texts = {name: path.read_text() if path.exists() else None for name, path in paths.items()}
            return run.at > writer.last and run.texts == texts

        paths = {name: project.tree / name for name in FILES}
        eventually(is_up_to_date, what=f"an up-to-date run, not {project.runs()[-1]}")
        it.end()
        assert is_up_to_date()


def test_a_writer_that_never_pauses_cannot_put_off_the_restart(project: Project) -> None:
    """A program that writes a file that counts without a pause: the command is started now and then."""
    project.write("app.py", "0")
    source = "import sys\nwhile True:\n with open(sys.argv[1], 'w') as file: file.write('x')\n"
    with autoreload(project, "-e", ".py", "--", *project.stamp()) as it:
        project.wait_for_start(1)
        it.watching()
        writer = subprocess.Popen([*PYTHON, "-c", source, "app.py"], cwd=project.tree)
        try:
            project.wait_for_start(3)
        finally:
            writer.kill()
            writer.wait()
        it.end()


def test_many_changes_that_are_found_by_looking_are_one_restart(project: Project) -> None:
    """Though they are made while everything is being looked at, some before and some after."""
    for number in range(400):
        project.write(f"d{number % 40}/f{number}.py", "old")
    words = ["-v", "--poll=200ms", "-e", ".py", "--", *project.stamp("d0/f0.py", "d1/f1.py", "cookie.py")]
    with autoreload(project, *words) as it:
        it.expect("the content of 400 files is known")
        for number in reversed(range(400)):
            project.write(f"d{number % 40}/f{number}.py", "new")
            later(0.001)
        project.wait_for_text("d0/f0.py", "new")
        project.write("cookie.py", "new")
        project.wait_for_text("cookie.py", "new")
        assert len(it.restarts()) == 2
        assert it.restarts()[1] == "cookie.py"
        it.end()
