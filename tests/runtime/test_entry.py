"""The way in: a program finds itself as it would be without us, and is left alone where it is none of our business."""

from __future__ import annotations

import os
import shutil
import sys
from glob import glob
from pathlib import Path

import pytest

from tests.runtime.stage import INJECTED, Stage, cold

LOOK = """
import json, os, subprocess, sys
if len(sys.argv) == 1:
    child = subprocess.run([sys.executable, __file__, "child"], capture_output=True, text=True).stdout
else:
    child = ""
try:
    import sitecustomize
    customized = sitecustomize.__file__
except ImportError as error:
    customized = str(error)
environ = {name: value for name, value in os.environ.items() if name not in ("MARK", "LC_CTYPE")}
caches = sorted(sys.path_importer_cache)
for told in (*environ.items(), sys.path, sys.argv, caches, customized, __file__, repr(__spec__), child):
    print(json.dumps(told))
print("done", flush=True)
"""
TRACES = ("AUTORELOAD_RUNTIME", INJECTED)


@pytest.mark.slow
def test_a_program_finds_itself_as_without_us(program: Stage, python: str) -> None:
    """Environment, path, arguments, sitecustomize: all as in a plain start, for its children too."""
    program.write("app.py", LOOK)
    expected = cold(program.folder, ["app.py"], python)

    program.start("app.py", python=python)
    program.wait_for("done")

    assert program.wait_for_snapshots(1)
    assert program.last_words() == expected
    assert not any(trace in line for line in expected for trace in TRACES)


@pytest.mark.parametrize("given", ["", "{0}", "{0}:{0}/x", ":{0}"])
def test_the_path_of_the_user_is_kept(program: Stage, given: str) -> None:
    """PYTHONPATH empty, of one folder, of several, with an empty entry: the program has it as it was."""
    given = given.format(program.folder.parent)
    program.write("app.py", "import os, sys\nprint(repr(os.environ.get('PYTHONPATH')), sys.path, flush=True)")
    environ = {**os.environ, "PYTHONPATH": given}
    kind = "set" if given else "empty"
    joined = INJECTED + (f":{given}" if given else "")

    told = told_by(program, {"PYTHONPATH": joined}, kind)

    assert told == cold(program.folder, ["app.py"], environ=environ)


def test_what_a_script_puts_around_nothing_stays_around_nothing(program: Stage) -> None:
    """`PYTHONPATH=src:$PYTHONPATH` without one is `src:`, whose end means the present folder."""
    program.write("app.py", "import os, sys\nprint(os.environ.get('PYTHONPATH'), sys.path, flush=True)")

    told = told_by(program, {"PYTHONPATH": f"/src:{INJECTED}"}, "unset")

    assert told == cold(program.folder, ["app.py"], environ={**os.environ, "PYTHONPATH": "/src:"})


def told_by(program: Stage, environ: dict[str, str], kind: str) -> list[str]:
    """What it writes when it is started with that; it has a snapshot, so the runtime was at work."""
    program.start("app.py", environ=environ, kind=kind)
    program.wait_for_snapshots(1)
    program.wait_for_lines(1)
    return program.last_words()


def test_the_users_own_sitecustomize_is_run(program: Stage, python: str) -> None:
    """It is the one in sys.modules, too."""
    program.write("own/sitecustomize.py", "print('customized', flush=True)\nwhose = 'own'")
    program.write("app.py", "import sitecustomize\nprint(sitecustomize.whose, sitecustomize.__file__, flush=True)")

    program.start("app.py", python=python, kind="set", environ={"PYTHONPATH": f"{INJECTED}:{program.folder}/own"})
    program.wait_for_lines(2)

    assert program.last_words() == ["customized", f"own {program.folder}/own/sitecustomize.py"]


def test_an_error_in_the_users_sitecustomize_is_shown_as_ever(program: Stage) -> None:
    """It is not ours to handle."""
    program.write("own/sitecustomize.py", "raise RuntimeError('mine')")
    program.write("app.py", "print('done', flush=True)")
    expected = cold(program.folder, ["app.py"], environ={**os.environ, "PYTHONPATH": f"{program.folder}/own"})

    program.start("app.py", kind="set", environ={"PYTHONPATH": f"{INJECTED}:{program.folder}/own"})
    program.wait_for("done")

    assert sorted(program.last_words()) == sorted(expected)
    assert "RuntimeError: mine" in program.last_words()


