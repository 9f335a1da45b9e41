"""--listen: no connection is refused while the command restarts, and what is asked then, the new process answers."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.client import ask, asking, over_tcp, over_unix
from tests.e2e.tool import PYTHON, Project, Tool, autoreload, run_briefly
from tests.support import eventually

SERVER = """
import os, select, signal, socket
VERSION = "version 1"
assert os.environ["LISTEN_PID"] == str(os.getpid())
over, wake = os.pipe()
signal.signal(signal.SIGTERM, lambda *ignored: os.write(wake, b"x"))
listeners = [socket.socket(fileno=number) for number in range(3, 3 + int(os.environ["LISTEN_FDS"]))]
while True:
    ready = select.select([over, *listeners], [], [])[0]
    if over in ready:
        break
    for listener in ready:
        client, _ = listener.accept()
        client.recv(999)
        client.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\n" + VERSION.encode())
        client.close()
"""
NODE = """
const VERSION = "version 1"
const server = require("http").createServer((request, response) => response.end(VERSION)).listen({fd: 3})
process.on("SIGTERM", () => server.close(() => process.exit(0)))
"""
C = r"""
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#define VERSION "version 1"
static volatile int over;
static void end(int number) { over = number; }
int main(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = end;
    sigaction(SIGTERM, &action, 0);
    if (atoi(getenv("LISTEN_PID")) != getpid()) return 3;
    while (!over) {
        int client = accept(3, 0, 0);
        char text[999];
        if (client < 0) continue;
        read(client, text, sizeof text);
        write(client, "HTTP/1.0 200 OK\r\n\r\n" VERSION, 19 + strlen(VERSION));
        close(client);
    }
}
"""


@pytest.fixture
def port() -> int:
    """One that was free just now."""
    with socket.create_server(("127.0.0.1", 0)) as it:
        return int(it.getsockname()[1])


def has(answers: list[bytes], text: bytes) -> bool:
    """Has somebody got that?"""
    return any(answer.endswith(text) for answer in list(answers))


def edit_and_ask(tool: Tool, path: Path, connect: Callable[[], socket.socket]) -> None:
    """A client asks all the time; it gets nothing but answers, in the end those of the last version."""
    with asking(connect) as answers:
        eventually(partial(has, answers, b"version 1"), what=tool.text())
        for number in range(2, 6):
            path.write_text(path.read_text().replace(f"version {number - 1}", f"version {number}"))
            eventually(partial(has, answers, b"version %d" % number), what=tool.text())
    assert [answer for answer in answers if not answer.startswith(b"HTTP/1.")] == []
    assert len(answers) > 20
    assert tool.restarts() == [path.name] * 4


def test_no_connection_is_refused_over_restarts(project: Project, port: int) -> None:
    """Of a server that answers what it has accepted before it ends. The first clients come before it is up."""
    path = project.write("server.py", SERVER)
    with autoreload(project, "--listen", str(port), "--", *PYTHON, "server.py") as it:
        it.expect(f"^Listening on 127.0.0.1:{port}$")
        it.watching()
        edit_and_ask(it, path, over_tcp(port))
        it.end()
    with pytest.raises(ConnectionRefusedError):
        over_tcp(port)()


def test_several_sockets_and_one_that_is_named_in_the_file(project: Project, port: int) -> None:
    """A Unix socket, relative to the file; a port, twice 127.0.0.1 and ::1."""
    project.write("pyproject.toml", f'[tool.autoreload]\nlisten = ["unix:app.sock", "{port}", "[::1]:{port}"]\n')
    path = project.write("server.py", SERVER)
    with autoreload(project, "--", *PYTHON, "server.py") as it:
        sock = project.tree / "app.sock"
        it.expect(rf"^Listening on unix:{sock}, 127.0.0.1:{port}, \[::1\]:{port}$")
        it.watching()
        edit_and_ask(it, path, over_unix(str(sock)))
        with asking(over_tcp(port)) as answers:
            eventually(lambda: answers)
        assert all(answer.endswith(b"version 5") for answer in answers)
        it.end()
        assert not sock.exists()


@pytest.mark.needs("gcc")
def test_a_program_in_c_that_is_built_anew(project: Project, port: int) -> None:
    """Behind a shell, with `exec`."""
    path = project.write("server.c", C)
    build = "gcc -o server server.c && exec ./server"
    with autoreload(project, "--listen", str(port), "-e", ".c", build) as it:
        it.expect("^Listening on ")
        it.watching()
        edit_and_ask(it, path, over_tcp(port))
        assert "LISTEN_PID" not in it.text()
        it.end()


@pytest.mark.needs("node")
def test_a_program_in_javascript(project: Project, port: int) -> None:
    """Which is told the number of the descriptor."""
    path = project.write("server.js", NODE)
    with autoreload(project, "--listen", str(port), "-e", ".js", "node", "server.js") as it:
        it.expect("^Listening on ")
        it.watching()
        edit_and_ask(it, path, over_tcp(port))
        it.end()


def test_the_guard_may_be_killed(project: Project, port: int) -> None:
    """Its successor has the sockets too."""
    project.write("server.py", SERVER)
    with autoreload(project, "--listen", str(port), "--", *PYTHON, "server.py") as it:
        it.expect("^Listening on ")
        with asking(over_tcp(port)) as answers:
            eventually(lambda: len(answers) > 3)
            os.kill(it.guard(), 9)
            it.expect("^The process that guards the command was killed, restart process$")
            before = len(answers)
            eventually(lambda: len(answers) > before + 10)
        assert b"ConnectionRefusedError" not in answers
        it.end()


def test_a_line_of_shell_without_exec_is_told_of(project: Project, port: int) -> None:
    """The server is another process than the one that was executed."""
    with autoreload(project, "--listen", str(port), f"true && {shutil.which('sleep')} 100; true") as it:
        it.expect("^LISTEN_PID is that of the program which starts the server here: .* write `exec` before it")
        it.end()


def test_a_port_that_is_taken_is_one_line(project: Project, port: int) -> None:
    """Exit code 2, and nothing was started."""
    with socket.create_server(("127.0.0.1", port)):
        code, out, err = run_briefly(project, "--listen", str(port), sys.executable, "-c", "print('started')")
    assert (code, out) == (2, "")
    said = f"autoreload: cannot listen on 127.0.0.1:{port}: somebody listens there already; end that, or take another\n"
    assert err == said


def test_descriptor_3_of_a_script_is_not_taken_away(project: Project) -> None:
    """It keeps its number, or it is an error."""
    call = [sys.executable, "-m", "autoreload", "--listen", "0", "cat"]
    line = 'exec 3</dev/null; exec "$@"'
    done = subprocess.run(
        ["/bin/bash", "-c", line, "bash", *call], env=project.environ, cwd=project.tree, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith("autoreload: descriptor 3 was passed to autoreload (/dev/null)")


def test_a_crash_is_seen_by_clients_and_so_is_the_fix(project: Project, port: int) -> None:
    """Three times, with a client that never stops: it gets one version, 503, then the next. None is refused, reset or
    left waiting."""
    path = project.write("server.py", SERVER)
    with autoreload(project, "--listen", str(port), "--", *PYTHON, "server.py") as it:
        it.expect("^Listening on ")
        it.watching()
        with asking(over_tcp(port)) as answers:
            for number in range(1, 4):
                version = b"version %d" % number
                path.write_text(SERVER.replace("version 1", version.decode()))
                eventually(partial(has, answers, version), what=it.text())
                before = len(answers)
                path.write_text("undefined\n" + SERVER)
                it.expect("^Process exited with code 1 .*; waiting for a change$")
                eventually(lambda: any(b" 503 " in answer for answer in answers[before:]), what=it.text())  # noqa: B023
        assert [answer for answer in answers if not answer.startswith((b"HTTP/1.0 200", b"HTTP/1.1 503"))] == []
        assert b"server.py exited with code 1." in answers[-1]
        it.end()


def test_a_command_that_cannot_be_executed_is_seen_by_clients(project: Project, port: int) -> None:
    """And one that has ended well: nobody is there."""
    program = project.tree / "serve"
    with autoreload(project, "--listen", str(port), "./serve") as it:
        it.expect("^Cannot start ./serve: ")
        assert b"./serve could not be executed: No such file or directory." in ask(over_tcp(port))
        it.watching()
        program.write_text("#!/bin/sh\nexit 0\n")
        program.chmod(0o755)
        it.expect("^Process exited with code 0 ")
        assert b"./serve exited with code 0." in ask(over_tcp(port))
        it.end()


def test_while_a_process_is_left_it_may_answer(project: Project, port: int) -> None:
    """The command has ended, but what it has started has the socket: only that answers."""
    server = SERVER.replace('assert os.environ["LISTEN_PID"] == str(os.getpid())', "if os.fork(): os._exit(3)")
    project.write("server.py", server)
    with autoreload(project, "--listen", str(port), "--", *PYTHON, "server.py") as it:
        it.expect("^Process exited with code 3 ")
        assert {ask(over_tcp(port))[-9:] for _ in range(20)} == {b"version 1"}
        it.end()


def test_it_is_told_when_the_command_serves(project: Project, port: int) -> None:
    """After each start; not if it ends before."""
    path = project.write("server.py", "import time; time.sleep(0.3)\n" + SERVER)
    with autoreload(project, "--listen", str(port), "--", *PYTHON, "server.py") as it:
        it.watching()
        it.expect(r"^Ready in (\d+ ms|1\.\d s)$")
        path.write_text("undefined\n")
        it.expect("^Process exited with code 1")
        path.write_text(SERVER)
        it.expect("restart process: server.py$")
        it.expect("^Ready in ")
        assert sum(line.startswith("Ready in") for line in it.lines()) == 2
        it.end()
