"""Where a resumed program would come to another state than a new one, it is started anew, or resumed from before."""

from __future__ import annotations

import itertools
import os
import sqlite3
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.warm.theatre import Theatre, theatre

pytestmark = pytest.mark.slow
_NUMBERS = itertools.count()
HEAD = "import os, sys\nfrom recorder import said\n"
APP = f"import atexit, recorder\natexit.register(recorder.end)\n{HEAD}"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Theatre]:
    """A project without a file."""
    with theatre(tmp_path / "theatre", f"never-{os.getpid()}-{next(_NUMBERS)}-") as it:
        yield it


def run(project: Theatre, app: str, **modules: str) -> None:
    """That program, for the first time."""
    for name, text in modules.items():
        project.write(f"{name}.py", HEAD + text)
    project.write("app.py", APP + app)
    project.run([])
    assert project.warm() == project.cold()


@pytest.mark.parametrize(
    "reads",
    [
        f"import subprocess\nsaid.append(subprocess.check_output([{sys.executable!r}, 'm0.py'], text=True))",
        "r, w = os.pipe()\nif os.fork() == 0:\n    os.write(w, open('m0.py', 'rb').read())\n    os._exit(0)\n"
        "os.wait()\nsaid.append(os.read(r, 99).decode())\nos.close(r)\nos.close(w)",
    ],
)
def test_what_a_child_has_read_is_not_known(project: Theatre, reads: str) -> None:
    """A script that the program runs, a copy of itself."""
    project.write("m0.py", "print('one')")
    run(project, f"{reads}\nimport m1", m1="said.append('m1')\n")

    project.run([project.write("m0.py", "print('two')")])

    assert project.warm() == project.cold()
    assert "two" in str(project.warm())
    # What is only used by the program itself does not suffer.
    project.run([project.write("m1.py", f"{HEAD}said.append('other m1')\n")])
    assert project.warm() == project.cold()
    assert project.how[-1][1]


def test_what_a_child_has_read_is_not_known_though_another_has_told(project: Theatre) -> None:
    """A child that the program forked tells of data files, for itself, and was it the first?"""
    project.write("d.txt", "one")
    fork = "if os.fork() == 0:\n    open('d.txt').close()\n    os._exit(0)\nos.wait()\n"
    cat = "import subprocess\nsaid.append(subprocess.check_output(['cat', 'd.txt'], text=True))\n"
    run(project, f"{cat}import m1\n{fork}", m1="said.append('m1')\n")

    project.run([project.write("d.txt", "two")])

    assert project.warm() == project.cold()
    assert "two" in str(project.warm())


def test_a_folder_of_modules_that_is_another_by_now(project: Theatre) -> None:
    """A link that leads to the next release."""
    base = project.tree.parent
    for name in ("one", "two"):
        (base / name).mkdir()
        (base / name / "released.py").write_text(f"version = {name!r}\n")
    (base / "current").symlink_to("one")
    run(
        project,
        f"sys.path.append({str(base / 'current')!r})\nimport released, m0\nsaid.append(released.version)\n",
        m0="said.append(1)\n",
    )

    (base / "current").unlink()
    (base / "current").symlink_to("two")
    project.run([project.write("m0.py", f"{HEAD}said.append(2)\n")])

    assert project.warm() == project.cold()
    assert "two" in str(project.warm())


def test_modules_in_an_archive_are_no_hindrance(project: Theatre) -> None:
    """They are what they were as long as it is."""
    archive = project.tree.parent / "a.zip"
    with zipfile.ZipFile(archive, "w") as written:
        written.writestr("zipped.py", "value = 1\n")
    app = f"sys.path.append({str(archive)!r})\nimport zipped, m0\nsaid.append(zipped.value)\n"
    run(project, app, m0="said.append(1)\n")

    project.run([project.write("m0.py", f"{HEAD}said.append(2)\n")])
    assert project.how[-1][1]
    assert project.warm() == project.cold()

    with zipfile.ZipFile(archive, "w") as written:
        written.writestr("zipped.py", "value = 'another'\n")
    project.run([project.write("m0.py", f"{HEAD}said.append(3)\n")])
    assert project.warm() == project.cold()


def test_a_module_that_changed_while_it_was_imported(project: Theatre) -> None:
    """Nobody tells of it: it is not among what is watched, or its content was restored."""
    outside = project.tree.parent / "outside"
    outside.mkdir()
    (outside / "ext.py").write_text("value = 1\n")
    change = f"open({str(outside / 'ext.py')!r}, 'w').write('value = 22\\n') if said == [] else None\n"
    app = f"sys.path.append({str(outside)!r})\nimport ext\n{change}import m0, m1\nsaid.append(ext.value)\n"
    for name in ("m0", "m1"):
        project.write(f"{name}.py", f"{HEAD}said.append(1)\n")
    project.write("app.py", APP + app)
    project.run([])

    project.run([project.write("m1.py", f"{HEAD}said.append(2)\n")])

    assert project.warm() == project.cold()


DATABASE = """
import sqlite3
connection = sqlite3.connect({how})
said.append(connection.execute("select v from t").fetchall())
connection.close()
import m0
"""


@pytest.mark.parametrize("how", ["'x.db'", "database='x.db'", "'file:x.db?mode=ro', uri=True"])
def test_a_database_that_was_read(project: Theatre, how: str) -> None:
    """sqlite opens it in C. Others than the program write to it; no change of it restarts anything."""
    database = sqlite3.connect(project.tree / "x.db")
    with database:
        database.execute("create table t (v)")
        database.execute("insert into t values ('one')")
    run(project, DATABASE.format(how=how), m0="said.append(1)\n")
    project.run([project.write("m0.py", f"{HEAD}said.append(2)\n")])
    assert project.warm() == project.cold()
    assert project.how[-1][1]

    with database:
        database.execute("update t set v = 'two'")
    database.close()
    project.run([project.write("m0.py", f"{HEAD}said.append(3)\n")])

    assert project.warm() == project.cold()
    assert "two" in str(project.warm())


@pytest.mark.parametrize(
    "lists",
    [
        "os.listdir('st')",
        "[entry.name for entry in os.scandir('st')]",
        "__import__('glob').glob('st/*')",
        "list(map(str, __import__('pathlib').Path('st').iterdir()))",
        "list(os.walk('st'))",
    ],
)
def test_the_names_in_a_folder(project: Theatre, lists: str) -> None:
    """Of files that do not count; what an editor leaves there for a moment is nothing to it."""
    project.write("st/a", "")
    run(project, f"said.append(sorted(map(str, {lists})))\nimport m0\n", m0="said.append(1)\n")
    project.write("st/.a.swp", "")
    project.run([project.write("m0.py", f"{HEAD}said.append(2)\n")])
    assert project.how[-1][1]
    project.remove("st/.a.swp")

    project.write("st/b", "")
    project.run([project.write("m0.py", f"{HEAD}said.append(3)\n")])

    assert project.warm() == project.cold()
    assert "b" in str(project.warm())
