"""When a command serves, seen from outside."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from autoreload.linux.waiting import waits
from autoreload.sockets.readiness import FIRST, GIVE_UP, Readiness
from tests.support import eventually

SERVERS = {
    "accept": "listener.accept()",
    "poll": "import select; it = select.poll(); it.register(0); it.register(listener); it.unregister(0); it.poll()",
    "select": "import select; select.select([listener], [], [])",
    "epoll": "import select; it = select.epoll(); it.register(listener); it.poll()",
    "thread": "import threading; threading.Thread(target=listener.accept).start()",
}
OTHERS = {
    "sleep": "import time; time.sleep(100)",
    "accept elsewhere": "socket.create_server(('127.0.0.1', 0)).accept()",
    "poll elsewhere": "import select; it = select.poll(); it.register(sys.stdin); it.poll()",
    "select elsewhere": "import select; select.select([sys.stdin], [], [])",
}


@contextmanager
def server(how: str, listener: socket.socket) -> Iterator[int]:
    """A process that has the socket, and does that: its pid."""
    number = listener.fileno()
    source = f"import socket, sys; listener = socket.socket(fileno={number}); {how}"
    pipe, end = os.pipe()
    process = subprocess.Popen([sys.executable, "-S", "-E", "-c", source], pass_fds=[number], stdin=pipe)
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()
        os.close(pipe)
        os.close(end)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket that listens."""
    with socket.create_server(("127.0.0.1", 0)) as it:
        yield it


@pytest.mark.parametrize("how", SERVERS)
def test_it_serves_once_it_waits_for_connections(how: str, listener: socket.socket) -> None:
    """In one of the ways there are; also in a thread that is not the first."""
    inode = os.fstat(listener.fileno()).st_ino
    with server(SERVERS[how], listener) as pid:
        readiness = Readiness(0.0)
        now = FIRST

        def serves() -> bool:
            nonlocal now
            now += 1.0
            return readiness.serves({inode}, lambda: [pid], now) is not None

        eventually(serves)
        assert readiness.look_at is None


@pytest.mark.parametrize("how", OTHERS)
def test_another_wait_is_none(how: str, listener: socket.socket) -> None:
    """Though it has the socket open."""
    with server(OTHERS[how], listener) as pid:
        eventually(lambda: sleeps(pid))
        assert not waits(pid, {listener.fileno()})
        inode = os.fstat(listener.fileno()).st_ino
        assert Readiness(0.0).serves({inode}, lambda: [pid], FIRST) is None


def sleeps(pid: int) -> bool:
    """Is it in a call of the kernel that takes its time?"""
    with open(f"/proc/{pid}/syscall") as file:
        # Not reading its sources: x86_64 and aarch64 have poll, select, accept, clock_nanosleep here.
        return file.read().split()[0] in ("7", "23", "43", "230", "270", "271", "288", "72", "73", "115", "202", "242")


def test_it_is_looked_for_less_and_less_often() -> None:
    """And not for ever."""
    readiness = Readiness(100.0)
    moments = []
    while readiness.look_at is not None:
        moments.append(readiness.look_at)
        assert readiness.serves({1}, list, readiness.look_at - 0.001) is None
        assert readiness.serves({1}, list, readiness.look_at) is None
    pauses = [after - before for before, after in itertools.pairwise(moments)]
    assert moments[0] == 100.0 + FIRST
    assert pauses == sorted(pauses)
    assert 100.0 + GIVE_UP <= moments[-1] < 101.0 + GIVE_UP
    assert len(moments) < 300


def test_who_is_gone_does_not_wait() -> None:
    """Nor does somebody who may not be looked at."""
    assert not waits(1 << 30, {3})
