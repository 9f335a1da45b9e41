"""The clients of a held socket while there is no server: real connections."""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from autoreload.core.page import Failure
from autoreload.sockets.answering import MOST_CLIENTS, SILENCE, Answering

GET = b"GET / HTTP/1.0\r\n\r\n"


class Server:
    """Something that listens, and is answered for."""

    def __init__(self, listener: socket.socket, show_errors: bool = False) -> None:
        self.listener = listener
        self.answering = Answering(show_errors)
        self.later = 0.0
        self.clients = ExitStack()

    def connect(self, host: str = "") -> socket.socket:
        """A new client, which comes in by that address."""
        client = self.clients.enter_context(socket.socket(self.listener.family, socket.SOCK_STREAM))
        client.settimeout(5)
        own, port, *_ = self.listener.getsockname()
        client.connect((host or own, port))
        return client

    def work(self) -> None:
        """Everything that there is to do."""
        while select.select([self.answering], [], [], 0.05)[0]:
            self.answering.work(time.monotonic() + self.later)
        self.answering.work(time.monotonic() + self.later)

    def rest(self, client: socket.socket) -> bytes:
        """What the client gets until the end; ConnectionResetError."""
        self.work()
        parts = []
        while part := client.recv(1 << 16):
            parts.append(part)
            self.work()
        return b"".join(parts)


@pytest.fixture(params=[("127.0.0.1", 0), ("::1", 0)], ids=str)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """One for each family."""
    family = socket.AF_INET6 if ":" in request.param[0] else socket.AF_INET
    with socket.create_server(request.param, family=family, backlog=256) as listener:
        it = Server(listener)
        it.answering.begin([listener], Failure("python app.py", "exited with code 1"))
        yield it
        it.clients.close()
        it.answering.close()


def test_a_request_is_answered(server: Server) -> None:
    """Also one that comes in parts, and one with a body that nobody reads: no reset."""
    whole, parts, body = server.connect(), server.connect(), server.connect()
    whole.sendall(GET)
    parts.sendall(GET[:5])
    server.work()
    parts.sendall(GET[5:])
    body.sendall(b"POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000)
    for client in (whole, parts, body):
        assert server.rest(client).startswith(b"HTTP/1.1 503 ")


@pytest.mark.parametrize("data", [b"\x16\x03\x01\x00\x05hello", b"SSH-2.0-x\r\n", b"\0"])
def test_who_does_not_speak_http_is_left(data: bytes, server: Server) -> None:
    """At once, and without a reset."""
    client = server.connect()
    client.sendall(data)
    assert server.rest(client) == b""


def test_who_says_nothing_is_left_after_a_while(server: Server) -> None:
    """Two seconds; then nobody is awaited any more."""
    client = server.connect()
    server.work()
    assert server.answering.deadline() is not None
    server.later = SILENCE + 0.1
    assert server.rest(client) == b""
    assert server.answering.deadline() is None


def test_who_goes_away_is_forgotten(server: Server) -> None:
    """With a reset, before or after the answer."""
    for send in (b"", GET):
        client = server.connect()
        client.sendall(send)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if send:
            server.work()
        client.close()
    server.work()
    assert server.answering.deadline() is None


def test_what_is_released_meanwhile_is_left(server: Server) -> None:
    """Others that have the socket find it as it was."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        server.answering.begin([other], Failure("python app.py", "has a worker that failed"))
        assert not os.get_blocking(server.listener.fileno())
    server.answering.end()
    assert os.get_blocking(server.listener.fileno())


def test_who_comes_after_the_end_waits(server: Server) -> None:
    """For the new code; who was accepted before is answered, when it has asked."""
    before = server.connect()
    server.work()
    server.answering.end()
    before.sendall(GET)
    after = server.connect()
    after.sendall(GET)
    assert server.rest(before).startswith(b"HTTP/1.1 503 ")
    server.listener.settimeout(5)
    accepted, _ = server.listener.accept()
    with accepted:
        assert accepted.recv(99) == GET


def test_many_at_once_take_turns(server: Server) -> None:
    """The others wait in the queue, and are answered in the end."""
    silent = [server.connect() for _ in range(MOST_CLIENTS)]
    asking = [server.connect() for _ in range(20)]
    for client in asking:
        client.sendall(GET)
    server.work()
    for client in silent:
        client.close()
    for client in asking:
        assert server.rest(client).startswith(b"HTTP/1.1 503 ")


@pytest.fixture
def stranger() -> Iterator[tuple[socket.socket, str]]:
    """A server on every address, and one that is not of this machine alone."""
    with (
        socket.create_server(("0.0.0.0", 0)) as everywhere,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as address,
    ):
        try:
            address.connect(("192.0.2.1", 9))  # sends nothing: it asks by which address one would
        except OSError:
            pytest.skip("this machine has no address but its own")
        yield everywhere, address.getsockname()[0]


@pytest.mark.parametrize("shows_all", [False, True])
def test_only_this_machine_is_told_why(shows_all: bool, stranger: tuple[socket.socket, str]) -> None:
    """Not a client that came in by another address, unless everybody is to see it."""
    everywhere, host = stranger
    server = Server(everywhere, shows_all)
    server.answering.begin([everywhere], Failure("python app.py", "exited with code 1"))
    with server.clients:
        for where, is_told in (("127.0.0.1", True), (host, shows_all)):
            client = server.connect(where)
            client.sendall(GET)
            response = server.rest(client)
            assert response.startswith(b"HTTP/1.1 503 ")
            assert (b"app.py" in response) is is_told
    server.answering.close()
