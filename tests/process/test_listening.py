"""The sockets of --listen: real ones, and what the command finds."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from autoreload.errors import UserError
from autoreload.sockets.listening import FIRST, Listening, listen
from tests.process.helpers import code, tool
from tests.support import eventually

LISTENING = """
import os, sys
from autoreload.sockets.listening import listen
it = listen(sys.argv[1].split(","), os.environ)
print(it.passed, *it.shown, file=sys.stderr)
os.environ["TOOL_PASSED"] = repr(it.passed)
for number, _ in it.passed:
    os.set_inheritable(number, True)
os.execvp(sys.argv[2], sys.argv[2:])
"""
"""As autoreload itself does it, but that it becomes the tool of these tests, under the same pid."""
FINDS = """
import json, os, socket, sys
found = {name: value for name, value in os.environ.items() if name.startswith("LISTEN_")}
found["own"] = int(os.environ["LISTEN_PID"]) == os.getpid()
found["blocking"] = os.get_blocking(3)
found["fds"] = [fd for fd in range(1024) if os.path.exists(f"/proc/self/fd/{fd}")]
sockets = [socket.socket(fileno=number) for number in range(3, 3 + int(os.environ["LISTEN_FDS"]))]
found["at"] = [str(one.getsockname()) for one in sockets]
sockets[0].setblocking(False)
with open(sys.argv[1] + ".new", "w") as file:
    json.dump(found, file)
os.rename(sys.argv[1] + ".new", sys.argv[1])
"""


@pytest.fixture
def environ() -> dict[str, str]:
    """Of the command, without sockets."""
    return {}


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as it:
        yield it.getsockname()[1]


def one(address: str) -> Listening:
    """Listening on that."""
    return listen([address], {})


def connects(it: Listening) -> bool:
    """Is a connection made, though nobody accepts it?"""
    text = it.shown[0]
    if text.startswith("unix:"):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(text.removeprefix("unix:"))
            return True
    host, _, port = text.rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), timeout=5):
        return True


@pytest.mark.parametrize("address", ["0", "0.0.0.0:0", "localhost:0", "[::1]:0", "[::]:0", "unix:x.sock"])
def test_a_connection_is_made_before_there_is_a_command(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits in the queue."""
    monkeypatch.chdir(tmp_path)
    with closing(one(address)) as it:
        assert connects(it)
        assert not it.shown[0].endswith(":0")
    with pytest.raises(OSError, match=r"refused|No such file"):
        connects(it)


def test_what_the_command_is_told(environ: dict[str, str], tmp_path: Path) -> None:
    """As sd_listen_fds(3) has it; systemd's own come first."""
    path = tmp_path / "app.sock"
    with closing(listen([f"unix:{path}", f"unix:{path}2"], environ)) as it:
        assert environ == {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "2", "LISTEN_FDNAMES": "app.sock:app.sock2"}
        assert [number for _, number in it.passed] == [3, 4]
        assert all(ours > 4 and not os.get_inheritable(ours) for ours, _ in it.passed)
        with closing(listen(["0"], environ)) as more:
            assert environ["LISTEN_FDS"] == "3"
            assert environ["LISTEN_FDNAMES"].startswith("app.sock:app.sock2:")
            assert [number for _, number in more.passed] == [5]


def test_sockets_that_were_passed_to_another_process_are_not_ours(environ: dict[str, str]) -> None:
    """What an outer program left in the environment."""
    environ |= {"LISTEN_PID": "1", "LISTEN_FDS": "5", "LISTEN_FDNAMES": "x"}
    with closing(listen(["0"], environ)) as it:
        assert [number for _, number in it.passed] == [3]
        assert environ["LISTEN_FDS"] == "1"


