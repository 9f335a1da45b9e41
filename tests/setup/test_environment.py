"""Which Python the scripts choose, on machines where it is not simple."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import _environment

ROOT = Path(__file__).parents[2]
SHELL = "/bin/sh"


class Machine:
    """A PATH made of two folders, `early` before `late`, with Pythons that only answer the question put to them."""

    def __init__(self, folder: Path) -> None:
        self.folders = {name: folder / name for name in ("early", "late")}
        for path in self.folders.values():
            path.mkdir()

    def script(self, name: str, body: str, folder: str = "early") -> str:
        """A program of this name; its path."""
        path = self.folders[folder] / name
        path.write_text(f"#!{SHELL}\n{body}\n")
        path.chmod(0o755)
        return str(path)

    def python(self, minor: int, *, venv: bool = True, name: str = "", folder: str = "early") -> str:
        """A Python 3.`minor`; its path."""
        return self.script(name or f"python3.{minor}", f"echo python3 {minor} {int(venv)}", folder)

    def choose(self, setup: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        """What the scripts would make their environment with."""
        source = f"{setup} root={shlex.quote(str(ROOT))}; . {shlex.quote(f'{ROOT}/script/_environment.sh')}"
        path = ":".join(str(folder) for folder in self.folders.values())
        return subprocess.run(
            [SHELL, "-euc", f"{source}; choose_python", "script/test"],
            env={"PATH": path} | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )

    def chosen(self, **environment: str) -> str:
        """The same, where there is one to choose, which is not worth a word."""
        done = self.choose(**environment)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.rstrip("\n")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine without any Python, its folders with a blank and a star in their path."""
    folder = tmp_path / "a * folder"
    folder.mkdir()
    return Machine(folder)


def test_the_newest_python_is_chosen(machine: Machine) -> None:
    """Two digits count as a number, not as text, and the order on PATH does not matter."""
    machine.python(9)
    machine.python(11)
    newest = machine.python(14, folder="late")
    machine.python(12)
    assert machine.chosen() == newest


def test_plain_python3_is_looked_at_too(machine: Machine) -> None:
    """It may be the only one, or the newest one."""
    machine.python(11)
    plain = machine.python(13, name="python3")
    assert machine.chosen() == plain


def test_of_two_that_are_equal_the_first_on_path_is_chosen(machine: Machine) -> None:
    """An active environment comes first on PATH, and is meant."""
    machine.python(12, folder="late")
    first = machine.python(12, name="python3")
    assert machine.chosen() == first


@pytest.mark.parametrize(
    "body",
    [
        "echo 'python3.14: command not found' >&2; exit 127",
        "echo 'version 3.14 is not installed'",
        "echo python3 fourteen 1",
        "kill -9 $$",
    ],
)
def test_a_python_that_does_not_run_is_passed_over_in_silence(machine: Machine, body: str) -> None:
    """A version manager puts names on PATH for versions that are not there."""
    machine.script("python3.14", body)
    works = machine.python(11)
    assert machine.chosen() == works


def test_what_is_not_a_program_is_passed_over(machine: Machine) -> None:
    """A folder, a file without the right to be run, a link to nothing, and `python3.12-config`."""
    early = machine.folders["early"]
    (early / "python3.14").mkdir()
    (early / "python3.13").write_text("echo python3 13 1")
    (early / "python3.12").symlink_to(early / "nothing")
    machine.python(15, name="python3.12-config")
    works = machine.python(11)
    assert machine.chosen() == works


def test_an_older_one_with_venv_is_better_than_the_newest_without(machine: Machine) -> None:
    """Distributions ship venv apart from Python, and often for one version only."""
    machine.python(13, venv=False)
    able = machine.python(11)
    assert machine.chosen() == able


def test_a_missing_venv_is_said_with_the_package_that_brings_it(machine: Machine) -> None:
    """One line: what is missing, and how to install it."""
    bare = machine.python(12, venv=False)
    machine.python(9)
    done = machine.choose()
    assert done.returncode == 1
    assert done.stderr == (
        f"test: Python 3.12 ({bare}) cannot make virtual environments: its module venv or ensurepip is missing; "
        "install it, on Debian and Ubuntu: apt install python3.12-venv\n"
    )


