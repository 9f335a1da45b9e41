"""Stale bytecode is removed, and nothing else."""

from __future__ import annotations

import errno
import importlib.machinery
import importlib.util
import os
import py_compile
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoreload.process.bytecode import Failure, remove_stale


def interpreters() -> list[str]:
    """This Python, and others on PATH that run and know the header (3.7 and later)."""
    found = [sys.executable]
    for folder in os.environ["PATH"].split(":"):
        for minor in range(7, 16):
            path = f"{folder}/python3.{minor}"
            if os.access(path, os.X_OK) and not subprocess.run([path, "-c", ""], capture_output=True).returncode:
                found.append(path)
    return found


IMPORT = "import sys; sys.path.insert(0, sys.argv[1]); import mod; print(mod.X)"


def cached(path: Path, source: Path, flags: int = 0, mtime: int | None = None, size: int | None = None) -> Path:
    """A cached file with a header for that source, as it is or as given."""
    status = source.stat()
    path.parent.mkdir(exist_ok=True, parents=True)
    mtime = int(status.st_mtime) if mtime is None else mtime
    size = status.st_size if size is None else size
    path.write_bytes(struct.pack("<4sIII", b"\xa7\r\r\n", flags, mtime & 0xFFFFFFFF, size & 0xFFFFFFFF) + b"code")
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A module."""
    path = tmp_path / "mod.py"
    path.write_text("X = 1\n")
    return path


def run(interpreter: str, source: Path, *options: str, **variables: str) -> str:
    """What a new process says X is."""
    environ = {"PATH": os.environ["PATH"], **variables}
    done = subprocess.run(
        [interpreter, *options, "-c", IMPORT, str(source.parent)],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def same_second_edit(source: Path, text: str) -> None:
    """Save with the size and the whole second of before."""
    before = source.stat()
    source.write_text(text)
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert source.stat().st_size == before.st_size


@pytest.mark.parametrize("options", [[], ["-O"], ["-OO"]], ids=lambda options: " ".join(options) or "plain")
def test_a_new_process_runs_the_new_code(options: list[str], source: Path) -> None:
    """A second save in the same second and of the same size; the control shows that Python alone runs the old."""
    interpreter = sys.executable
    assert run(interpreter, source, *options) == "1"
    same_second_edit(source, "X = 2\n")
    assert run(interpreter, source, *options) == "1", "the control: without removal the old code runs"
    assert remove_stale([str(source)], {}) == []
    assert run(interpreter, source, *options) == "2"
    assert source.read_text() == "X = 2\n"


@pytest.mark.slow
@pytest.mark.parametrize("interpreter", interpreters(), ids=os.path.basename)
def test_every_version_on_this_machine(interpreter: str, source: Path) -> None:
    """Whatever Python the command is of."""
    assert run(interpreter, source) == "1"
    same_second_edit(source, "X = 2\n")
    assert run(interpreter, source) == "1"
    assert remove_stale([str(source)], {}) == []
    assert run(interpreter, source) == "2"


@pytest.mark.parametrize("relative", [False, True])
def test_below_a_prefix(relative: bool, source: Path, tmp_path: Path) -> None:
    """PYTHONPYCACHEPREFIX; a relative one belongs to the start directory."""
    prefix = tmp_path / "caches"
    assert run(sys.executable, source, PYTHONPYCACHEPREFIX=str(prefix)) == "1"
    same_second_edit(source, "X = 2\n")
    given_prefix = "caches" if relative else str(prefix)
    assert remove_stale([str(source)], {"PYTHONPYCACHEPREFIX": given_prefix}, str(tmp_path)) == []
    assert run(sys.executable, source, PYTHONPYCACHEPREFIX=str(prefix)) == "2"


def test_below_a_prefix_through_a_link(source: Path, tmp_path: Path) -> None:
    """The module was imported by its real path, the change was seen through a link."""
    (tmp_path / "link").symlink_to(tmp_path)
    prefix = tmp_path / "caches"
    assert run(sys.executable, source, PYTHONPYCACHEPREFIX=str(prefix)) == "1"
    same_second_edit(source, "X = 2\n")
    remove_stale([str(tmp_path / "link" / "mod.py")], {"PYTHONPYCACHEPREFIX": str(prefix)})
    assert run(sys.executable, source, PYTHONPYCACHEPREFIX=str(prefix)) == "2"


def test_every_tag_and_level_goes(source: Path) -> None:
    """All that agrees with the source as it is now."""
    names = ("mod.cpython-39.pyc", "mod.cpython-313t.opt-1.pyc", "mod.pypy39.opt-2.pyc", "mod.cpython-311-pytest-8.pyc")
    paths = [cached(source.parent / "__pycache__" / name, source) for name in names]
    assert remove_stale([str(source)], {}) == []
    assert not any(path.exists() for path in paths)


def test_what_python_would_not_take_stays(source: Path) -> None:
    """Another time or size, checked by hash, of another module, or no bytecode at all."""
    folder = source.parent / "__pycache__"
    kept = [
        cached(folder / "mod.cpython-310.pyc", source, mtime=1),
        cached(folder / "mod.cpython-311.pyc", source, size=99),
        cached(folder / "mod.cpython-312.pyc", source, flags=1),
        cached(folder / "mod.cpython-313.pyc", source, flags=3),
        cached(folder / "model.cpython-311.pyc", source),
        cached(folder / "mod.sub.cpython-311.pyc", source),
        cached(folder / "mod.cpython-311.pyc.12345", source),
        cached(folder / "mod.pyc", source),
    ]
    short = folder / "mod.cpython-314.pyc"
    short.write_bytes(b"\xa7\r\r\n\0\0\0\0")
    assert remove_stale([str(source)], {}) == []
    assert all(path.exists() for path in [*kept, short, source])


def test_sources_that_are_gone_or_not_python_are_passed_over(source: Path, tmp_path: Path) -> None:
    """Nothing is read for them."""
    kept = cached(tmp_path / "__pycache__" / "settings.cpython-311.pyc", source)
    (tmp_path / "settings.toml").write_text("X = 1\n")
    assert remove_stale([str(tmp_path / "gone.py"), str(tmp_path / "settings.toml")], {}) == []
    assert kept.exists()


@pytest.mark.parametrize("mtime", [0, 1, -1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x1_0000_0001, 1_700_000_000])
def test_times_out_of_range(mtime: int, source: Path) -> None:
    """32 bits are compared, as Python does."""
    try:
        os.utime(source, (mtime, mtime))
    except OSError:
        pytest.skip("the file system does not keep such a time")
    py_compile.compile(str(source))
    path = Path(importlib.util.cache_from_source(str(source)))
    assert path.exists()
    remove_stale([str(source)], {})
    assert not path.exists()


def test_one_that_cannot_be_removed_is_told(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its path and the reason, and the others go."""
    folder = source.parent / "__pycache__"
    first, second = (cached(folder / f"mod.cpython-3{minor}.pyc", source) for minor in (11, 12))
    remove = os.unlink

    def unlink(path: str) -> None:
        if path == str(first):
            raise PermissionError(errno.EROFS, os.strerror(errno.EROFS))
        remove(path)

    monkeypatch.setattr(os, "unlink", unlink)
    assert remove_stale([str(source)], {}) == [Failure(str(first), errno.EROFS)]
    assert not second.exists()


