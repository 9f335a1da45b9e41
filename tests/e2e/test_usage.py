"""Calls that end at once: what is wrong is told in one line with its remedy, by exit code 2; help and version."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.tool import AUTORELOAD, Project, run_briefly

WRONG: dict[tuple[str, ...], str] = {
    ("",): "the command is empty",
    ("   ",): "the command is empty",
    (".", ".py", ""): "COMMAND is empty",
    (".", ".py", "  "): "COMMAND is empty",
    (".", ".py", "''"): "the command is empty",
    (".", ".py", "run 'it"): "has a ' that is never closed",
    ("missing", ".py", "run"): "PATH missing does not exist",
    ("app.py", ".py", "run"): "PATH app.py is a file, not a directory",
    (".py,.xml", "run"): "PATH is missing before .py,.xml",
    ("folder",): "folder is a directory, not a command",
    ("--watch", "missing", "run"): "cannot watch missing: No such file or directory",
    ("--watch", "app.py/x", "run"): "cannot watch app.py/x: Not a directory",
    ("--watch", "", "run"): "--watch: ",
    ("--watch",): "--watch lacks its value",
    ("--wacth", "folder", "run"): "unknown option --wacth; did you mean --watch?",
    ("-x", "run"): "unknown option -x",
    ("-5", "run"): "unknown option -5",
    ("--quiet=3", "run"): "--quiet takes no value",
    ("--stop-timeout", "soon", "run"): "--stop-timeout: 'soon' is not valid",
    ("--stop-timeout", "-1", "run"): "--stop-timeout: '-1' is not valid",
    ("--debounce", "nan", "run"): "--debounce: 'nan' is not valid",
    ("--signal", "FOO", "run"): "--signal: 'FOO' is not valid",
    ("--signal", "STOP", "run"): "--signal: 'STOP' is not valid",
    ("--on-exit", "sleep", "run"): "--on-exit: 'sleep' is not valid; it must be one of wait, restart, quit",
    ("-e", "/", "run"): "--extensions: '/' is not valid",
    ("-e", ".py"): "there is no command to run",
    ("--watch", "folder"): "there is no command to run",
    ("-q", "-v", "run"): "--quiet and --verbose contradict each other",
    ("-e", ".py", ".", ".py", "run"): "both --extensions and EXTENSIONS (.py) are given",
    ("\udcff", ".py", "run"): "does not exist",
}


@pytest.mark.parametrize(("words", "message"), WRONG.items(), ids=lambda part: " ".join(part).strip() or "nothing")
def test_wrong_words(words: tuple[str, ...], message: str, project: Project) -> None:
    """One line on stderr that names the thing, and no traceback."""
    project.write("app.py")
    project.write("folder/app.py")
    complaint(project, message, *words)


def complaint(project: Project, message: str, *words: str, **popen: object) -> None:
    """What is said of a call that is wrong."""
    code, out, err = run_briefly(project, *words, **popen)
    assert err.startswith("autoreload: ")
    assert message in err
    assert len(err.splitlines()) == 1
    assert (code, out) == (2, "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool.autoreload]\ncommand = [\n", "pyproject.toml is broken: Invalid value"),
        ("[tool.autoreload]\ncomand = 'x'\n", "unknown key 'comand' in [tool.autoreload]; did you mean command?"),
        ("[tool.autoreload]\ncommand = 3\n", "command in pyproject.toml is 3"),
        ("[tool.autoreload]\ncommand = ''\n", "command in pyproject.toml is ''"),
        ("[tool.autoreload]\nstop-timeout = 'x'\n", "stop-timeout in pyproject.toml: 'x' is not valid"),
        ("[tool.autoreload]\nquiet = 'yes'\n", "quiet in pyproject.toml is 'yes'"),
        ("[tool.autoreload]\nquiet = true\n", "there is no command to run"),
        ("[tool]\nautoreload = 'x'\n", "tool.autoreload is 'x'"),
    ],
)
def test_a_wrong_pyproject(text: str, message: str, project: Project) -> None:
    """The file is named, and the key or the line."""
    project.write("pyproject.toml", text)
    complaint(project, message)


def test_home_and_the_root_directory(project: Project) -> None:
    """Not watched as a whole unless they are named."""
    complaint(project, "is your home directory", "run", cwd=project.base / "home")
    complaint(project, "/ is the root directory", "true", cwd="/")


def test_a_start_directory_that_is_gone(project: Project) -> None:
    """Nothing could be started in it."""
    gone = project.base / "gone"
    gone.mkdir()
    call = ["sh", "-c", 'cd "$1" && rmdir "$1" && shift && exec "$@"', "sh", str(gone), *AUTORELOAD, "run"]
    done = subprocess.run(call, env=project.environ, capture_output=True, text=True, timeout=20)
    assert done.stderr == "autoreload: the present directory is gone; cd to one that exists\n"
    assert done.returncode == 2


def test_a_folder_that_may_not_be_read(project: Project) -> None:
    """Named by the user, so nothing else could be meant."""
    secret = project.tree / "secret"
    secret.mkdir(mode=0o700)
    before: list[str] = []
    if os.getuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("needs setpriv: not on PATH")
        os.chown(secret, 12345, 12345)
        before = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    else:
        secret.chmod(0)
    call = [*before, *AUTORELOAD, "--watch", "secret", "run"]
    done = subprocess.run(call, cwd=project.tree, env=project.environ, capture_output=True, text=True, timeout=20)
    assert done.stderr.startswith("autoreload: cannot watch secret: it may not be read; ")
    assert done.returncode == 2


def test_no_command(project: Project) -> None:
    """The short usage, at most 8 lines, exit code 2."""
    code, out, err = run_briefly(project)
    assert (code, out) == (2, "")
    assert err.startswith("usage: autoreload")
    assert len(err.splitlines()) <= 8


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["-e", ".py", "--help"]])
def test_help(words: list[str], project: Project) -> None:
    """On stdout, for a pager; a reader that goes away early is no error."""
    code, out, err = run_briefly(project, *words)
    assert (code, err) == (0, "")
    assert "usage: autoreload [OPTIONS] [--] COMMAND [ARG...]" in out
    call = ["sh", "-c", '"$@" | true', "sh", *AUTORELOAD, *words]
    done = subprocess.run(call, cwd=project.tree, env=project.environ, capture_output=True, text=True, timeout=20)
    assert done.stderr == ""


def test_version(project: Project) -> None:
    """Name and number."""
    code, out, err = run_briefly(project, "--version")
    assert (code, err) == (0, "")
    assert out.startswith("autoreload ")


def test_the_options_of_the_command_are_its_own(project: Project) -> None:
    """`--help` behind the command is not for autoreload."""
    code, out, _ = run_briefly(project, "--on-exit", "quit", "-q", "--", "sh", "-c", "echo got $0", "--help")
    assert (code, out) == (0, "got --help\n")


def test_the_console_script(project: Project, tmp_path: Path) -> None:
    """As an installer makes it."""
    script = tmp_path / "autoreload"
    script.write_text(f"#!{sys.executable}\nimport sys\nfrom autoreload.__main__ import main\nsys.exit(main())\n")
    script.chmod(0o755)
    call = [str(script), "--on-exit", "quit", "sh", "-c", "exit 7"]
    done = subprocess.run(call, cwd=project.tree, env=project.environ, capture_output=True, text=True, timeout=20)
    assert done.returncode == 7
    assert "Process exited with code 7" in done.stderr
