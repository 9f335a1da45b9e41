"""The compiler beside the command: real interpreters, real files."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from autoreload.core.soundness import Answer, Verdict
from autoreload.linux.descendants import own_children
from autoreload.process.compiler import Compiler
from autoreload.process.recognise import find
from tests.support import eventually, state

Ask = Callable[[Path, bool], Answer]


def runs(interpreter: str) -> bool:
    """Is it more than a name (pyenv)?"""
    return subprocess.run([interpreter, "-c", ""], cwd="/", capture_output=True).returncode == 0


FOUND = filter(None, (find(f"python3.{minor}", "/", os.environ) for minor in range(9, 20)))
PYTHONS = [sys.executable, *filter(runs, FOUND)]
SOUND = Answer(Verdict.SOUND)


def compiler(interpreter: str = sys.executable, directory: str = "/") -> Compiler:
    """One that gets nothing from the environment of the tests but where to find programs."""
    return Compiler(interpreter, directory, {b"PATH": os.environb[b"PATH"]})


def answer(it: Compiler, path: Path, may_trust: bool = False) -> Answer:
    """What it says of the file."""
    assert it.ask(str(path), may_trust)
    return hear(it)


def hear(it: Compiler) -> Answer:
    """What it says next."""
    while True:
        select.select([it], [], [], 10)
        if found := it.read():
            return found


def source(path: Path, data: str | bytes) -> Path:
    """A file with that in it."""
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


@pytest.fixture(params=PYTHONS, ids=os.path.basename)
def it(request: pytest.FixtureRequest) -> Iterator[Compiler]:
    """One of each interpreter that there is."""
    with closing(compiler(request.param)) as made:
        yield made


def test_a_file_that_compiles(it: Compiler, tmp_path: Path) -> None:
    """Whatever it would do: it is not executed. What Python only warns of is no error."""
    assert answer(it, source(tmp_path / "a.py", "import os; os._exit(1)\nassert (1, '\\d')\n")) == SOUND
    assert answer(it, source(tmp_path / "b.py", "")) == SOUND


def test_a_file_that_does_not(it: Compiler, tmp_path: Path) -> None:
    """As Python shows it: file, line, caret."""
    path = source(tmp_path / "a.py", "x = 1\ny = x +\n")
    verdict, text, has_compiled = answer(it, path)
    assert (verdict, has_compiled) == (Verdict.BROKEN, False)
    assert text.startswith(f'  File "{path}", line 2\n    y = x +\n')
    assert text.splitlines()[2].strip(" ") == "^"
    assert text.endswith("SyntaxError: invalid syntax\n")


@pytest.mark.parametrize(
    "data",
    [
        "return 1\n",
        "if x:\npass\n",
        "if x:\n\tpass\n        pass\n",
        "def f(a, a): pass\n",
        "x = 'never closed\n",
        "x = 1\n<<<<<<< HEAD\n",
        b"x = '\xe9'\n",
        b"# coding: nonsense\n",
        b"x = 1\0\n",
        "{{ cookiecutter.name }} is {% no %} Python",
    ],
)
def test_what_python_would_not_import(data: str | bytes, tmp_path: Path) -> None:
    """Errors of the parser and of what comes after it, wrong encodings, a NUL."""
    with closing(compiler()) as it:
        path = source(tmp_path / "a.py", data)
        verdict, text, _ = answer(it, path)
        assert verdict is Verdict.BROKEN
        assert str(path) in text or "Error: " in text


def test_the_encoding_that_a_file_names(tmp_path: Path) -> None:
    """PEP 263; and a byte order mark."""
    with closing(compiler()) as it:
        assert answer(it, source(tmp_path / "a.py", b"# -*- coding: latin-1 -*-\nx = '\xe9'\n")) == SOUND
        assert answer(it, source(tmp_path / "b.py", b"\xef\xbb\xbfx = '\xc3\xa9'\r\n")) == SOUND


def test_what_is_no_source(tmp_path: Path) -> None:
    """It is not waited for a pipe, and nothing is said of what is too large, too deep, or a folder."""
    with closing(compiler()) as it:
        os.mkfifo(tmp_path / "pipe.py")
        assert answer(it, tmp_path / "pipe.py").verdict is Verdict.UNKNOWN
        assert answer(it, tmp_path).verdict is Verdict.UNKNOWN
        assert answer(it, source(tmp_path / "large.py", "(" * ((1 << 20) + 1))).verdict is Verdict.UNKNOWN
        assert answer(it, tmp_path / "none.py").verdict is Verdict.GONE
        assert answer(it, source(tmp_path / "a.py", "") / "b.py").verdict is Verdict.GONE
        assert answer(it, source(tmp_path / os.fsdecode(b"\xff.py"), "")) == SOUND


def test_what_is_too_deep_holds_nothing(it: Compiler, tmp_path: Path) -> None:
    """Whether it refuses it or dies of it; then there is another one."""
    assert answer(it, source(tmp_path / "deep.py", "-" * 200_000 + "1")).verdict in (Verdict.UNKNOWN, Verdict.BROKEN)
    assert answer(it, source(tmp_path / "a.py", "x = 1")) == SOUND


class TestBytecode:
    """What Python has compiled before."""

    @pytest.fixture
    def compiled(self, tmp_path: Path) -> Path:
        """A source with its bytecode."""
        import py_compile

        path = source(tmp_path / "a.py", "x = 1\n")
        assert py_compile.compile(str(path))
        return path

    def test_it_shows_that_the_file_once_compiled(self, compiled: Path) -> None:
        """Though nobody has asked then."""
        compiled.write_text("x = = 1\n")
        with closing(compiler()) as it:
            assert answer(it, compiled)[::2] == (Verdict.BROKEN, True)

    def test_it_is_trusted_only_where_that_is_allowed(self, compiled: Path) -> None:
        """Same time, same size: which a save within the same second may have too."""
        times = compiled.stat()
        compiled.write_text("x = =\n")
        os.utime(compiled, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert compiled.stat().st_size == times.st_size
        with closing(compiler()) as it:
            assert answer(it, compiled, may_trust=True) == SOUND
            assert answer(it, compiled).verdict is Verdict.BROKEN
            os.utime(compiled, (1, 1))
            assert answer(it, compiled, may_trust=True).verdict is Verdict.BROKEN


class TestLife:
    """It is there when it is needed, and not when it is not."""

    def test_it_ends_with_us(self, tmp_path: Path) -> None:
        """Also if we are killed: nobody holds the other end of its socket."""
        before = set(own_children())
        it = compiler()
        answer(it, source(tmp_path / "a.py", ""))
        (pid,) = set(own_children()) - before
        assert it._socket is not None
        it._socket.shutdown(2)
        eventually(lambda: state(pid) == "Z")
        it.close()
        os.waitpid(pid, 0)

    def test_it_holds_nothing_open_that_is_not_its_own(self, tmp_path: Path) -> None:
        """A pipe that is inherited must end when the command has ended."""
        before = set(own_children())
        reading, writing = os.pipe()
        os.set_inheritable(writing, True)
        with closing(compiler()) as it:
            answer(it, source(tmp_path / "a.py", ""))
            os.close(writing)
            assert os.read(reading, 1) == b""
            os.close(reading)
            (pid,) = set(own_children()) - before
            assert sorted(os.listdir(f"/proc/{pid}/fd")) == ["0", "1", "2"]

    @pytest.mark.parametrize("asked", [False, True])
    def test_one_that_was_killed_is_replaced(self, asked: bool, tmp_path: Path) -> None:
        """Also if it was asked something: the next one is asked again."""
        path = source(tmp_path / "a.py", "")
        before = set(own_children())
        with closing(compiler()) as it:
            assert answer(it, path) == SOUND
            (pid,) = set(own_children()) - before
            os.kill(pid, signal.SIGSTOP)
            if asked:
                assert it.ask(str(path), may_trust=False)
            os.kill(pid, signal.SIGKILL)
            eventually(lambda: state(pid) == "Z")
            assert (hear(it) if asked else answer(it, path)) == SOUND
            assert set(own_children()) - before - {pid}

    def test_ctrl_c_is_not_for_it(self, tmp_path: Path) -> None:
        """It is in the foreground process group, as the command."""
        path = source(tmp_path / "a.py", "")
        before = set(own_children())
        with closing(compiler()) as it:
            assert answer(it, path) == SOUND
            (pid,) = set(own_children()) - before
            for number in (signal.SIGINT, signal.SIGTSTP, signal.SIGHUP, signal.SIGQUIT):
                os.kill(pid, number)
            assert answer(it, path) == SOUND

    @pytest.mark.parametrize("interpreter", ["", "/nonexistent/python", "/bin/false"])
    def test_where_there_is_none_nothing_is_known(self, interpreter: str, tmp_path: Path) -> None:
        """And it is not tried for ever."""
        path = source(tmp_path / "a.py", "")
        with closing(compiler(interpreter)) as it:
            answers = 0
            while it.ask(str(path), False):
                assert hear(it).verdict is Verdict.UNKNOWN
                answers += 1
                assert answers < 5

    def test_where_the_folder_is_gone_there_is_none(self, tmp_path: Path) -> None:
        """And we stay where we are."""
        here = os.getcwd()
        with closing(compiler(directory=str(tmp_path / "gone"))) as it:
            assert not it.ask("a.py", False)
        assert os.getcwd() == here
