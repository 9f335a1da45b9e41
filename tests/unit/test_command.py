"""From the words of a call to what is executed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from autoreload.errors import UserError
from autoreload.process.command import Command, resolve
from autoreload.process.recognise import forks, lets_runtime_in, simple_commands

SHELL = ("/bin/sh", "-c")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A start directory beside a folder `bin` that alone is on PATH."""
    for name in ("bin", "app"):
        (tmp_path / name).mkdir()
    for name in ("python", "python3", "make", "npm", "sh"):
        executable(tmp_path / "bin" / name, "#!/bin/true\n")
    return tmp_path / "app"


@pytest.fixture
def command(folder: Path) -> Callable[..., Command]:
    """`resolve` in that folder."""

    def given(words: Sequence[str] | str, **variables: str) -> Command:
        return resolve(words, str(folder), {"PATH": str(folder.parent / "bin"), **variables})

    return given


def executable(path: Path, content: str) -> None:
    """Write a file that may be executed."""
    path.write_text(content)
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("string", "argv"),
    [
        ("python app.py", ["python", "app.py"]),
        ("  make \t test  ", ["make", "test"]),
        ("echo 'a b' \"c d\" e", ["echo", "a b", "c d", "e"]),
        ("echo 'a|b' 'it''s' \"*\"", ["echo", "a|b", "its", "*"]),
        ("echo a=b -x=y", ["echo", "a=b", "-x=y"]),
        ("echo '' x", ["echo", "", "x"]),
        ("echo a@b:c,d+e%f^g", ["echo", "a@b:c,d+e%f^g"]),
    ],
)
def test_a_string_without_shell_syntax_is_split(string: str, argv: list[str], command: Callable[..., Command]) -> None:
    """No shell is between, so that the command gets the signals itself."""
    assert command(string).argv == tuple(argv)


@pytest.mark.parametrize(
    "string",
    [
        *("a | b", "a && b", "a; b", "a &", "a > b", "a < b", "(a)", "echo $HOME", "echo `a`", "ls *.py", "ls a?"),
        *("ls [ab]", "a # b", "ls ~", "echo {a,b}", "! a", "a\nb", "echo a\\ b", 'echo "$HOME"', 'echo "`a`"'),
        *('echo "a\\"b"', "A=1 python app.py", "PATH+=:x a", "cd x", "exec python app.py", "source x", ". x", "time a"),
        *("export A", "ulimit -n 9", "if a", "trap x"),
    ],
)
def test_a_string_with_shell_syntax_is_for_the_shell(string: str, command: Callable[..., Command]) -> None:
    """As it is, word for word."""
    assert command(string).argv == (*SHELL, string)
    assert command([string]).argv == (*SHELL, string) or " " not in string


@pytest.mark.parametrize("words", [[], "", "  \t", [""], ["  "], "''"])
def test_an_empty_command_is_refused(words: Sequence[str] | str, command: Callable[..., Command]) -> None:
    """With what to do about it."""
    with pytest.raises(UserError, match="the command is empty; give the program"):
        command(words)


@pytest.mark.parametrize("string", ["echo 'a", 'echo "a', "it's"])
def test_a_quote_that_is_not_closed_is_refused(string: str, command: Callable[..., Command]) -> None:
    """And named."""
    with pytest.raises(UserError, match="never closed"):
        command(string)


@pytest.mark.parametrize("words", ["echo a\0b", ["echo", "a\0b"], ["\0"]])
def test_a_nul_is_refused(words: Sequence[str] | str, command: Callable[..., Command]) -> None:
    """A TOML file can have one, a program cannot be given it."""
    with pytest.raises(UserError, match="NUL character"):
        command(words)


def test_words_are_executed_as_they_are(command: Callable[..., Command]) -> None:
    """Nothing in them means anything."""
    assert command(["echo", "a b", "*", "$HOME"]) == Command(
        ("echo", "a b", "*", "$HOME"), command("a").directory, "echo 'a b' '*' '$HOME'", False
    )


def test_one_word_with_blanks_is_a_string(command: Callable[..., Command]) -> None:
    """`autoreload 'make test && ./x'`."""
    assert command(["make test && ./x"]).argv == (*SHELL, "make test && ./x")
    assert command(["make test"]).argv == ("make", "test")
    assert command(["make test"]).shown == "make test"


def test_one_word_with_blanks_that_is_a_file_is_that_file(command: Callable[..., Command], folder: Path) -> None:
    """A folder of somebody who likes blanks."""
    (folder / "my tools").mkdir()
    executable(folder / "my tools" / "run", "#!/bin/sh\n")
    assert command(["my tools/run"]).argv == ("my tools/run",)
    assert command(["my tools/run"]).shown == "'my tools/run'"