def test_a_python_that_is_too_old_is_said_with_the_one_that_is_needed(machine: Machine) -> None:
    """The newest of those that are there is named, so that nobody wonders which was looked at."""
    machine.python(8, name="python3", folder="late")
    old = machine.python(9)
    done = machine.choose()
    assert done.returncode == 1
    assert done.stderr == (
        f"test: Python 3.11 or newer is needed, and the newest by PATH is 3.9 ({old}); "
        "install one, on Debian and Ubuntu: apt install python3.11 python3.11-venv\n"
    )


def test_no_python_at_all_is_said(machine: Machine) -> None:
    """The third of the three bad cases, one line as well."""
    done = machine.choose()
    assert done.returncode == 1
    assert done.stderr == (
        "test: Python 3.11 or newer is needed, and there is no working Python 3 by PATH; "
        "install one, on Debian and Ubuntu: apt install python3 python3-venv\n"
    )


def test_a_python_can_be_asked_for(machine: Machine) -> None:
    """By name or by path, to run the tests on an older one; what is asked for is not replaced by another."""
    asked = machine.python(11, folder="late")
    machine.python(14)
    assert machine.chosen(AUTORELOAD_PYTHON="python3.11") == asked
    assert machine.chosen(AUTORELOAD_PYTHON=asked) == asked
    assert "by AUTORELOAD_PYTHON=python3.12;" in machine.choose(AUTORELOAD_PYTHON="python3.12").stderr


def test_a_real_python_answers_the_question(machine: Machine) -> None:
    """Control: what the fakes of the other tests say is what a Python says."""
    real = machine.script("python3", f'exec {shlex.quote(sys.executable)} "$@"')
    assert machine.chosen() == real


def test_an_included_group_brings_its_requirements() -> None:
    """Older pips do not know of dependency groups, so they are taken apart here."""
    table: dict[str, list[Any]] = {
        "test": ["pytest"],
        "lint": ["ruff", {"include-group": "test"}],
        "dev": [{"include-group": "lint"}, "build"],
    }
    assert _environment.requirements(table, "dev") == ["ruff", "pytest", "build"]


def test_an_environment_that_was_moved_is_made_again(tmp_path: Path) -> None:
    """Its scripts name the path that it was made for."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    note = _environment.made_in(tmp_path)
    note.write_text(str(tmp_path / "elsewhere"))
    assert not _environment.is_usable(tmp_path)


def test_an_environment_whose_python_was_removed_is_made_again(tmp_path: Path) -> None:
    """As after an upgrade of the system: the link points nowhere."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to("/nonexistent/python3")
    _environment.made_in(tmp_path).write_text(str(tmp_path))
    assert not _environment.is_usable(tmp_path)


@pytest.mark.parametrize("name", ["test", "lint", "demo"])
def test_a_script_can_be_called_from_anywhere(name: str, tmp_path: Path) -> None:
    """Through a link, with another working directory: it finds the helper beside its real self."""
    link = tmp_path / "a link"
    link.symlink_to(ROOT / "script" / name)
    done = subprocess.run(
        [link],
        cwd=tmp_path,
        # No Python on PATH, and an environment that is not there: so it says what it lacks, and does nothing.
        env={"PATH": str(commands(tmp_path, "dirname", "readlink")), "AUTORELOAD_PYTHON": "no-such-python"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("a link: Python 3.11 or newer is needed"), done.stderr
    assert done.stderr.count("\n") == 1


def commands(folder: Path, *names: str) -> Path:
    """A folder for PATH with nothing but these."""
    found = folder / "commands"
    found.mkdir()
    for name in names:
        real = next(path for path in map(Path, ("/usr/bin", "/bin")) if os.access(path / name, os.X_OK)) / name
        (found / name).symlink_to(real)
    return found
