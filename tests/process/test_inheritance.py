"""The command finds what autoreload was started with: signals, descriptors, environment, directory."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.process.helpers import code, tool
from tests.support import eventually

STATUS = ["cp", "/proc/self/status"]
"""Not a shell: dash clears the mask."""
CHANGED_SIGNALS = """
import os, signal, sys
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
for name in sys.argv[1].split(","):
    signal.signal(getattr(signal, name), signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_SETMASK, {signal.SIGUSR2, signal.SIGRTMAX})
os.execvp(sys.argv[2], sys.argv[2:])
"""
DESCRIPTORS = """
import json, os, sys
def is_open(fd):
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True
found = [fd for fd in range(1024) if is_open(fd)]
with open(sys.argv[1] + ".new", "w") as file:
    json.dump(found, file)
os.rename(sys.argv[1] + ".new", sys.argv[1])
"""
ENVIRONMENT = """
import os, sys
with open(sys.argv[1] + ".new", "wb") as file:
    file.write(open("/proc/self/environ", "rb").read())
os.rename(sys.argv[1] + ".new", sys.argv[1])
"""
DIRECTORY = """
import os, sys
with open(sys.argv[1] + ".new", "w") as file:
    file.write(str(os.stat(".").st_ino))
os.rename(sys.argv[1] + ".new", sys.argv[1])
"""


def fields(status: Path) -> dict[str, int]:
    """The signal sets of /proc/PID/status."""
    lines = (line.split(":\t") for line in status.read_text().splitlines())
    # 32 and 33 are glibc's own: posix_spawn(3) sets them to be ignored, and who needs them takes them back.
    return {name: int(value, 16) & ~bits(32, 33) for name, value in lines if name in ("SigBlk", "SigIgn")}


def bits(*signals: int) -> int:
    """The set of these signals."""
    return sum(1 << (number - 1) for number in signals)


@pytest.mark.parametrize("ignored", [["SIGHUP"], ["SIGINT", "SIGQUIT"], ["SIGCHLD", "SIGHUP"], ["SIGTERM"]])
def test_the_command_finds_the_signals_as_they_were(ignored: list[str], mark: str, tmp_path: Path) -> None:
    """What was ignored or blocked stays so (also at the ends of the range), and nothing else is; SIGPIPE and SIGXFSZ,
    which Python ignores for itself, are as they were too."""
    seen = tmp_path / "status"
    changed = [sys.executable, "-S", "-E", "-c", CHANGED_SIGNALS, ",".join(ignored)]
    with tool([*STATUS, str(seen)], mark, before=changed) as it:
        it.start()
        assert it.next() == ["Exited", 1, 0]
        assert fields(seen)["SigBlk"] == bits(signal.SIGUSR2, signal.SIGRTMAX)
        assert fields(seen)["SigIgn"] == bits(*(getattr(signal, name) for name in ignored))


def test_children_are_collected_although_sigchld_was_ignored(mark: str, tmp_path: Path) -> None:
    """The exit code is told though autoreload was started by one who ignores the end of children."""
    changed = [sys.executable, "-S", "-E", "-c", CHANGED_SIGNALS, "SIGCHLD"]
    with tool(code("raise SystemExit(7)"), mark, before=changed) as it:
        it.start()
        assert it.next() == ["Exited", 1, 7]


def test_descriptors_keep_their_numbers(mark: str, tmp_path: Path) -> None:
    """Inherited descriptors are there under the same numbers, as `<(...)` and a jobserver need; none of ours is."""
    seen = tmp_path / "seen"
    before = ["/bin/bash", "-c", 'exec 7</dev/null 33>/dev/null; exec "$@"', "bash"]
    with tool(code(DESCRIPTORS, str(seen)), mark, before=before) as it:
        it.start()
        eventually(seen.exists)
        assert json.loads(seen.read_text()) == [0, 1, 2, 7, 33]


def test_a_new_guard_has_no_descriptor_more(mark: str, tmp_path: Path) -> None:
    """Nor is there one after the guard was killed and replaced."""
    seen = tmp_path / "seen"
    with tool(code(DESCRIPTORS, str(seen)), mark) as it:
        os.kill(it.guard, signal.SIGKILL)
        it.expect("GuardLost")
        it.start()
        eventually(seen.exists)
        assert json.loads(seen.read_text()) == [0, 1, 2]


@pytest.mark.parametrize("locale", [{"LANG": "C"}, {"LC_ALL": "C"}, {"LC_CTYPE": "C.UTF-8"}], ids=str)
def test_the_environment_is_untouched(locale: dict[str, str], mark: str, tmp_path: Path) -> None:
    """Variable by variable what autoreload was started with, also where Python sets LC_CTYPE for itself (PEP 538)."""
    seen = tmp_path / "seen"
    names = ("LANG", "LC_ALL", "LC_CTYPE")
    clean = ["env", *(word for name in names for word in ("-u", name)), *(f"{k}={v}" for k, v in locale.items())]
    wanted = subprocess.run([*clean, *code(ENVIRONMENT, str(seen))], check=True, env={**os.environ, "MARK": mark})
    assert wanted.returncode == 0
    expected = set(seen.read_bytes().split(b"\0"))
    seen.unlink()
    with tool(code(ENVIRONMENT, str(seen)), mark, before=clean) as it:
        it.start()
        eventually(seen.exists)
        found = set(seen.read_bytes().split(b"\0"))
    assert {entry for entry in found if not entry.startswith(b"PYTHONPATH=")} == {
        entry for entry in expected if not entry.startswith(b"PYTHONPATH=")
    }


def test_the_start_directory_is_entered_by_its_path(mark: str, tmp_path: Path) -> None:
    """A directory that was replaced between two starts is entered anew; one that is missing is a failed start."""
    root, seen = tmp_path / "root", tmp_path / "seen"
    root.mkdir()
    with tool(code(DIRECTORY, str(seen)), mark, {"TOOL_DIRECTORY": str(root)}) as it:
        it.start(1)
        eventually(seen.exists)
        assert int(seen.read_text()) == root.stat().st_ino
        it.stop()
        seen.unlink()

        root.rename(tmp_path / "old")
        it.ask("start", 2)
        assert it.next() == ["Failed", 2, errno.ENOENT, str(root), True]

        root.mkdir()
        it.start(3)
        eventually(seen.exists)
        assert int(seen.read_text()) == root.stat().st_ino


def test_names_that_are_not_utf8_are_kept(mark: str, tmp_path: Path) -> None:
    """Arguments are bytes to the kernel, and stay those bytes."""
    seen = tmp_path / "seen"
    odd = os.fsdecode(b"\xff\xfe")
    with tool(
        code("import os,sys; open(sys.argv[1],'wb').write(os.fsencode(sys.argv[2]))", str(seen), odd), mark
    ) as it:
        it.start()
        eventually(lambda: seen.exists() and seen.read_bytes() == b"\xff\xfe")


class TestWhatCannotBeExecuted:
    """A command that cannot be executed is told with its errno and the file; the next start is like any other."""

    def fail(self, command: list[str], mark: str, directory: Path) -> list[object]:
        """What is told about it."""
        with tool(command, mark, {"TOOL_DIRECTORY": str(directory)}) as it:
            it.ask("start", 1)
            told = it.next()
            assert it.stop()[2] == 0
        return told

    def test_no_such_program(self, mark: str, tmp_path: Path) -> None:
        """A name that is in no folder of PATH is told as it was given."""
        assert self.fail(["no-such-program"], mark, tmp_path) == ["Failed", 1, errno.ENOENT, "no-such-program", False]

    def test_no_such_file(self, mark: str, tmp_path: Path) -> None:
        """A path whose folder changed just now may be on its way."""
        assert self.fail(["./missing"], mark, tmp_path) == ["Failed", 1, errno.ENOENT, "./missing", True]
        assert self.fail(["/nowhere/missing"], mark, tmp_path) == ["Failed", 1, errno.ENOENT, "/nowhere/missing", False]

    def test_a_path_longer_than_a_message(self, mark: str, tmp_path: Path) -> None:
        """Is told as far as a path can be long."""
        told = self.fail(["./" + 70_000 * "x"], mark, tmp_path)
        assert told[2:4] == [errno.ENAMETOOLONG, "./" + 4094 * "x"]

    def test_not_executable(self, mark: str, tmp_path: Path) -> None:
        """A file without the permission."""
        (tmp_path / "script").write_text("#!/bin/sh\n")
        assert self.fail(["./script"], mark, tmp_path) == ["Failed", 1, errno.EACCES, "./script", True]

    def test_still_written(self, mark: str, tmp_path: Path) -> None:
        """A binary that a linker has open."""
        shutil.copy("/bin/sleep", tmp_path / "binary")
        with open(tmp_path / "binary", "r+b"):
            assert self.fail(["./binary", "9"], mark, tmp_path) == ["Failed", 1, errno.ETXTBSY, "./binary", True]

    def test_no_interpreter(self, mark: str, tmp_path: Path) -> None:
        """A script is there, but what it names behind `#!` is not: that is what is missing."""
        (tmp_path / "script").write_text("#!/no/such/python -u\n")
        (tmp_path / "script").chmod(0o755)
        assert self.fail(["./script"], mark, tmp_path)[2:4] == [errno.ENOENT, "/no/such/python"]

    def test_for_another_machine(self, mark: str, tmp_path: Path) -> None:
        """A binary that the kernel does not know is not given to the shell."""
        (tmp_path / "binary").write_bytes(b"\x7fELF\0\0\0\0 something else")
        (tmp_path / "binary").chmod(0o755)
        assert self.fail(["./binary"], mark, tmp_path)[2:4] == [errno.ENOEXEC, "./binary"]

    def test_a_script_without_an_interpreter_is_run_by_the_shell(self, mark: str, tmp_path: Path) -> None:
        """As execvp(3) does, and so make and every shell."""
        (tmp_path / "script").write_text("echo $1 > seen\n")
        (tmp_path / "script").chmod(0o755)
        with tool(["./script", "hello"], mark, {"TOOL_DIRECTORY": str(tmp_path)}) as it:
            it.start()
            assert it.next() == ["Exited", 1, 0]
        assert (tmp_path / "seen").read_text() == "hello\n"

    def test_a_directory_of_that_name_on_path_is_passed_over(self, mark: str, tmp_path: Path) -> None:
        """The search goes on behind it, and behind a file that may not be executed."""
        for folder, is_directory in (("a", True), ("b", False), ("c", False)):
            (tmp_path / folder).mkdir()
            if is_directory:
                (tmp_path / folder / "program").mkdir()
            else:
                (tmp_path / folder / "program").write_text("#!/bin/sh\nexit 5\n")
        (tmp_path / "c" / "program").chmod(0o755)
        path = f"{tmp_path}/a:{tmp_path}/b:{tmp_path}/c:{os.environ['PATH']}"
        with tool(["program"], mark, {"PATH": path}) as it:
            it.start()
            assert it.next() == ["Exited", 1, 5]