class TestScripts:
    """`autoreload app.py` does what is meant."""

    def test_one_that_is_not_executable_is_run_by_python(self, command: Callable[..., Command], folder: Path) -> None:
        """The one on PATH; as it was given."""
        (folder / "app.py").write_text("")
        assert command(["app.py", "-v"]).argv == ("python", "app.py", "-v")
        assert command("./app.py").argv == ("python", "./app.py")
        assert command("./app.py").shown == "./app.py"
        assert command(str(folder / "app.py")).argv == ("python", str(folder / "app.py"))

    def test_an_active_environment_comes_first(self, command: Callable[..., Command], folder: Path) -> None:
        """Unless it is gone."""
        (folder / "app.py").write_text("")
        (folder / "venv" / "bin").mkdir(parents=True)
        active = {"VIRTUAL_ENV": str(folder / "venv")}
        assert command("app.py", **active).argv == ("python", "app.py")
        executable(folder / "venv" / "bin" / "python", "")
        assert command("app.py", **active).argv == (str(folder / "venv" / "bin" / "python"), "app.py")

    def test_python3_where_there_is_no_python(self, command: Callable[..., Command], folder: Path) -> None:
        """As on Debian."""
        (folder / "app.py").write_text("")
        (folder.parent / "bin" / "python").unlink()
        assert command("app.py").argv == ("python3", "app.py")

    def test_an_executable_one_is_executed(self, command: Callable[..., Command], folder: Path) -> None:
        """By its own `#!`, also where it was given without `./`."""
        executable(folder / "app.py", "#!/usr/bin/env python3\n")
        assert command("./app.py").argv == ("./app.py",)
        assert command("app.py x").argv == ("./app.py", "x")

    def test_one_on_path_is_left_to_path(self, command: Callable[..., Command], folder: Path) -> None:
        """A shell would take that one too."""
        executable(folder / "app.py", "#!/usr/bin/env python3\n")
        executable(folder.parent / "bin" / "app.py", "#!/usr/bin/env python3\n")
        assert command("app.py").argv == ("app.py",)

    def test_an_executable_one_without_a_shebang_is_not_for_the_shell(
        self, command: Callable[..., Command], folder: Path
    ) -> None:
        """To which `import os` is a program that takes a screenshot."""
        executable(folder / "app.py", "import os\n")
        assert command("./app.py").argv == ("python", "./app.py")

    def test_one_that_is_not_there_is_left_alone(self, command: Callable[..., Command]) -> None:
        """The failed start will name it."""
        assert command("app.py").argv == ("app.py",)


PYTHON = [
    "python app.py",
    "python3.12 -m flask run",
    "/usr/bin/python3 x",
    "pypy3 x",
    "python3.13t x",
    "./app.py",
    "flask run",
    "gunicorn app:app",
    "long run",
    "env -i A=1 python x",
    "nohup python x",
    "nice -n 5 python x",
    "uv run app.py",
    "uv run --with rich python x",
    "uv run pytest-in-its-environment",
    "pdm run serve",
    "hatch run -e docs serve",
    "uv run -m http.server",
    "cd x && python y",
    "A=1 python x",
    "exec python x",
    "if true; then python x; fi",
    "sh -c 'python x'",
    "while flask x; do :; done",
    "echo 'a;b' $x; time python x 2>&1",
    "a &&\npython x",
]
NOT_PYTHON = [
    "pythonic x",
    "make test",
    "npm start",
    "other run",
    "env -u A make",
    "nice -5 make",
    "uv run npm start",
    "poetry run make",
    "uv sync",
    "pipenv run",
    "make a; npm b",
    "npm start > build.py",
    "cat app.py | grep x",
    "sh -ec 'npm x'",
    "sh script",
    "echo python $x",
]


@pytest.mark.parametrize(
    ("words", "is_python"), [*((words, True) for words in PYTHON), *((words, False) for words in NOT_PYTHON)]
)
def test_python_is_recognised(words: str, is_python: bool, command: Callable[..., Command], folder: Path) -> None:
    """By name, by the first line of a script, through wrappers and in lines of shell."""
    programs = folder.parent / "bin"
    executable(programs / "flask", "#!/some/venv/bin/python3.12\nimport sys\n")
    executable(programs / "gunicorn", "#!/usr/bin/env -S python -u\n")
    executable(programs / "long", "#!/bin/sh\n'''exec' /a/very/long/path/python \"$0\" \"$@\"\n' '''\n")
    executable(programs / "other", "#!/bin/sh\necho python\n")
    assert command(words).is_python is is_python


