"""A client that opens a connection every few milliseconds, and keeps the answers."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PAUSE = 0.01
"""Seconds between two connections."""
PATIENCE = 20.0
"""Seconds for one answer."""


def ask(connect: Callable[[], socket.socket]) -> bytes:
    """The answer to one request; `refused`, `reset` or what else went wrong."""
    try:
        with connect() as client:
            client.settimeout(PATIENCE)
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            parts = []
            while part := client.recv(1 << 16):
                parts.append(part)
            return b"".join(parts) or b"empty"
    except OSError as error:
        return type(error).__name__.encode()


def over_tcp(port: int) -> Callable[[], socket.socket]:
    """How to connect to this port."""
    return lambda: socket.create_connection(("127.0.0.1", port), PATIENCE)


def over_unix(path: str) -> Callable[[], socket.socket]:
    """How to connect to this path."""

    def connect() -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(PATIENCE)
        try:
            client.connect(path)
        except OSError:
            client.close()
            raise
        return client

    return connect


@contextmanager
def asking(connect: Callable[[], socket.socket]) -> Iterator[list[bytes]]:
    """The answers, while the body runs; at its end every request has its answer."""
    answers: list[bytes] = []
    asked: list[threading.Thread] = []
    over = threading.Event()

    def keep_asking() -> None:
        while not over.is_set():
            one = threading.Thread(target=lambda: answers.append(ask(connect)))
            one.start()
            asked.append(one)
            time.sleep(PAUSE)

    asker = threading.Thread(target=keep_asking)
    asker.start()
    try:
        yield answers
    finally:
        over.set()
        asker.join()
        for one in asked:
            one.join()
