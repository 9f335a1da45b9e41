"""The warm runner with real programs: warm where it can be, cold where it must, and nothing stays behind."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import eventually, survivors
from tests.warm.theatre import Theatre, theatre

_NUMBERS = itertools.count()
HEAD = "import os\nfrom recorder import said\n"
APP = "import atexit, recorder\natexit.register(recorder.end)\n"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Theatre]:
    """A project without a file."""
    with theatre(tmp_path / "theatre", f"runner-{os.getpid()}-{next(_NUMBERS)}-") as it:
        yield it


def chain_of(project: Theatre, number: int) -> None:
    """A program of so many modules, each of which is used by none of the others."""
    for module in range(number):
        project.write(f"m{module}.py", f"{HEAD}said.append('m{module}')\n")
    project.write("app.py", APP + "".join(f"import m{module}\n" for module in range(number)))
    project.run([])


@pytest.mark.slow
def test_what_a_dropped_snapshot_has_used_is_not_forgotten(project: Theatre) -> None:
    """Those below it have used it as well. There are at most eight."""
    chain_of(project, 20)

    for module in (19, 3, 18, 0, 7):
        changed = project.write(f"m{module}.py", f"{HEAD}said.append('another m{module}')\n")
        project.run([changed])

        assert project.warm() == project.cold()
        assert project.how[-1][1]  # warm
    eventually(lambda: len(survivors(project.mark)) <= 6 + 2, what="six snapshots, the tool and its guard")


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1, 2])
def test_when_a_snapshot_is_killed_all_is_ended_and_the_tool_told(project: Theatre, victim: int) -> None:
    """As when the guard is killed: the session starts the command anew."""
    chain_of(project, 3)
    processes = project.snapshots(6)  # the most that there may be

    os.kill(processes[victim], signal.SIGKILL)

    project.expect("GuardLost")
    assert len(survivors(project.mark)) == 2
    project.start_anew()
    assert project.warm() == project.cold()


@pytest.mark.slow
def test_after_the_guard_was_killed_it_starts_cold(project: Theatre) -> None:
    """The tool ends what it left, snapshots too."""
    chain_of(project, 3)

    os.kill(project.guard, signal.SIGKILL)

    project.expect("GuardLost")
    assert len(survivors(project.mark)) == 2
    project.start_anew()
    assert project.warm() == project.cold()


@pytest.mark.slow
def test_when_the_tool_is_killed_nothing_stays(project: Theatre) -> None:
    """The guard sees to it."""
    chain_of(project, 3)

    project.tool.kill()

    eventually(lambda: not survivors(project.mark), what="an empty tree")


@pytest.mark.slow
def test_when_both_are_killed_nothing_stays(project: Theatre) -> None:
    """The snapshots see to it themselves."""
    chain_of(project, 3)

    os.kill(project.guard, signal.SIGSTOP)
    project.tool.kill()
    os.kill(project.guard, signal.SIGKILL)

    eventually(lambda: not survivors(project.mark), what="an empty tree")


@pytest.mark.slow
def test_what_is_installed_meanwhile_restarts_cold(project: Theatre) -> None:
    """Nobody watches it: it is looked at when a restart is due."""
    site = project.tree.parent / "lib" / "site-packages"
    site.mkdir(parents=True)
    (site / "installed.py").write_text("version = 1\n")
    project.write("m0.py", HEAD)
    project.write(
        "app.py",
        f"{APP}import sys\nsys.path.append({str(site)!r})\n{HEAD}import installed, m0\n"
        "said.append(installed.version)\n",
    )
    project.run([])

    (site / "installed.py").write_text("version = 22\n")
    project.run([project.write("m0.py", f"{HEAD}x = 1\n")])

    assert project.warm() == project.cold()
    assert not project.how[-1][3].endswith("m0.py")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("made", "from_after"),
    [
        ("p = tempfile.mkdtemp()\natexit.register(os.rmdir, p)", False),
        ("p = pathlib.Path('made')\np.mkdir()\natexit.register(p.rmdir)", False),
        ("p = 'made.pid'\nopen(p, 'x').close()\natexit.register(os.remove, p)", False),
        ("p = 'made.pid'\n(open('new', 'x').close(), os.replace('new', p))\natexit.register(os.remove, p)", False),
        ("p = 'link'\nos.symlink('app.py', dst=p)\natexit.register(os.remove, p)", False),
        ("p = tempfile.mkdtemp(); os.rmdir(p)", True),
        ("p = tempfile.mkdtemp()", True),
    ],
)
def test_what_the_program_made_and_removed_as_it_ended_is_made_again(
    project: Theatre, made: str, from_after: bool
) -> None:
    """A snapshot from after that would go on without it."""
    project.write("slow.py", "import time\ntime.sleep(0.2)\n")
    project.write("leaf.py", f"{HEAD}said.append('one')\n")
    project.write(
        "app.py",
        f"{APP}{HEAD}import tempfile, pathlib\n{made}\nimport slow, leaf\nsaid.append(os.path.exists(p))\n",
    )
    project.run([])
    project.run([project.write("leaf.py", f"{HEAD}said.append('two')\n")])

    assert project.warm()[0] == project.cold()[0]
    assert project.how[-1][3].endswith(("leaf.py", "slow.py")) is from_after


@pytest.mark.slow
@pytest.mark.parametrize(
    ("remove", "make"),
    [
        ("if os.path.exists('left'):\n    os.remove('left')", "open('left', 'x').close()"),
        ("with contextlib.suppress(OSError):\n    os.rmdir('left')", "os.mkdir('left')"),
        ("pathlib.Path('left').unlink(missing_ok=True)", "os.symlink('app.py', 'left')"),
        ("if os.path.exists('left'):\n    os.rename('left', 'old')", "open('left', 'x').close()"),
    ],
)
def test_what_the_program_removes_as_it_starts_is_removed_again(project: Theatre, remove: str, make: str) -> None:
    """It is left behind by a program that is killed, and cannot be made twice."""
    project.write("slow.py", "import time\ntime.sleep(0.2)\n")
    project.write("leaf.py", f"{HEAD}said.append('one')\n")
    if "exists" in remove:
        project.write("left", "")
    project.write(
        "app.py",
        f"{APP}{HEAD}import contextlib, pathlib\n{remove}\nimport slow, leaf\n{make}\nsaid.append('made')\n",
    )
    project.run([])
    project.run([project.write("leaf.py", f"{HEAD}said.append('two')\n")])

    assert project.warm()[0] == project.cold()[0]
    assert not project.how[-1][3].endswith(("leaf.py", "slow.py"))


@pytest.mark.slow
def test_a_replaced_start_directory_restarts_cold(project: Theatre) -> None:
    """The program would go on in the old one."""
    chain_of(project, 1)
    old = project.tree.with_name("old")
    project.tree.rename(old)
    project.tree.mkdir()
    for path in old.glob("*.py"):
        (project.tree / path.name).write_text(path.read_text())

    project.run([project.write("m0.py", f"{HEAD}said.append('new')\n")])

    assert project.how[-1][1:3] == [False, "the start directory is another one"]
    assert project.warm() == project.cold()


@pytest.mark.slow
def test_a_file_of_the_environment_restarts_cold(project: Theatre) -> None:
    """Whoever starts the program may read it."""
    project.write(".env", "A=1\n")
    chain_of(project, 1)

    project.run([project.write(".env", "A=2\n")])

    assert project.how[-1][1:3] == [False, "{} may be read by what starts the program"]


@pytest.mark.slow
def test_a_data_file_that_was_not_seen_to_be_read_restarts_cold(project: Theatre) -> None:
    """And one that was, from before it was read."""
    project.write("seen.txt", "1")
    project.write("unseen.txt", "1")
    project.write("m0.py", f"{HEAD}said.append(open('seen.txt').read())\n")
    project.write("app.py", f"{APP}import m0\n")
    project.run([])

    project.run([project.write("seen.txt", "2")])
    assert project.how[-1][1:3] == [True, "before"]
    assert project.warm() == project.cold()

    project.run([project.write("unseen.txt", "2")])
    assert project.how[-1][1:3] == [False, "the program was not seen to read {}"]


@pytest.mark.slow
def test_a_module_that_only_a_child_has_used_is_used(project: Theatre) -> None:
    """Its output is what the program goes on with."""
    project.write("made.py", "print(1)\n")
    project.write("m0.py", HEAD)
    project.write(
        "app.py",
        f"{APP}{HEAD}import subprocess, sys\n"
        "said.append(subprocess.run([sys.executable, 'made.py'], stdout=subprocess.PIPE).stdout.decode())\nimport m0\n",
    )
    project.run([])

    project.run([project.write("made.py", "print(22)\n")])

    assert project.warm() == project.cold()
