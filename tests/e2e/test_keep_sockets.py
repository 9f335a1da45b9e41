"""A Python command that binds its own port: no connection is refused over restarts, with no option."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.client import ask, asking, over_tcp, over_unix
from tests.e2e.tool import Project, Tool, autoreload
from tests.support import eventually

HTTP = """
import http.server, sys
VERSION, PORT = "version 1", int(sys.argv[1])
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(VERSION.encode())
    def log_message(self, *ignored):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
"""
ASYNCIO = """
import asyncio, sys
VERSION = "version 1"
async def answer(reader, writer):
    await reader.readuntil(b"\\r\\n\\r\\n")
    writer.write(b"HTTP/1.0 200 OK\\r\\n\\r\\n" + VERSION.encode())
    writer.close()
async def main():
    if sys.argv[1].isdigit():
        server = await asyncio.start_server(answer, "127.0.0.1", int(sys.argv[1]))
    else:
        server = await asyncio.start_unix_server(answer, sys.argv[1])
    await server.serve_forever()
asyncio.run(main())
"""


@pytest.fixture
def port() -> int:
    """One that was free just now."""
    with socket.create_server(("127.0.0.1", 0)) as it:
        return int(it.getsockname()[1])


def has(answers: list[bytes], text: bytes) -> bool:
    """Has somebody got that?"""
    return any(answer.endswith(text) for answer in list(answers))


def is_refused(port: int) -> bool:
    """Does nobody listen there?"""
    return ask(over_tcp(port)) == b"ConnectionRefusedError"


def edit_and_ask(tool: Tool, path: Path, connect: Callable[[], socket.socket], times: int = 5) -> list[bytes]:
    """A client asks all the time, from the moment at which it serves; what it gets."""
    eventually(lambda: ask(connect).endswith(b"version 1"), what=tool.text())
    tool.watching()
    with asking(connect) as answers:
        for number in range(2, times):
            path.write_text(path.read_text().replace(f"version {number - 1}", f"version {number}"))
            eventually(partial(has, answers, b"version %d" % number), what=tool.text())
    return [answer for answer in answers if not answer.startswith(b"HTTP/1.")]


@pytest.mark.parametrize("source", [HTTP, ASYNCIO])
def test_no_connection_is_refused_and_none_is_reset(source: str, project: Project, port: int) -> None:
    """At its end the port is free."""
    path = project.write("server.py", source)
    with autoreload(project, "--", sys.executable, "server.py", str(port)) as it:
        assert edit_and_ask(it, path, over_tcp(port)) == []
        assert it.restarts() == ["server.py"] * 3
        it.end()
    assert is_refused(port)


def test_with_no_keep_sockets_they_are_refused(project: Project, port: int) -> None:
    """That is what the others measure."""
    path = project.write("server.py", HTTP.replace("import", "import time; time.sleep(0.2)\nimport", 1))
    with autoreload(project, "--no-keep-sockets", "--", sys.executable, "server.py", str(port)) as it:
        assert b"ConnectionRefusedError" in edit_and_ask(it, path, over_tcp(port), 3)
        it.end()


def test_a_unix_socket(project: Project) -> None:
    """asyncio removes its file before it binds, and after it has closed."""
    path = project.write("server.py", ASYNCIO)
    with autoreload(project, "--", sys.executable, "server.py", "app.sock") as it:
        assert edit_and_ask(it, path, over_unix(str(project.tree / "app.sock"))) == []
        it.end()


def test_together_with_warm_restarts(project: Project, port: int) -> None:
    """The snapshot is from before the socket, which comes back after it is resumed."""
    project.write("slow.py", "import time\ntime.sleep(0.2)\n")
    leaf = project.write("leaf.py", 'VERSION = "version 1"\n')
    source = HTTP.replace('VERSION, PORT = "version 1",', "import slow\nimport leaf\nPORT =")
    project.write("server.py", source.replace("VERSION.encode", "leaf.VERSION.encode"))
    with autoreload(project, "--warm", "-v", "--", sys.executable, "server.py", str(port)) as it:
        assert edit_and_ask(it, leaf, over_tcp(port)) == []
        assert it.text().count("Warm restart from") == 3, it.text()
        leaf.write_text("raise SystemExit(4)")
        it.expect("^Process exited with code 4")
        assert b" 503 " in ask(over_tcp(port))
        leaf.write_text('VERSION = "version 7"\n')
        eventually(lambda: ask(over_tcp(port)).endswith(b"version 7"), what=it.text())
        it.end()


def test_a_crash_is_seen_by_clients_and_so_is_the_fix(project: Project, port: int) -> None:
    """None is refused, reset or left waiting."""
    path = project.write("server.py", HTTP)
    with autoreload(project, "--", sys.executable, "server.py", str(port)) as it:
        eventually(lambda: has([ask(over_tcp(port))], b"version 1"), what=it.text())
        it.watching()
        with asking(over_tcp(port)) as answers:
            path.write_text("undefined\n" + HTTP)
            it.expect("^Process exited with code 1 ")
            eventually(lambda: any(b" 503 " in answer for answer in list(answers)), what=it.text())
            assert b"line 1, in <module>\n    undefined\nNameError: name 'undefined' is not defined\n" in answers[-1]
            assert b"/runtime/" not in answers[-1]
            path.write_text(HTTP.replace("version 1", "version 2"))
            eventually(partial(has, answers, b"version 2"), what=it.text())
        assert [answer for answer in answers if not answer.startswith((b"HTTP/1.0 200", b"HTTP/1.1 503"))] == []
        it.end()


@pytest.mark.parametrize("option", [[], ["--show-errors"], ["--show-errors", "--listen=0.0.0.0:PORT"]])
def test_who_comes_from_elsewhere_sees_no_traceback_unless_asked(
    option: list[str], project: Project, port: int
) -> None:
    """By an address that other machines see; whoever holds the socket."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as address:
        try:
            address.connect(("192.0.2.1", 9))  # sends nothing: it asks by which address one would
        except OSError:
            pytest.skip("this machine has no address but its own")
        host = address.getsockname()[0]
    path = project.write("server.py", HTTP.replace("127.0.0.1", "0.0.0.0"))
    options = [word.replace("PORT", str(port)) for word in option]
    with autoreload(project, *options, "--", sys.executable, "server.py", str(port)) as it:
        it.expect("^Ready in ")
        it.watching()
        path.write_text("undefined\n" + HTTP)
        it.expect("^Process exited with code 1 ")
        answer = ask(lambda: socket.create_connection((host, port), 5))
        assert b" 503 " in answer
        assert (b"NameError: name 'undefined'" in answer) is bool(option), answer
        it.end()


