"""The bundled example, and the self-check that shows it to work."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import _demo

ROOT = Path(__file__).parents[2]


@pytest.fixture
def listener() -> Iterator[int]:
    """A port of this machine that somebody listens at, and that answers nothing."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


@pytest.mark.slow
def test_the_self_check_passes_and_leaves_the_checkout_as_it_was() -> None:
    """The one real run: an edit is served, its time is told, nothing is left."""
    before = contents(ROOT / "examples")
    done = subprocess.run(
        [sys.executable, "script/_demo.py", "--self-check"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_demo.LIMIT + 10,
    )
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"self-check passed: the new answer came \d+ ms after the edit, and .*\n", done.stdout)
    assert contents(ROOT / "examples") == before


def contents(folder: Path) -> dict[Path, bytes]:
    """All files but bytecode."""
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file() and file.suffix != ".pyc"}


@pytest.mark.slow
def test_the_example_gets_its_port_again_at_once() -> None:
    """Its connections are in TIME_WAIT, where a port cannot be had again unless one asks for it."""
    port = _demo.free_port()
    for _ in range(2):
        server = subprocess.Popen(
            [sys.executable, ROOT / "examples/hello/app.py", str(port)],
            stdout=subprocess.PIPE,
            text=True,
        )
        with server:
            assert server.stdout
            assert server.stdout.readline() == f"Hello is served at http://127.0.0.1:{port}/\n"
            assert b"Hello, world!" in _demo.answer(port)
            server.send_signal(signal.SIGINT)
        assert server.returncode == 0


def test_a_free_port_is_found_where_the_usual_one_is_taken(listener: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Port 8000 is the one that everybody's server has."""
    monkeypatch.setattr(_demo, "USUAL_PORT", listener)
    assert _demo.free_port() not in (listener, 0)


def test_what_is_left_running_is_found() -> None:
    """Control of the self-check: by its environment, whatever its name and wherever in the tree of processes."""
    mark = f"/nonexistent/{os.getpid()}"
    assert _demo.marked(mark) == {}
    words = [sys.executable, "-c", "import time; time.sleep(60)"]
    with subprocess.Popen(words, env=os.environ | {_demo.MARK: mark}, start_new_session=True) as left:
        # Until its exec, the child has the environment of this process.
        _demo.wait_for("the child", lambda: bool(_demo.marked(mark)), time.monotonic() + 10)
        assert _demo.marked(mark) == {left.pid: " ".join(words)}
        left.kill()
    assert _demo.marked(mark) == {}


def test_an_answer_that_does_not_come_ends_in_one_line() -> None:
    """The limit holds for all of the self-check together."""
    with pytest.raises(_demo.Failure, match="the answer did not come within 20 s"):
        _demo.wait_for("the answer", lambda: False, time.monotonic())


def test_a_tool_that_ends_too_early_is_not_waited_for() -> None:
    """As when the call itself is wrong: the self-check says so at once."""
    with subprocess.Popen([sys.executable, "-c", "raise SystemExit(2)"]) as tool:
        tool.wait()
        with pytest.raises(_demo.Failure, match="autoreload ended with 2 before the answer"):
            _demo.wait_for("the answer", lambda: False, time.monotonic() + 10, tool)


def test_no_answer_and_half_an_answer_are_no_answer() -> None:
    """A server that is being stopped closes connections at any moment."""
    with socket.create_server(("127.0.0.1", 0)) as rude:
        port = rude.getsockname()[1]

        def hang_up() -> None:
            connection, _ = rude.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 10\r\n\r\nHel")

        thread = threading.Thread(target=hang_up)
        thread.start()
        assert _demo.answer(port) == b""
        thread.join()
    assert _demo.answer(port) == b""


def test_an_unknown_option_is_answered_with_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, as everywhere."""
    assert _demo.main(["--selfcheck"]) == 2
    assert capsys.readouterr().err == "usage: script/demo [--self-check]\n"
