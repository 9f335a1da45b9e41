"""The lines that a person reads, and what happens when nobody can."""

from __future__ import annotations

import errno
import os
import pty
import signal
from collections.abc import Callable, Iterator, Mapping

import pytest

from autoreload.core.change import Kind
from autoreload.core.lifecycle import Cause, State
from autoreload.report import Level, Report, printable


class Pipe:
    """A report at the writing end of a pipe."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)

    def report(self, level: Level = Level.DETAIL, environ: Mapping[str, str] | None = None) -> Report:
        """A report that writes into the pipe."""
        return Report(self.writer, level, environ or {}, "/app")

    def lines(self) -> list[str]:
        """What has been written."""
        try:
            return os.read(self.reader, 1 << 20).decode().splitlines()
        except BlockingIOError:
            return []


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """A pipe that is closed in the end."""
    made = Pipe()
    yield made
    for fd in (made.reader, made.writer):
        try:
            os.close(fd)
        except OSError:
            pass


Telling = Callable[[Report], None]


@pytest.mark.parametrize(
    ("tell", "line"),
    [
        (lambda r: r.monitoring(".", ".py .xml", False), "Start monitoring . (.py .xml; type Ctrl-C to exit)"),
        (
            lambda r: r.restart(Cause.CHANGE, {"/app/models.py": Kind.WRITTEN}),
            "Modification detected, restart process: models.py",
        ),
        (
            lambda r: r.slow_stop({"/app/a.py": Kind.WRITTEN}, 4.5),
            "Modification detected (a.py), waiting for the process to end; it is killed in 4.5 s",
        ),
        (
            lambda r: r.slow_stop({"/app/a.py": Kind.WRITTEN}, 4.5, answers=True),
            "Modification detected (a.py), waiting for the process to answer its clients",
        ),
        (
            lambda r: r.restart(Cause.CHANGE, {"/app/a.py": Kind.VANISHED, "/x/b.py": Kind.WRITTEN}),
            "Modification detected, restart process: a.py (deleted) and 1 more",
        ),
        (
            lambda r: r.exited(1, 0.25, State.IDLE, 0.0),
            "Process exited with code 1 after 250 ms; waiting for a change",
        ),
        (
            lambda r: r.exited(-signal.SIGSEGV, 3.0, State.BACKING_OFF, 0.1),
            "Process was killed by SIGSEGV after 3.0 s; restart in 100 ms",
        ),
        (lambda r: r.exited(0, 1.0, State.FINISHED, 0.0), "Process exited with code 0 after 1.0 s"),
        (
            lambda r: r.own_write("/app/state.json"),
            "state.json was written by the command itself: that does not restart it",
        ),
        (
            lambda r: r.held_back("/app/.git/index.lock"),
            "Git is at work (.git/index.lock): the restart waits until it has finished",
        ),
        (
            lambda r: r.failed("./srv -c x", "./srv", errno.ENOENT, State.IDLE),
            "Cannot start ./srv: there is no such file or command (check its name and PATH); waiting for a change",
        ),
        (
            lambda r: r.failed("./script", "/opt/perl", errno.ENOENT, State.FINISHED),
            "Cannot start ./script: /opt/perl: there is no such file or command (check the #! line)",
        ),
        (
            lambda r: r.directory_gone("/app", errno.ENOENT, State.IDLE),
            "Cannot enter /app: No such file or directory; waiting for a change",
        ),
        (
            lambda r: r.failed("./srv", "./srv", errno.EACCES, State.BACKING_OFF),
            "Cannot start ./srv: it is not executable (chmod +x ./srv, or name its interpreter); waiting for it",
        ),
        (lambda r: r.ending(signal.SIGTERM, True), "SIGTERM received, stop process"),
        (lambda r: r.ending(signal.SIGINT, True), "SIGINT received, stop process (Ctrl-C again kills it)"),
        (
            lambda r: r.stuck([(12, "sudo", "belongs to user root")], False),
            "Cannot end process 12 (sudo): belongs to user root; the command is not started again before it is gone",
        ),
        (lambda r: r.notice("limit reached", "raise it", False), "limit reached; raise it"),
        (
            lambda r: r.not_counted("/app/a.txt", Kind.WRITTEN, "its name ends with none of .py"),
            "No restart for a.txt, written: its name ends with none of .py",
        ),
    ],
)
def test_one_line_says_what_happened_and_why(pipe: Pipe, tell: Telling, line: str) -> None:
    """In the words of the first autoreload, where it had them."""
    tell(pipe.report())

    assert pipe.lines() == [f"==> {line} <=="]


def test_quiet_leaves_out_what_needs_no_attention(pipe: Pipe) -> None:
    """A crash stays."""
    report = pipe.report(Level.ATTENTION)
    report.monitoring(".", ".py", False)
    report.restart(Cause.CHANGE, {"/app/a.py": Kind.WRITTEN})
    report.exited(0, 1.0, State.IDLE, 0.0)
    report.detail("more")
    assert pipe.lines() == []

    report.exited(1, 1.0, State.IDLE, 0.0)
    assert len(pipe.lines()) == 1


def test_a_full_pipe_drops_lines_and_says_how_many(pipe: Pipe) -> None:
    """Writing never blocks."""
    report = pipe.report()
    for _ in range(5000):
        report.detail("x" * 100)
    before = pipe.lines()
    dropped = 5000 - len(before)
    assert dropped > 0

    report.detail("after")
    assert pipe.lines() == [f"==> ({dropped} lines could not be written) after <=="]


def test_a_reader_that_is_gone_is_no_error(pipe: Pipe) -> None:
    """EPIPE; a closed descriptor as well."""
    os.close(pipe.reader)
    pipe.report().detail("x")
    os.close(pipe.writer)
    pipe.report().detail("x")


def test_colours_are_for_terminals_unless_asked_otherwise(pipe: Pipe) -> None:
    """NO_COLOR, FORCE_COLOR and TERM=dumb."""
    terminal, other = pty.openpty()
    os.set_blocking(terminal, False)

    def coloured(fd: int, environ: dict[str, str]) -> bool:
        Report(fd, Level.DETAIL, environ, "/app").detail("x")
        return b"\x1b[" in os.read(terminal if fd == other else pipe.reader, 1000)

    assert coloured(other, {"TERM": "xterm"})
    assert not coloured(other, {"TERM": "xterm", "NO_COLOR": "1"})
    assert not coloured(other, {"TERM": "dumb"})
    assert not coloured(other, {})
    assert not coloured(pipe.writer, {"TERM": "xterm"})
    assert coloured(pipe.writer, {"FORCE_COLOR": "1"})
    os.close(terminal)
    os.close(other)


def test_the_screen_is_cleared_only_where_there_is_one(pipe: Pipe) -> None:
    """--clear into a file writes nothing."""
    pipe.report(environ={"TERM": "xterm"}).clear()

    assert pipe.lines() == []


def test_names_cannot_speak_to_the_terminal() -> None:
    """Control characters and bytes that are not UTF-8 are escaped."""
    assert printable("caf\u00e9.py") == "caf\u00e9.py"
    assert printable("a\x1b[2Jb\n.py") == "a\\x1b[2Jb\\n.py"
    assert printable(os.fsdecode(b"caf\xe9.py")) == "caf\\xe9.py"