WORKERS = """
import os, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
if os.fork() == 0:
    try:
        import missing_module
    except ImportError:
        print("logged", flush=True)
        sys.exit(3)
try:
    raise RuntimeError("a worker failed") if os.wait()[1] else KeyboardInterrupt
except RuntimeError:
    sys.exit(4)
"""


def test_what_a_worker_has_logged_is_seen_too(project: Project, port: int) -> None:
    """As gunicorn does: a worker logs the exception, and then all of it ends for another one."""
    project.write("server.py", WORKERS)
    with autoreload(project, "--", sys.executable, "server.py", str(port)) as it:
        it.expect("^Process exited with code 4 ")
        answer = ask(over_tcp(port))
        assert answer.endswith(b"ModuleNotFoundError: No module named 'missing_module'\n"), answer
        it.end()


SPAWNING = """
import multiprocessing, os, socket, sys, time
def work(listener):
    import leaf
    listener.listen()
    while True:
        client, _ = listener.accept()
        client.recv(999)
        client.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\n" + leaf.VERSION)
        client.close()
if __name__ == "__main__":
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(sys.argv[1])))
    spawn = multiprocessing.get_context("spawn")
    while True:
        worker = spawn.Process(target=work, args=(listener,), daemon=True)
        worker.start()
        worker.join()
        if "ending" in sys.argv:
            break
        time.sleep(0.2)
"""
FAILURES = ["undefined", "import sys\ntry:\n    undefined\nexcept NameError:\n    sys.exit(1)"]


@pytest.mark.parametrize("what_it_does", ["goes on", "ending"])
@pytest.mark.parametrize("failure", FAILURES, ids=["raises", "exits"])
def test_workers_that_fail_one_after_the_other(failure: str, what_it_does: str, project: Project, port: int) -> None:
    """The parent lives, and starts another one; or ends, well. Clients see why, and then the fix."""
    leaf = project.write("leaf.py", 'VERSION = b"version 1"')
    project.write("server.py", SPAWNING)
    with autoreload(project, "--", sys.executable, "server.py", str(port), what_it_does) as it:
        eventually(lambda: has([ask(over_tcp(port))], b"version 1"), what=it.text())
        it.watching()
        with asking(over_tcp(port)) as answers:
            leaf.write_text(failure)
            eventually(lambda: any(b" 503 " in answer for answer in list(answers)), what=it.text())
            told = next(answer for answer in answers if b" 503 " in answer)
            assert told.endswith(b"NameError: name 'undefined' is not defined\n"), told
            assert what_it_does == "ending" or b" has a worker that failed." in told, told
            assert b"/runtime/" not in told
            leaf.write_text('VERSION = b"version 2"')
            eventually(partial(has, answers, b"version 2"), what=it.text())
        # A worker waits in accept(2), and may take one more in the moment in which it is ended: that one is cut.
        expected = b"HTTP/1.0 200", b"HTTP/1.1 503", b"ConnectionResetError"
        assert [answer for answer in answers if not answer.startswith(expected)] == []
        eventually(lambda: has([ask(over_tcp(port))], b"version 2"))
        assert {ask(over_tcp(port))[-9:] for _ in range(9)} == {b"version 2"}
        it.end()


