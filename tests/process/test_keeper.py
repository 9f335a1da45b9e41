"""The keeper and the runtime: real commands that bind, end, and bind again."""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoreload.core.held import ABANDONED, SWEEP
from autoreload.linux.descendants import below
from autoreload.sockets.keeper import Keeper
from tests.process.servers import ACCEPTING, ASYNCIO, HTTP, INSTALL
from tests.process.test_compiler import PYTHONS
from tests.support import eventually

UNIX = """
import os, socket, sys
if os.path.exists(sys.argv[1]):
    os.unlink(sys.argv[1])
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
print("up", flush=True)
while True:
    client, _ = listener.accept()
    client.recv(99)
    client.sendall(sys.argv[2].encode())
    client.close()
"""


class Desk:
    """A keeper in a thread of its own, and the commands that it keeps sockets for."""

    def __init__(self) -> None:
        self.keeper = Keeper(lambda: below([os.getpid()]).keys() - {os.getpid()}, lambda: [os.getpid()])
        self.later = 0.0
        self.commands: list[subprocess.Popen[str]] = []
        self.lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        while not self._over.is_set():
            if select.select([self.keeper], [], [], 0.02)[0] or self.later:
                with self.lock:
                    self.keeper.work(time.monotonic() + self.later)

    def start(self, source: str, *words: object, interpreter: str = sys.executable, address: str = "") -> str:
        """Start a command with the runtime in it: the first thing that it says."""
        with self.lock:
            self.keeper.starting()
        self.commands.append(
            subprocess.Popen(
                [interpreter, "-S", "-E", "-c", INSTALL + source, address or self.keeper.address, *map(str, words)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
        stdout = self.commands[-1].stdout
        assert stdout
        return stdout.readline().strip()

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Stop the command."""
        with self.lock:
            self.keeper.stopping()
        self.end(number)

    def end(self, number: int = signal.SIGKILL) -> None:
        """The command ends."""
        it = self.commands[-1]
        it.send_signal(number)
        it.wait()
        assert it.stdout
        it.stdout.close()
        assert it.stdin
        it.stdin.close()

    def held(self) -> list[object]:
        """What the held sockets are bound to."""
        with self.lock:
            return [
                kept.getsockname()[:2] if ":" not in str(kept.family) else "" for kept in self.keeper.sockets.values()
            ]

    def close(self) -> None:
        """End everything."""
        for command in self.commands:
            if command.poll() is None:
                command.kill()
                command.wait()
            for stream in (command.stdin, command.stdout):
                if stream:
                    stream.close()
        self._over.set()
        self._thread.join()
        self.keeper.close()


@pytest.fixture
def desk() -> Iterator[Desk]:
    """With nothing held."""
    it = Desk()
    yield it
    it.close()


@pytest.fixture
def port() -> int:
    """One that was free just now."""
    with socket.create_server(("127.0.0.1", 0)) as it:
        return int(it.getsockname()[1])


def ask(port: int, host: str = "127.0.0.1") -> str:
    """What a server says."""
    with socket.create_connection((host, port), 10) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        parts = []
        while part := client.recv(99):
            parts.append(part)
        return b"".join(parts).decode()


def is_refused(port: int) -> bool:
    """Does nobody listen?"""
    try:
        socket.create_connection(("127.0.0.1", port), 10).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.parametrize("interpreter", PYTHONS, ids=os.path.basename)
@pytest.mark.parametrize("source", [ACCEPTING, ASYNCIO, HTTP], ids=["accept", "asyncio", "http.server"])
def test_who_asks_while_nobody_is_there_is_answered_by_the_next(
    source: str, interpreter: str, desk: Desk, port: int
) -> None:
    """Three times over; a thread that waits in accept, and a loop."""
    for number in range(3):
        assert desk.start(source, "127.0.0.1", port, f"run {number}", interpreter=interpreter) == "up"
        assert ask(port) == f"run {number}"
        desk.stop()
        assert desk.held() == [("127.0.0.1", port)]
        assert not is_refused(port)
    answers: list[str] = []
    waiting = threading.Thread(target=lambda: answers.append(ask(port)))
    waiting.start()
    assert desk.start(source, "127.0.0.1", port, "last", interpreter=interpreter) == "up"
    waiting.join()
    assert answers == ["last"]


def test_without_the_runtime_it_is_refused(desk: Desk, port: int) -> None:
    """Control: nothing else holds it; and a keeper that is not there changes nothing."""
    for address in ("-", "nobody-is-there"):
        assert desk.start(ACCEPTING, "127.0.0.1", port, "run", address=address) == "up"
        assert ask(port) == "run"
        desk.stop(signal.SIGKILL)
        assert is_refused(port)


def test_while_it_is_closing_it_accepts_no_more(desk: Desk, port: int) -> None:
    """Neither a thread that waits nor a loop; who connects then waits for the next."""
    for source in (ACCEPTING, ASYNCIO):
        assert desk.start(source, "127.0.0.1", port, "old") == "up"
        assert ask(port) == "old"
        desk.keeper.stopping()
        answers: list[str] = []
        waiting = [threading.Thread(target=lambda: answers.append(ask(port))) for _ in range(3)]  # noqa: B023
        for one in waiting:
            one.start()
        time.sleep(0.1)
        # A thread that was in accept(2) already accepts once more: that is what the drain waits for.
        assert answers in ([], ["old"])
        desk.end(signal.SIGKILL)
        assert desk.start(source, "127.0.0.1", port, "new") == "up"
        for one in waiting:
            one.join()
        assert answers in (["new"] * 3, ["old", "new", "new"])
        desk.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_so_does_one_that_has_become_another_user(desk: Desk, port: int) -> None:
    """It is not answered any more."""
    source = ACCEPTING.replace('print("up"', 'import os\nos.setuid(65534)\nprint("up"')
    assert desk.start(source, "127.0.0.1", port, "old") == "up"
    assert ask(port) == ask(port) == "old"
    desk.keeper.stopping()
    answers: list[str] = []
    waiting = [threading.Thread(target=lambda: answers.append(ask(port))) for _ in range(3)]
    for one in waiting:
        one.start()
    time.sleep(0.1)
    assert answers in ([], ["old"])
    desk.end(signal.SIGKILL)
    assert desk.start(source, "127.0.0.1", port, "new") == "up"
    for one in waiting:
        one.join()


def test_a_path_that_was_bound_as_a_relative_one_is_removed_with_its_socket(desk: Desk, tmp_path: Path) -> None:
    """The server has removed it, as far as that knows."""
    source = "import os, signal, sys\nos.chdir(sys.argv[2])\n" + UNIX.replace(
        'print("up"', 'signal.signal(signal.SIGTERM, lambda *_: (os.unlink(sys.argv[1]), sys.exit()))\nprint("up"'
    )
    assert desk.start(source, "app.sock", tmp_path) == "up"
    desk.stop()
    assert (tmp_path / "app.sock").exists()
    with desk.lock:
        desk.keeper.ended(well=True)
    assert not (tmp_path / "app.sock").exists()


def test_a_unix_socket_whose_path_is_gone_is_not_given_back(desk: Desk, tmp_path: Path) -> None:
    """Nobody could reach it."""
    folder = tmp_path / "run"
    folder.mkdir()
    assert desk.start(UNIX, folder / "socket", "old") == "up"
    shutil.rmtree(folder)
    desk.stop()
    folder.mkdir()
    assert desk.start(UNIX, folder / "socket", "new") == "up"
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(folder / "socket"))
        client.sendall(b"hello")
        assert client.recv(9) == b"new"


def test_a_unix_socket_keeps_its_path(desk: Desk, tmp_path: Path) -> None:
    """Though the server removes it before it binds; after the sweep it is gone."""
    path = tmp_path / "app.sock"
    inode = 0
    for number in range(3):
        assert desk.start(UNIX, path, f"run {number}") == "up"
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(b"x")
            assert client.recv(99) == b"run %d" % number
        assert inode in (0, path.stat().st_ino)
        inode = path.stat().st_ino
        desk.stop()


def test_another_port_in_the_new_code(desk: Desk, port: int) -> None:
    """The old one is released a while after the new one serves."""
    assert desk.start(ACCEPTING, "127.0.0.1", port, "old") == "up"
    ask(port)
    desk.stop()
    with socket.create_server(("127.0.0.1", 0)) as free:
        other = int(free.getsockname()[1])
    assert desk.start(ACCEPTING, "127.0.0.1", other, "new") == "up"
    assert ask(other) == "new"
    assert not is_refused(port)
    desk.later = SWEEP + 1
    eventually(lambda: desk.held() == [("127.0.0.1", other)])
    assert is_refused(port)


def test_another_address_of_the_same_port(desk: Desk, port: int) -> None:
    """What is in its way is released at once."""
    assert desk.start(ACCEPTING, "127.0.0.1", port, "old") == "up"
    desk.stop()
    assert desk.start(ACCEPTING, "0.0.0.0", port, "new") == "up"
    assert desk.held() == [("0.0.0.0", port)]
    assert ask(port) == "new"


def test_a_port_of_another_program_is_taken_as_ever(desk: Desk, port: int) -> None:
    """The server's own error."""
    with socket.create_server(("127.0.0.1", port)):
        assert desk.start(ACCEPTING, "127.0.0.1", port, "run").startswith("Traceback")
        stdout = desk.commands[-1].stdout
        assert stdout
        assert "Address already in use" in stdout.read()


def test_what_the_command_closes_is_closed(desk: Desk, port: int) -> None:
    """Once it serves; its end is not a close."""
    source = ACCEPTING.replace("while True:", "for _ in range(1):") + "\nlistener.close()\nprint(sys.stdin.read())"
    assert desk.start(source, "127.0.0.1", port, "once") == "up"
    assert ask(port) == "once"
    eventually(lambda: desk.held() == [])
    assert is_refused(port)


def test_before_it_serves_too(desk: Desk, port: int) -> None:
    """Nobody is to wait where the program itself expects a refusal."""
    source = """
import socket, sys
socket.create_server((sys.argv[1], int(sys.argv[2]))).close()
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])))
except ConnectionRefusedError:
    print("refused")
"""
    assert desk.start(source, "127.0.0.1", port) == "refused"


def test_what_a_killed_child_had_bound_is_closed(desk: Desk, port: int) -> None:
    """The command itself goes on."""
    source = f"""
import os, signal, sys
child = os.fork()
if not child:
    exec({ACCEPTING!r})
sys.stdin.readline()
os.kill(child, signal.SIGKILL)
os.wait()
sys.stdin.readline()
"""
    assert desk.start(source, "127.0.0.1", port, "child") == "up"
    assert ask(port) == "child"
    desk.later = SWEEP
    eventually(lambda: desk.keeper.deadline() is None)
    command = desk.commands[-1]
    assert command.stdin
    command.stdin.write("\n")
    command.stdin.flush()
    eventually(lambda: desk.keeper.deadline() is not None)
    desk.later = SWEEP + 2 * ABANDONED
    eventually(lambda: desk.held() == [])
    assert is_refused(port)
    assert command.poll() is None


def test_the_last_of_several_objects_closes_it(desk: Desk, port: int) -> None:
    """Made with socket.dup, and closed in any order."""
    source = """
import socket, sys
listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
other = listener.dup()
listener.close()
print("up", flush=True)
sys.stdin.readline()
other.close()
print("closed", flush=True)
sys.stdin.readline()
"""
    assert desk.start(source, "127.0.0.1", port) == "up"
    assert not is_refused(port)
    command = desk.commands[-1]
    assert command.stdin
    assert command.stdout
    command.stdin.write("\n")
    command.stdin.flush()
    assert command.stdout.readline() == "closed\n"
    assert is_refused(port)


def test_what_could_not_be_bound_is_not_held(desk: Desk, port: int) -> None:
    """Else a program that tries until it can would fill our table of descriptors."""
    source = """
import socket, sys
for _ in range(3):
    try:
        socket.socket().bind((sys.argv[1], int(sys.argv[2])))
    except OSError:
        pass
print("up", flush=True)
sys.stdin.read()
"""
    with socket.create_server(("127.0.0.1", port)):
        assert desk.start(source, "127.0.0.1", port) == "up"
        assert desk.held() == []


def test_the_connection_of_a_client_that_chose_its_port_ends_with_it(desk: Desk, port: int) -> None:
    """Killed: it closes nothing itself."""
    source = """
import socket, sys
here, there = ((sys.argv[1], int(port)) for port in sys.argv[2:])
client = socket.create_connection(there, source_address=here)
print("up", flush=True)
sys.stdin.read()
"""
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert desk.start(source, "127.0.0.1", port, server.getsockname()[1]) == "up"
        peer, _ = server.accept()
        with peer:
            desk.end()
            peer.settimeout(10)
            assert peer.recv(1) == b""


def test_the_socket_of_listen_is_given_at_the_first_start(desk: Desk, port: int) -> None:
    """To a command that binds its address."""
    with socket.create_server(("127.0.0.1", port)) as ours:
        desk.keeper.keep(ours)
        assert desk.start(ACCEPTING, "127.0.0.1", port, "run") == "up"
        assert ask(port) == "run"
        desk.stop()
        assert not is_refused(port)


def test_options_of_the_new_code_are_set(desk: Desk, port: int) -> None:
    """On the socket that it is given, whose number and inheritance are its own."""
    source = """
import os, socket, sys
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, int(sys.argv[2]))
listener.setblocking(sys.argv[2] == "0")
os.set_inheritable(listener.fileno(), sys.argv[2] == "1")
before = listener.fileno()
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen()
print(listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), os.get_blocking(listener.fileno()),
      os.get_inheritable(listener.fileno()), listener.fileno() == before, flush=True)
sys.stdin.read()
"""
    for value, told in (("0", "0 True False True"), ("1", "1 False True True"), ("0", "0 True False True")):
        assert desk.start(source, port, value) == told
        assert desk.held() == [("127.0.0.1", port)]
        desk.stop()


def test_a_stranger_gets_nothing(desk: Desk, port: int) -> None:
    """Somebody who knows the name, but is not of the command."""
    assert desk.start(ACCEPTING, "127.0.0.1", port, "run") == "up"
    desk.stop()
    desk.keeper._guards = lambda: [1 << 30]
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stranger, socket.socket() as asked:
        stranger.connect("\0" + desk.keeper.address)
        try:
            socket.send_fds(stranger, [f"b2\x00127.0.0.1\0{port}\0".encode()], [asked.fileno()])
            assert stranger.recv(99) == b""
        except OSError:
            pass  # it has been left already
    assert desk.held() == [("127.0.0.1", port)]


@pytest.mark.parametrize("message", [b"b", b"b2\0", b"b9\0x\0y\0z", b"cx", b"a", b"a99", b"u/nothing", b"?"])
def test_what_makes_no_sense_is_answered_with_no(message: bytes, desk: Desk) -> None:
    """A runtime of another version, or a bug."""
    source = """
import socket, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as link, socket.socket() as asked:
    link.connect("\\0" + sys.argv[1])
    socket.send_fds(link, [bytes.fromhex(sys.argv[2])], [asked.fileno()])
    print(socket.recv_fds(link, 9, 2)[0])
"""
    assert desk.start(source, desk.keeper.address, message.hex()) == "b'n'"
    assert desk.held() == []
