"""`--overlap`: the old process answers until the new one does."""

from __future__ import annotations

import socket
import sys
from functools import partial

import pytest

from tests.e2e.client import ask, asking, over_tcp
from tests.e2e.test_keep_sockets import ASYNCIO, HTTP, edit_and_ask, has
from tests.e2e.tool import Project, autoreload, run_briefly
from tests.support import eventually

SLOW = "import time; time.sleep(0.5)\n"
TELLING = """
import os, signal, socket, sys
print("began", flush=True)
signal.signal(signal.SIGTERM, lambda *ignored: (print("told to end", flush=True), os._exit(0)))
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
    notify.sendto(b"STATUS=up\\nREADY=1\\n", "\\0" + os.environ["NOTIFY_SOCKET"][1:])
while True:
    signal.pause()
"""


@pytest.fixture
def port() -> int:
    """One that was free just now."""
    with socket.create_server(("127.0.0.1", 0)) as it:
        return int(it.getsockname()[1])


@pytest.mark.parametrize("source", [HTTP, ASYNCIO])
def test_nobody_waits_for_a_slow_start(source: str, project: Project, port: int) -> None:
    """Nor is anybody refused. The start takes half a second, no answer as much."""
    path = project.write("server.py", SLOW + source)
    with autoreload(project, "--overlap", "--", sys.executable, "server.py", str(port)) as it:
        assert edit_and_ask(it, path, over_tcp(port)) == []
        assert it.restarts() == ["server.py"] * 3
        for _ in range(4):
            it.expect("^Ready in ")
        path.write_text(path.read_text().replace("version 4", "version 5"))
        it.expect("restart process: server.py$")
        assert ask(over_tcp(port)).endswith(b"version 4")
        eventually(lambda: ask(over_tcp(port)).endswith(b"version 5"))
        it.end()


def test_a_new_one_that_ends_before_leaves_the_old_one(project: Project, port: int) -> None:
    """And the fix takes its place."""
    path = project.write("server.py", HTTP)
    with autoreload(project, "--overlap", "--", sys.executable, "server.py", str(port)) as it:
        it.expect("^Ready in ")
        it.watching()
        with asking(over_tcp(port)) as answers:
            path.write_text("undefined\n" + HTTP)
            it.expect("^Process exited with code 1 ")
            it.expect("^The old process goes on running$")
            before = len(answers)
            eventually(lambda: len(answers) > before + 10)
            assert {answer[-9:] for answer in answers} == {b"version 1"}
            path.write_text(HTTP.replace("version 1", "version 2"))
            eventually(partial(has, answers, b"version 2"), what=it.text())
        assert {answer[-9:] for answer in answers} == {b"version 1", b"version 2"}
        it.end()


def test_a_command_may_say_itself_that_it_is_ready(project: Project) -> None:
    """As sd_notify(3) does. Then the old one is told to end."""
    path = project.write("app.py", TELLING)
    with autoreload(project, "--overlap", "--", sys.executable, "app.py") as it:
        it.expect("^Ready in ")
        it.watching()
        said = project.stdout.read_text
        path.write_text(TELLING.replace("began", "began again"))
        eventually(lambda: said().splitlines() == ["began", "began again", "told to end"], what=said())
        it.end()


def test_the_end_is_that_of_both(project: Project, port: int) -> None:
    """While the new one starts."""
    path = project.write("server.py", HTTP)
    with autoreload(project, "--overlap", "--", sys.executable, "server.py", str(port)) as it:
        it.expect("^Ready in ")
        it.watching()
        path.write_text("import time; print('began', flush=True); time.sleep(100)\n" + HTTP)
        eventually(lambda: "began" in project.stdout.read_text(), what=it.text())
        assert ask(over_tcp(port)).endswith(b"version 1")
        it.end()


def test_not_together_with_warm(project: Project) -> None:
    """One line."""
    code, _, err = run_briefly(project, "--overlap", "--warm", "true")
    assert code == 2
    assert err == "autoreload: --overlap and --warm cannot be had together; leave one of them out\n"