def test_a_worker_that_comes_up_later_serves(project: Project, port: int) -> None:
    """Without a restart: what it needed was not there. From then on it alone answers."""
    source = 'import os\nif os.path.exists("not yet"):\n    raise SystemError\nVERSION = b"version 1"'
    leaf = project.write("leaf.py", source)
    project.write("server.py", SPAWNING)
    with autoreload(project, "--", sys.executable, "server.py", str(port)) as it:
        eventually(lambda: has([ask(over_tcp(port))], b"version 1"), what=it.text())
        it.watching()
        project.write("not yet", "")
        leaf.write_text(source.replace("version 1", "version 2"))
        eventually(lambda: b" 503 " in ask(over_tcp(port)), what=it.text())
        (project.tree / "not yet").unlink()
        eventually(lambda: has([ask(over_tcp(port))], b"version 2"), what=it.text())
        it.expect("^Ready in ")
        it.expect("^Ready in ")
        assert {ask(over_tcp(port))[-9:] for _ in range(20)} == {b"version 2"}
        assert it.restarts() == ["leaf.py"]
        it.end()


def test_beside_an_old_process_that_serves_nobody_is_told(project: Project, port: int) -> None:
    """--overlap: the workers of the new one fail, and the old one answers."""
    leaf = project.write("leaf.py", 'VERSION = b"version 1"')
    project.write("server.py", SPAWNING)
    with autoreload(project, "--overlap", "--", sys.executable, "server.py", str(port)) as it:
        it.expect("^Ready in ")
        it.watching()
        with asking(over_tcp(port)) as answers:
            leaf.write_text("undefined")
            eventually(lambda: project.stderr.read_text().count("NameError: name 'undefined'") > 2, what=it.text())
            seen = len(answers)
            eventually(lambda: len(answers) > seen + 3)
            leaf.write_text('VERSION = b"version 2"')
            eventually(partial(has, answers, b"version 2"), what=it.text())
        # A connection may be cut: the old one waits in accept(2), and may take one in the moment in which it is ended.
        assert not any(b" 503 " in answer for answer in answers)
        assert {answer[-9:] for answer in answers} >= {b"version 1", b"version 2"}
        it.end()


def test_a_helper_that_fails_is_no_worker(project: Project, port: int) -> None:
    """Python that the server starts to try something out, before it serves: nobody is told of that."""
    probe = (
        "import subprocess\nif __name__ == '__main__':\n"
        "    subprocess.call([sys.executable, '-c', 'undefined'], stderr=subprocess.DEVNULL)\n"
        "    import time; time.sleep(0.2)\n"
    )
    path = project.write("server.py", HTTP.replace("VERSION", probe + "VERSION", 1))
    with autoreload(project, "--", sys.executable, "server.py", str(port)) as it:
        assert edit_and_ask(it, path, over_tcp(port), 3) == []
        with asking(over_tcp(port)) as answers:
            path.write_text(path.read_text().replace("version 2", "version 3"))
            eventually(partial(has, answers, b"version 3"), what=it.text())
        assert {answer[:12] for answer in answers} == {b"HTTP/1.0 200"}
        it.end()


def test_a_command_that_ends_well_leaves_its_port(project: Project, port: int) -> None:
    """Nobody waits for it."""
    project.write("server.py", HTTP.replace("serve_forever", "handle_request").replace("Threading", ""))
    with autoreload(project, "--", sys.executable, "server.py", str(port)) as it:
        it.expect("^Ready in ")
        assert ask(over_tcp(port)).endswith(b"version 1")
        it.expect("^Process exited with code 0 ")
        assert is_refused(port)
        it.end()


def test_a_server_that_ends_before_it_serves_has_failed(project: Project, port: int) -> None:
    """Whatever its exit code: some have workers that crash."""
    path = project.write("server.py", HTTP)
    with autoreload(project, "--", sys.executable, "server.py", str(port)) as it:
        it.expect("^Ready in ")
        it.watching()
        path.write_text("raise SystemExit(0)\n" + HTTP)
        it.expect("^Process exited with code 0 ")
        assert b" 503 " in ask(over_tcp(port))
        it.end()


