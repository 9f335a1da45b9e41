"""A program with the part of the runtime that keeps sockets does what it does without; nobody keeps any here."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from autoreload.process.injection import Injection

pytestmark = pytest.mark.slow
PROGRAM = """
import multiprocessing, os, pathlib, shutil, socket, subprocess, sys, tempfile, traceback

class Holder:
    unlink, remove, execv, posix_spawn = os.unlink, os.remove, os.execv, os.posix_spawn

def work(number):
    return number + 1

if __name__ == "__main__":
    print(sorted(name for name in os.environ if name != "LC_CTYPE"), sys.path, sorted(vars(Holder)))
    print(os.unlink in os.supports_dir_fd, os.execve in os.supports_fd, shutil.rmtree.avoids_symlink_attacks)
    for remove in (Holder().unlink, Holder().remove, pathlib.Path.unlink):
        path = pathlib.Path(tempfile.mkdtemp()) / "file"
        path.touch()
        remove(path)
        print(path.exists())
    show = "import os, sys; print(sorted(set(os.environ) - {'LC_CTYPE'}), sys.path)"
    for options in ({}, {"env": {**os.environ, "A": "1"}}, {"close_fds": False}, {"cwd": "/"}):
        for words in ([sys.executable, "-c", show], [sys.executable, "-I", "-S", "-c", show], ["env"]):
            said = subprocess.run(words, stdout=subprocess.PIPE, **options).stdout
            print(sorted(line for line in said.splitlines() if not line.startswith((b"LC_CTYPE", b"_="))))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(work, [1, 2]))
    with socket.create_server(("127.0.0.1", 0)) as server:
        class Own(socket.socket):
            def bind(self, address):
                return super().bind(address)

        one = socket.socket()
        for bind in (lambda: one.bind(server.getsockname()), lambda: socket.socket.bind(one, server.getsockname()),
                     lambda: Own().bind(server.getsockname()), lambda: one.bind(), lambda: one.bind(1),
                     lambda: one.bind(None), lambda: one.bind(("a", 1), 2), lambda: one.bind(address=("a", 1)),
                     lambda: one.bind(("name.invalid", 1)), lambda: one.listen("x"), lambda: one.listen(1, 2)):
            try:
                bind()
            except Exception:
                traceback.print_exc(file=sys.stdout)
        print(socket.socket.bind.__name__, socket.socket.bind.__doc__, socket.socket.listen.__doc__)
        with socket.create_connection(server.getsockname()) as client:
            accepted, _ = server.accept()
            accepted.sendall(b"hello")
            print(client.recv(9), type(accepted), type(server).__mro__[-1])
            accepted.close()
    for wrong in (lambda: os.unlink("missing"), lambda: os.unlink(), lambda: os.execv("missing", ["x"]),
                  lambda: os.posix_spawn("missing", ["x"], {}), lambda: os.posix_spawn("x"), lambda: os.execve(1)):
        try:
            wrong()
        except Exception as error:
            print(type(error), error.__traceback__.tb_next.tb_next)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-c", show])
"""


def test_it_does_the_same(tmp_path: Path, python: str) -> None:
    """For its children too, and what it executes."""
    (tmp_path / "app.py").write_text(PROGRAM)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    injection = Injection({})
    injection.add("sockets", lambda: "nobody")
    more = {os.fsdecode(name): os.fsdecode(value) for name, value in injection.environ(os.getpid()).items()}

    with_us, without = (
        subprocess.run([python, "-W", "ignore", "app.py"], cwd=tmp_path, env=each, capture_output=True, text=True)
        for each in ({**environ, **more}, environ)
    )
    assert with_us.stdout.splitlines() == without.stdout.splitlines()
    assert with_us.stderr == without.stderr == ""
