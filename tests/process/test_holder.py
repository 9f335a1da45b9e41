"""A command that binds its own port, through crashes and restarts: somebody always answers."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from autoreload.core.held import SWEEP
from autoreload.core.page import Failure
from autoreload.linux.descendants import under
from autoreload.sockets.holder import Holder
from autoreload.sockets.keeper import Keeper
from autoreload.sockets.listening import Listening
from tests.e2e.client import ask, asking, over_tcp
from tests.process.servers import ACCEPTING, ASYNCIO, INSTALL
from tests.support import eventually


class Desk:
    """The loop of a tool, and its command."""

    def __init__(self) -> None:
        self.keeper = Keeper(lambda: under(os.getpid()), lambda: [os.getpid()])
        self.holder = Holder(Listening())
        self.holder.keep_with(self.keeper)
        self.process: subprocess.Popen[bytes] | None = None
        self.ready: list[float] = []
        self._orders: list[Callable[[], None]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        while not self._over.is_set():
            select.select([self.holder], [], [], 0.005)
            while self._orders:
                self._orders.pop(0)()
            now = time.monotonic()
            self.holder.work(now)
            taken = self.holder.serves(self.tree, now)
            if taken is not None:
                self.ready.append(taken)

    def tree(self) -> list[int]:
        """The processes of the command."""
        return under(os.getpid())

    def order(self, what: Callable[[], None]) -> None:
        """Let the loop do this, and wait for it."""
        done = threading.Event()
        self._orders += [what, done.set]
        assert done.wait(10)

    def start(self, source: str, port: int, answer: str) -> None:
        """Start the command."""
        words = [
            sys.executable,
            "-S",
            "-E",
            "-c",
            INSTALL + source,
            self.keeper.address,
            "127.0.0.1",
            str(port),
            answer,
        ]

        def go() -> None:
            self.holder.starting()
            self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.holder.started(time.monotonic())

        self.order(go)

    def restart(self, source: str, port: int, answer: str) -> None:
        """Stop it as a tool does, and start it."""
        self.order(lambda: self.holder.stopping(self.tree, 5.0))
        drained = [False]
        while not drained[0]:
            self.order(lambda: drained.__setitem__(0, self.holder.is_drained(time.monotonic())))
        self.end(signal.SIGTERM)
        self.start(source, port, answer)

    def end(self, number: int = 0) -> int:
        """Wait for its end, or end it by this signal; its exit code."""
        assert self.process
        if number:
            self.process.send_signal(number)
        return self.process.wait(10)

    def close(self) -> None:
        """End everything."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._over.set()
        self._thread.join()
        self.holder.close()


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


FAILURE = Failure("python app.py", "exited with code 1", "NameError")


def test_a_command_that_crashed_soon_after_it_was_ready_is_answered_for_as_long_as_it_takes(
    desk: Desk, port: int
) -> None:
    """Then is when what is not wanted would be released."""
    desk.start(ACCEPTING, port, "version 0")
    eventually(lambda: desk.ready)
    desk.end(signal.SIGKILL)
    desk.order(lambda: desk.holder.ended(FAILURE, desk.tree()))
    desk.order(lambda: desk.holder.work(time.monotonic() + SWEEP))
    with asking(over_tcp(port)) as answers:
        eventually(lambda: answers and b" 503 " in answers[-1])
        desk.start(ACCEPTING, port, "version 1")
        eventually(lambda: answers[-1] == b"version 1")


@pytest.mark.parametrize("source", [ACCEPTING, ASYNCIO], ids=["accept", "asyncio"])
def test_nobody_is_refused_or_reset_over_restarts_and_crashes(source: str, desk: Desk, port: int) -> None:
    """A client asks all the time: three versions, each after a crash of the one between."""
    desk.start(source, port, "version 0")
    eventually(lambda: desk.ready)
    with asking(over_tcp(port)) as answers:
        for number in range(1, 4):
            desk.restart(source, port, f"version {number}")
            eventually(lambda: answers and answers[-1] == b"version %d" % number)  # noqa: B023
            desk.restart("undefined", port, "")
            assert desk.end() == 1
            desk.order(lambda: desk.holder.ended(FAILURE, desk.tree()))
            eventually(lambda: b" 503 " in answers[-1])
        desk.start(source, port, "version 4")
        eventually(lambda: answers[-1] == b"version 4")
    wrong = {answer for answer in answers if b" 503 " not in answer and not answer.startswith(b"version ")}
    assert wrong == set()
    assert len(desk.ready) == 5


def test_a_crash_shows_its_traceback(desk: Desk, port: int) -> None:
    """To clients on this machine."""
    desk.start(ACCEPTING, port, "version 1")
    eventually(lambda: desk.ready)
    desk.end(signal.SIGKILL)
    desk.order(lambda: desk.holder.ended(FAILURE, desk.tree()))
    assert ask(over_tcp(port)).endswith(b"python app.py exited with code 1.\n\nNameError\n")


def test_a_command_that_ends_well_gives_its_port_back(desk: Desk, port: int) -> None:
    """Nobody waits for what is not to come."""
    desk.start(ACCEPTING, port, "version 1")
    eventually(lambda: desk.ready)
    desk.end(signal.SIGTERM)
    desk.order(lambda: desk.holder.ended(Failure("app", "exited with code 0"), desk.tree(), well=True))
    assert ask(over_tcp(port)) == b"ConnectionRefusedError"