def test_a_port_that_is_another_in_the_new_code(project: Project, port: int) -> None:
    """The old one is closed after the new one serves."""
    with socket.create_server(("127.0.0.1", 0)) as it:
        other = int(it.getsockname()[1])
    path = project.write("server.py", HTTP)
    with autoreload(project, "--", sys.executable, "server.py", str(port)) as tool:
        eventually(lambda: has([ask(over_tcp(port))], b"version 1"), what=tool.text())
        tool.watching()
        path.write_text(HTTP.replace("int(sys.argv[1])", str(other)))
        eventually(lambda: has([ask(over_tcp(other))], b"version 1"), what=tool.text())
        eventually(lambda: is_refused(port))
        tool.end()


def test_a_port_of_another_program_is_the_usual_error(project: Project, port: int) -> None:
    """As it would be without us; and the port can be had as soon as it is free."""
    told = "except OSError as error:\n    print(error, flush=True)\n    raise SystemExit(3)\n"
    serve = HTTP.splitlines()[-1]
    path = project.write("server.py", HTTP.replace(serve, f"try:\n    {serve}\n{told}"))
    with (
        socket.create_server(("127.0.0.1", port)) as stranger,
        autoreload(project, "--", sys.executable, "server.py", str(port)) as it,
    ):
        it.expect("^Process exited with code 3 ")
        assert project.stdout.read_text() == "[Errno 98] Address already in use\n"
        it.watching()
        stranger.close()
        path.write_text(path.read_text().replace("version 1", "version 2"))
        eventually(lambda: has([ask(over_tcp(port))], b"version 2"), what=it.text())
        it.end()


def test_an_address_of_listen_that_the_command_binds(project: Project, port: int) -> None:
    """It gets the socket that is held, from its first start on: the clients come before it is up."""
    path = project.write("server.py", "import time; time.sleep(0.2)\n" + HTTP)
    with autoreload(project, "--listen", str(port), "--", sys.executable, "server.py", str(port)) as it:
        it.expect("^Listening on ")
        with asking(over_tcp(port)) as answers:
            eventually(partial(has, answers, b"version 1"), what=it.text())
        assert {answer[:12] for answer in answers} == {b"HTTP/1.0 200"}
        assert edit_and_ask(it, path, over_tcp(port), 4) == []
        it.end()


TAKING = """
import os, socket
assert os.environ["LISTEN_PID"] == str(os.getpid())
listener = socket.socket(fileno=3)
while True:
    client, _ = listener.accept()
    client.recv(999)
    client.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\nversion 1")
    client.close()
"""


def test_behind_a_shell_listen_pid_is_put_right(project: Project, port: int) -> None:
    """Of Python; no line says that it might be wrong."""
    project.write("server.py", TAKING)
    with autoreload(project, "--listen", str(port), f"true && {sys.executable} server.py; true") as it:
        it.expect("^Listening on ")
        assert ask(over_tcp(port)).endswith(b"version 1"), it.text()
        assert "LISTEN_PID" not in it.text()
        it.end()


@pytest.mark.parametrize(
    "how",
    [
        "import subprocess\nsubprocess.call([sys.executable, 'server.py', *sys.argv[1:]])",
        "import subprocess\nsubprocess.call([sys.executable, 'server.py', *sys.argv[1:]], env=dict(os.environ, A='1'))",
        "os.execvp('python3', ['python3', 'server.py', *sys.argv[1:]])",
        "os.waitpid(os.posix_spawn(sys.executable, ['python', 'server.py', *sys.argv[1:]], os.environ), 0)",
        "os.execv('/bin/sh', ['sh', '-c', 'exec \"$0\" server.py \"$@\"', sys.executable, *sys.argv[1:]])",
    ],
)
def test_python_that_python_starts(how: str, project: Project, port: int) -> None:
    """A reloader, a worker that binds itself, a wrapper; but not what a shell starts that Python has started."""
    project.write("start.py", f"import os, sys\n{how}")
    path = project.write("server.py", "import time; time.sleep(0.2)\n" + HTTP)
    with autoreload(project, "--", sys.executable, "start.py", str(port)) as it:
        refused = edit_and_ask(it, path, over_tcp(port), 3)
        assert bool(refused) is ("/bin/sh" in how), refused
        it.end()