@settings(deadline=None, max_examples=60)
@given(
    edits=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2), st.booleans()), max_size=8),
)
def test_whatever_the_edits_python_takes_no_old_code(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[int, int, bool]]
) -> None:
    """Saves of any content, time and order, with imports between some: after the removal, what Python would load is
    that of the last save."""
    folder = tmp_path_factory.mktemp("edits")
    source = folder / "mod.py"
    loader = importlib.machinery.SourceFileLoader("mod", str(source))
    for value, second, is_imported in [(0, 0, True), *edits]:
        source.write_text(f"X = {value}\n")
        os.utime(source, (1_700_000_000 + second, 1_700_000_000 + second))
        assert remove_stale([str(source)], {}) == []
        names: dict[str, int] = {}
        if is_imported:
            exec(loader.get_code("mod"), names)  # type: ignore[arg-type]
            assert names["X"] == value


def test_a_module_imported_by_the_name_of_a_link_is_not_stale(source: Path) -> None:
    """Its cached file has the name of the link, the change that of the file."""
    real = source.with_name("real.py")
    source.rename(real)
    source.symlink_to(real.name)
    assert run(sys.executable, source) == "1"
    same_second_edit(real, "X = 2\n")
    assert run(sys.executable, source) == "1", "not stale: the test proves nothing"

    assert remove_stale([str(real)], {}) == []

    assert run(sys.executable, source) == "2"


def test_a_folder_is_listed_once_however_many_of_its_files_changed(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """20,000 files made at once would else keep the start of the command waiting for minutes."""
    sources = [source.with_name(f"mod{number}.py") for number in range(50)]
    for path in sources:
        path.write_text("X = 1\n")
        cached(path.parent / "__pycache__" / f"{path.stem}.cpython-311.pyc", path)
    listed: list[str] = []

    def count(function: Callable[[str], Any]) -> Callable[[str], Any]:
        def counted(path: str) -> Any:
            listed.append(path)
            return function(path)

        return counted

    monkeypatch.setattr(os, "scandir", count(os.scandir))
    monkeypatch.setattr(os, "listdir", count(os.listdir))

    assert remove_stale(map(str, sources), {}) == []

    assert sorted(listed) == [str(source.parent), str(source.parent / "__pycache__")]
    assert not any((source.parent / "__pycache__").iterdir())