def test_words_in_shell_syntax() -> None:
    """Redirections, assignments and keywords are not the command; what cannot be read is none."""
    assert simple_commands("A=1 a b >c 2>&1 | d < e; if f; then g; fi") == [
        ["a", "b", "2"], ["d"], ["f"], ["g"], ["fi"],
    ]  # fmt: skip
    assert simple_commands("echo 'a") == []


def test_nothing_heavy_is_imported_for_a_plain_command() -> None:
    """shlex is, only where something has to be split or quoted."""
    import subprocess

    source = (
        "import sys\nfrom autoreload.process.command import resolve\n"
        "resolve(['python', 'app.py'], '/', {}); resolve('make test', '/', {})\n"
        "print([name for name in ('shlex', 'subprocess', 'asyncio', 'dataclasses', 'socket') if name in sys.modules])"
    )
    root = Path(__file__).parents[2] / "src"
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-c", f"import sys; sys.path.insert(0, {str(root)!r})\n{source}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("words", "interpreter"),
    [
        ("python -u x.py", "bin/python"),
        ("../venv/bin/python3.9 x.py", "app/../venv/bin/python3.9"),
        ("env -u A B=1 nice python x", "bin/python"),
        ("cd app && exec flask run", "venv/bin/python3.9"),
        ("make && flask run | tee log", "venv/bin/python3.9"),
        ("flask run", "venv/bin/python3.9"),
        ("gunicorn app", "bin/python"),
        ("other -m x", "bin/python3"),
        ("long -m x", "a very/long/python"),
        ("longer -m x", "a/longer/python"),
        ("uv run flask run", ".venv/bin/python"),
        ("poetry run serve", ".venv/bin/python"),
        ("app.py", "bin/python"),
        ("python9 x", ""),
        ("gone", ""),
        ("make", ""),
    ],
)
def test_the_interpreter_is_found(words: str, interpreter: str, command: Callable[..., Command], folder: Path) -> None:
    """Where it is executed from, without executing anything."""
    base = folder.parent
    for name in ("venv", ".venv"):
        (base / name / "bin").mkdir(parents=True)
        executable(base / name / "bin" / "python", "")
        executable(base / name / "bin" / "python3.9", "")
    executable(base / "bin" / "flask", f"#!{base}/venv/bin/python3.9\nimport sys\n")
    executable(base / "bin" / "gunicorn", "#!/usr/bin/env -S python -u\n")
    executable(base / "bin" / "other", "#!/usr/bin/env python3\n")
    executable(base / "bin" / "gone", "#!/gone/bin/python\n")
    executable(base / "bin" / "long", f"#!/bin/sh\n'''exec' \"{base}/a very/long/python\" \"$0\" \"$@\"\n' '''\n")
    executable(base / "bin" / "longer", f"#!/bin/sh\n'''exec' {base}/a/longer/python \"$0\" \"$@\"\n' '''\n")
    (folder / "app.py").write_text("")
    assert command(words).interpreter == (f"{base}/{interpreter}" if interpreter else "")


@pytest.mark.parametrize(
    ("words", "it_does"),
    [
        ("gunicorn app", False),
        ("python -m x", False),
        ("FOO=1 gunicorn app", False),
        ("gunicorn app > log", False),
        ("cd x && exec gunicorn app", False),
        ("(exec gunicorn app)", False),
        ("cd x && gunicorn app", True),
        ("gunicorn app | tee log", True),
        ("npm start", True),
        ("uv run gunicorn app", True),
        ("cd executables; gunicorn app", True),
    ],
)
def test_what_starts_another_process(words: str, it_does: bool, command: Callable[..., Command]) -> None:
    """Who looks at LISTEN_PID does not find its own pid there."""
    assert forks(command(words).argv) is it_does


@pytest.mark.parametrize(
    ("words", "it_does"),
    [
        ("python app.py -S", True),
        ("python3.11 -u -X dev app.py", True),
        ("python -Wignore -mS app", True),
        ("python -I app.py", False),
        ("python -uS app.py", False),
        ("python -u -Ec 1", False),
        ("gunicorn -E app", True),
    ],
)
def test_what_python_lets_in(words: str, it_does: bool) -> None:
    """Not where it does not look for sitecustomize, or not at PYTHONPATH."""
    assert lets_runtime_in(words.split()) is it_does