@pytest.mark.parametrize("option", ["-I", "-E", "-S"])
def test_an_isolated_python_is_left_alone(program: Stage, option: str) -> None:
    """No snapshot, and no harm."""
    program.write("app.py", "print('done', flush=True)")

    program.start(option, "app.py")

    assert program.process.wait() == 0
    program.hear()
    assert program.snapshots == []
    assert program.last_words() == ["done"]


def test_a_python_that_is_not_the_command_is_left_alone(program: Stage) -> None:
    """A shell started it, and may do something else when it ends."""
    program.write("app.py", "import os\nprint(os.environ.get('PYTHONPATH'), flush=True)")

    program.start("-c", f"{sys.executable} app.py; echo after", python="/bin/sh")

    assert program.process.wait() == 0
    program.hear()
    assert program.snapshots == []
    assert program.notes == [("refused", "another program started Python", "")]
    assert program.last_words() == ["None", "after"]


def test_after_other_programs_a_script_is_not_resumed(program: Stage) -> None:
    """What they did would not be done again, though Python has taken the place of the script."""
    program.write("app.py", "print('done', flush=True)")

    program.start("-c", f"ls >/dev/null; exec {sys.executable} app.py", python="/bin/sh", strict=True)
    program.wait_for("done")

    assert program.process.wait() == 0
    program.hear()
    assert program.notes == [("refused", "other programs ran before Python did", "")]


def test_a_program_of_another_user_is_left_alone(program: Stage) -> None:
    """`setpriv`: neither side would trust the other."""
    program.write("app.py", "print('done', flush=True)")

    program.start("app.py", user=os.geteuid() + 1)

    assert program.process.wait() == 0
    program.hear()
    assert program.notes == [("refused", "it runs as another user", "")]


def test_a_script_that_only_becomes_python_is_no_obstacle(program: Stage) -> None:
    """Control: nothing else has run."""
    program.write("app.py", "print('done', flush=True)")

    program.start("-c", f"A=1; cd .; exec {sys.executable} app.py", python="/bin/sh", strict=True)

    assert program.wait_for_snapshots(1)


def test_a_python_that_is_embedded_is_left_alone(program: Stage) -> None:
    """What else is in that process, nobody knows. A program of another name stands for those."""
    host = program.folder.parent / "host"
    shutil.copy(os.path.realpath(sys.executable), host)
    program.write("app.py", "print('done', flush=True)")

    program.start("app.py", python=str(host), environ={"PYTHONHOME": sys.base_prefix})

    assert program.process.wait() == 0
    program.hear()
    assert program.notes == [("refused", "Python is embedded in host", "")]


def test_what_cannot_be_read_is_none_of_the_programs_business(program: Stage) -> None:
    """A fault of ours leaves it cold."""
    program.write("app.py", "print('done', flush=True)")

    program.start("app.py", environ={"AUTORELOAD_RUNTIME": "unset 00ff"})

    assert program.process.wait() == 0
    assert program.last_words() == ["done"]


def test_without_a_tool_to_talk_to_it_stays_cold(program: Stage) -> None:
    """As when autoreload was killed meanwhile."""
    program.write("app.py", "import sys\nprint(len(sys.meta_path), type(open).__name__, flush=True)")
    program.deaf()

    program.start("app.py")

    assert program.process.wait() == 0
    assert program.last_words() == cold(program.folder, ["app.py"])


OTHERS = [
    path
    for version in ("2.7", "3.6", "3.7", "3.8", "3.14", "3.15")
    for path in sorted(glob(os.path.expanduser(f"~/.pyenv/versions/{version}.*/bin/python{version}")))
] or [""]


@pytest.mark.parametrize("python", OTHERS, ids=os.path.basename)
def test_a_python_of_another_version_is_left_alone(program: Stage, python: str) -> None:
    """The way in is read by each of them."""
    if not python:
        return
    program.write("app.py", "import os\nprint(os.environ.get('PYTHONPATH', 'none'))")

    program.start("app.py", python=python)

    assert program.process.wait() == 0
    assert program.last_words() == ["none"]
    program.hear()
    version = os.path.basename(python)[6:]
    told = [("refused", f"it runs on cpython {version}, not on CPython 3.9 to 3.14", "")]
    assert program.notes == ([] if version.startswith("2") else told)


def test_the_folder_on_the_path_holds_nothing_else() -> None:
    """Whatever is in it could be imported by the program."""
    # Python 2 writes bytecode beside the source.
    assert {path.stem for path in Path(INJECTED).iterdir()} - {"__pycache__"} == {"sitecustomize"}
