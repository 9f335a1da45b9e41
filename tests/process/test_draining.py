"""What the kernel tells of other processes' sockets, and how their servers are kept from accepting."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoreload.linux import epoll, openfiles, sockdiag, unixdiag
from autoreload.linux.pidfd import take
from autoreload.sockets.draining import Draining
from tests.support import eventually

SERVER = """
import select, socket, sys
listener = socket.socket(fileno=int(sys.argv[1]))
epoll = select.epoll()
epoll.register(listener, select.EPOLLIN)
print("ready", flush=True)
clients = {}
while True:
    for number, _ in epoll.poll():
        if number == listener.fileno():
            client, _ = listener.accept()
            epoll.register(client, select.EPOLLIN)
            clients[client.fileno()] = client
        else:
            data = clients[number].recv(99)
            if data:
                clients[number].sendall(data)
            else:
                epoll.unregister(number)
                clients.pop(number).close()
"""


class Server:
    """Another process that echoes, and our duplicate of its socket."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.number = listener.fileno()
        self.inode = os.fstat(self.number).st_ino
        self.port = listener.getsockname()[1]
        self.process = subprocess.Popen(
            [sys.executable, "-S", "-E", "-c", SERVER, str(self.number)],
            pass_fds=[self.number],
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout
        assert self.process.stdout.readline() == b"ready\n"
        self.pid = self.process.pid

    def connect(self) -> socket.socket:
        """A client."""
        return socket.create_connection(("127.0.0.1", self.port), 5)

    def echoes(self, client: socket.socket, within: float) -> bool:
        """Does it answer?"""
        client.sendall(b"x")
        return bool(select.select([client], [], [], within)[0])

    def connections(self) -> list[sockdiag.Connection]:
        """Of its port."""
        return sockdiag.connections({self.port})

    def drain(self) -> Draining:
        """A drain of it, not begun."""
        return Draining({self.inode: self.number}, {self.port}, lambda: [self.pid])


@pytest.fixture
def server() -> Iterator[Server]:
    """One that runs."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        it = Server(listener)
        yield it
        it.process.kill()
        it.process.wait()
        assert it.process.stdout
        it.process.stdout.close()


def test_who_has_a_socket_and_who_watches_it(server: Server) -> None:
    """Told by /proc."""
    assert openfiles.sockets(server.pid, {server.inode}) == {server.inode: [server.number]}
    assert openfiles.open_in([server.pid, 1 << 30], {server.inode, 1}) == {server.inode}
    assert [(number, inode) for _, number, inode in epoll.watched(server.pid)] == [(server.number, server.inode)]
    assert epoll.watched(1 << 30) == []


def test_a_descriptor_of_another_process_is_taken(server: Server) -> None:
    """It is the same socket, and close-on-exec."""
    number = take(server.pid, server.number)
    assert os.fstat(number).st_ino == server.inode
    assert not os.get_inheritable(number)
    os.close(number)
    with pytest.raises(OSError, match="Bad file descriptor"):
        take(server.pid, 999)


@pytest.mark.parametrize("own", ["the number is free here", "it is another's here"])
def test_a_server_that_is_unwatched_accepts_no_more(own: str, server: Server, tmp_path: Path) -> None:
    """Who connects then waits in the queue; who was accepted before is served. Our descriptors are what they were."""
    ours = server.number
    if own == "it is another's here":
        ours = os.dup(server.number)
        with open(tmp_path / "file", "w") as file:
            os.dup2(file.fileno(), server.number)
    before = sorted(os.listdir("/proc/self/fd"))
    kept = os.fstat(server.number).st_ino
    ((holder, number, _),) = epoll.watched(server.pid)
    with server.connect() as early, server.connect() as late:
        assert server.echoes(early, 5)
        assert epoll.unwatch(server.pid, holder, number, ours)
        assert not epoll.unwatch(server.pid, holder, number, ours)
        assert server.echoes(early, 5)
        with server.connect() as later:
            assert not server.echoes(later, 0.2)
            eventually(lambda: [one.is_accepted for one in server.connections()].count(False) == 1)
        assert server.echoes(late, 5)
    assert os.fstat(server.number).st_ino == kept
    assert len(os.listdir("/proc/self/fd")) == len(before)
    if ours != server.number:
        os.dup2(ours, server.number)
        os.close(ours)


def test_what_is_known_of_a_connection(server: Server) -> None:
    """Accepted, asked, answered; unread."""
    with server.connect() as client:
        (one,) = eventually(lambda: [one for one in server.connections() if one.is_accepted])
        assert not one.has_asked
        assert server.echoes(client, 5)
        (one,) = server.connections()
        assert one.has_asked
        assert one.has_answered
        assert (one.questions, one.received) == (1, 1)
        os.kill(server.pid, 19)
        client.sendall(b"xyz")
        (one,) = eventually(lambda: [one for one in server.connections() if one.unread])
        assert one.unread == 3
        assert (one.questions, one.received) == (2, 4)
    assert sockdiag.connections({1}) == []


def test_who_is_connected_to_a_unix_socket(tmp_path: Path) -> None:
    """Not who waits in the queue, nor who has gone."""
    path = str(tmp_path / "app.sock")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(path)
        listener.listen()
        client.connect(path)
        assert unixdiag.accepted({path}) == 0
        accepted, _ = listener.accept()
        with accepted:
            assert unixdiag.accepted({path, "/another"}) == 1
            assert unixdiag.accepted({"/another"}) == 0
            client.close()
            assert unixdiag.accepted({path}) == 0


class TestDrain:
    """How long a stop waits."""

    def test_an_idle_server_is_not_waited_for(self, server: Server) -> None:
        """At all."""
        assert server.drain().is_over(time.monotonic())

    def test_who_has_had_an_answer_is_not_waited_for(self, server: Server) -> None:
        """It keeps its connection, in case it has another question."""
        with server.connect() as client:
            assert server.echoes(client, 5)
            draining = server.drain()
            eventually(lambda: draining.is_over(time.monotonic()), within=1.0)

    def test_what_is_unanswered_is_waited_for(self, server: Server) -> None:
        """Up to three seconds."""
        with server.connect() as client:
            assert server.echoes(client, 5)
            os.kill(server.pid, 19)
            client.sendall(b"x")
            eventually(lambda: any(one.unread for one in server.connections()))
            draining = server.drain()
            now = time.monotonic()
            assert not draining.is_over(now)
            assert not draining.is_over(now)  # not yet looked again
            assert draining.deadline > now
            assert not draining.is_over(now + 2.9)
            assert draining.is_over(now + 3.0)

    def test_without_the_right_to_look_two_quiet_moments_are_awaited(
        self, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """In a container without ptrace: it goes on accepting."""

        def denied(*ignored: int) -> bool:
            raise PermissionError

        monkeypatch.setattr(epoll, "unwatch", denied)
        draining = server.drain()
        now = time.monotonic()
        assert not draining.is_over(now)
        assert draining.is_over(now + 0.01)