class TestWhatIsRefused:
    """One line, with a remedy; what was opened before it is closed."""

    def refused(self, *addresses: str) -> str:
        """What is said."""
        with pytest.raises(UserError) as raised:
            listen(addresses, {})
        return str(raised.value)

    def test_a_port_that_is_taken(self, taken: int, tmp_path: Path) -> None:
        """By another program; or given twice."""
        said = f"cannot listen on 127.0.0.1:{taken}: somebody listens there already; end that, or take another"
        assert self.refused(f"unix:{tmp_path}/x.sock", str(taken)) == said
        assert list(tmp_path.iterdir()) == []

    def test_a_socket_that_somebody_listens_on(self, tmp_path: Path) -> None:
        """It is not taken away; one that was left behind is."""
        path = tmp_path / "x.sock"
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(path))
            other.listen()
            assert "somebody listens there already" in self.refused(f"unix:{path}")
        with closing(one(f"unix:{path}")) as it:
            assert connects(it)
        assert not path.exists()

    def test_a_file_that_is_no_socket(self, tmp_path: Path) -> None:
        """It may be precious."""
        (tmp_path / "x").write_text("precious")
        assert "there is a file that is no socket; remove it" in self.refused(f"unix:{tmp_path}/x")
        assert (tmp_path / "x").read_text() == "precious"

    @pytest.mark.parametrize(
        ("address", "why"),
        [
            ("192.0.2.1:0", "this machine has no such address"),
            ("no-such-host.invalid:0", "check the host"),
            ("unix:/nonexistent/x.sock", "No such file or directory"),
            (f"unix:/tmp/{'x' * 103}", "longer than 107 bytes"),
        ],
    )
    def test_an_address_that_is_not_there(self, address: str, why: str) -> None:
        """Another machine's, nobody's, a folder that is missing, a path too long."""
        assert why in self.refused(address)

    def test_a_number_that_is_in_use(self) -> None:
        """A descriptor that autoreload has inherited keeps its number, so a socket cannot have it."""
        source = "import os; from autoreload.sockets.listening import listen; listen(['0', '0'], os.environ)"
        call = [sys.executable, "-c", source]
        for number, expected in ((FIRST, 1), (FIRST + 1, 1), (FIRST + 2, 0)):
            line = f'exec {number}</dev/null; exec "$@"'
            done = subprocess.run(["/bin/bash", "-c", line, "bash", *call], capture_output=True, text=True)
            assert done.returncode == expected, done.stderr
            said = f"descriptor {number} was passed to autoreload (/dev/null)" in done.stderr
            assert said == (expected == 1)


def test_the_socket_of_another_is_left_when_it_took_the_path(tmp_path: Path) -> None:
    """At the end only what we made is removed."""
    path = tmp_path / "x.sock"
    with closing(one(f"unix:{path}")):
        path.unlink()
        path.write_text("another")
    assert path.read_text() == "another"


def found(seen: Path) -> dict[str, object]:
    """What the command has found."""
    eventually(seen.exists)
    text = json.loads(seen.read_text())
    seen.unlink()
    assert isinstance(text, dict)
    return text


def test_the_command_finds_them_at_each_start(mark: str, tmp_path: Path) -> None:
    """Under the numbers from 3 on, and no descriptor more; its own pid; blocking, whatever the run before did. Also
    from a new guard. What was inherited besides keeps its number."""
    seen = tmp_path / "seen"
    path = tmp_path / "app.sock"
    words = [sys.executable, "-c", LISTENING, f"0,unix:{path}"]
    before = ["/bin/bash", "-c", 'exec 7</dev/null; exec "$@"', "bash", *words]
    with tool(code(FINDS, str(seen)), mark, before=before) as it:
        for run in (1, 2, 3):
            it.ask("start", run)
            it.expect("Exited")
            told = found(seen)
            assert told["own"] is True
            assert told["blocking"] is True
            assert told["fds"] == [0, 1, 2, 3, 4, 7]
            assert told["LISTEN_FDS"] == "2"
            port = str(told["LISTEN_FDNAMES"]).removesuffix(":app.sock")
            assert told["at"] == [f"('127.0.0.1', {port})", str(path)]
            if run == 2:
                os.kill(it.guard, signal.SIGKILL)
                it.expect("GuardLost")
            else:
                it.stop()


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["no-such-program"], [errno.ENOENT, "no-such-program"]),
        (["/nowhere/missing"], [errno.ENOENT, "/nowhere/missing"]),
        (["/etc/passwd"], [errno.EACCES, "/etc/passwd"]),
    ],
)
def test_what_cannot_be_executed_is_told_as_without(command: list[str], told: list[object], mark: str) -> None:
    """Though a shell is between, which finds out the pid."""
    with tool(command, mark, before=[sys.executable, "-c", LISTENING, "0"]) as it:
        it.ask("start", 1)
        assert it.next()[:4] == ["Failed", 1, *told]