C = r"""
#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#define VERSION "version 1"
static volatile int over;
static void end(int number) { over = number; }
int main(int count, char **words) {
    struct sigaction action = {.sa_handler = end};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(words[1]))};
    char text[999];
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    usleep(200000);
    sigaction(SIGTERM, &action, 0);
    setsockopt(listener, SOL_SOCKET, count > 2 ? SO_REUSEPORT : SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 99)) return 3;
    while (!over) {
        int client = accept(listener, 0, 0);
        if (client < 0) continue;
        read(client, text, sizeof text);
        write(client, "HTTP/1.0 200 OK\r\n\r\n" VERSION, 19 + strlen(VERSION));
        close(client);
    }
}
"""


@pytest.mark.needs("gcc")
@pytest.mark.parametrize("more", ["", " shared"])
def test_any_program_if_that_is_wanted(more: str, project: Project, port: int) -> None:
    """Also one with SO_REUSEPORT, and that the shell starts which builds it. The port is free at the end."""
    path = project.write("server.c", C)
    build = f"gcc -o server server.c && ./server {port}{more}; exit $?"
    with autoreload(project, "--keep-sockets=always", "-e", ".c", build) as it:
        assert edit_and_ask(it, path, over_tcp(port), 4) == [], it.text()
        it.end()
    assert is_refused(port)


def test_python_that_lets_nobody_in(project: Project, port: int) -> None:
    """And one that has the runtime as well."""
    path = project.write("server.py", "import time; time.sleep(0.2)\n" + HTTP)
    for words in (["-I"], []):
        path.write_text("import time; time.sleep(0.2)\n" + HTTP)
        with autoreload(project, "--keep-sockets=always", "--", sys.executable, *words, "server.py", str(port)) as it:
            assert edit_and_ask(it, path, over_tcp(port), 3) == [], it.text()
            it.end()


def test_a_command_that_cannot_be_executed_is_told_of_as_ever(project: Project) -> None:
    """With a program in between. What it executes finds what it would find without."""
    with autoreload(project, "--keep-sockets=always", "./missing") as it:
        it.expect("^Cannot start ./missing: ")
        it.end()
    show = (
        "import os, signal; print(sorted(os.environ), signal.getsignal(signal.SIGTERM), signal.pthread_sigmask(0, ()))"
    )
    said = []
    for words in (["--keep-sockets=always"], []):
        project.stdout.write_text("")
        project.stderr.write_text("")
        with autoreload(project, *words, "--", "/usr/bin/env", "-S", f"{sys.executable} -S -E -c '{show}'") as it:
            it.expect("^Process exited with code 0 ")
            it.end()
        said.append(project.stdout.read_text())
    assert said[0] == said[1] != ""


def test_what_python_starts_sees_nothing_of_it(project: Project) -> None:
    """Other programs, and Python that does not let us in, get the environment as it is."""
    project.write(
        "start.py",
        "import subprocess, sys\nfor words in (['env'], [sys.executable, '-S', '-c', 'import os; print(os.environ)'],"
        "[sys.executable, '-c', 'import os, sys; print(os.environ, sys.path)']):\n    subprocess.call(words)",
    )
    with autoreload(project, "--", sys.executable, "start.py") as it:
        it.expect("^Process exited with code 0 ")
        said = project.stdout.read_text()
        assert said.count("HOME") == 3
        assert "AUTORELOAD_RUNTIME" not in said
        assert "inject" not in said
        it.end()


def test_what_is_replaced_is_as_able_as_before(project: Project) -> None:
    """Whoever asks, and whoever makes a method of it, sees no difference."""
    project.write(
        "app.py",
        "import os, pathlib, shutil, tempfile\n"
        "assert os.unlink in os.supports_dir_fd and os.remove in os.supports_dir_fd\n"
        "assert shutil.rmtree.avoids_symlink_attacks\n"
        "class Holder:\n"
        "    unlink, remove, execv = os.unlink, os.remove, os.execv\n"
        "for method in (Holder().unlink, Holder().remove, pathlib.Path.unlink):\n"
        "    path = pathlib.Path(tempfile.mkdtemp()) / 'file'\n"
        "    path.touch()\n"
        "    method(path)\n"
        "    assert not path.exists()\n"
        "try:\n"
        "    os.unlink('missing')\n"
        "except FileNotFoundError as error:\n"
        "    assert error.__traceback__.tb_next is None\n"
        "Holder().execv('/bin/echo', ['echo', 'all is well'])\n",
    )
    with autoreload(project, "--", sys.executable, "app.py") as it:
        it.expect("^Process exited with code 0 ")
        assert project.stdout.read_text() == "all is well\n"
        it.end()
