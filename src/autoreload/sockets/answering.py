"""Answers the clients of held sockets while the command is not there.

It is in the loop of the tool, and nothing in it waits. It ends before the command is started, so that whoever comes
later waits in the queue for that.
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Sequence

from autoreload.core.page import Failure, Request, answer, judge

SILENCE = 2.0
"""Seconds that a client may take for its request, and for its goodbye."""
MOST_CLIENTS = 100
"""At once; others wait in the queue."""
_PART = 1 << 16


class _Client:
    """One connection."""

    def __init__(self, connection: socket.socket, until: float) -> None:
        self.socket = connection
        self.until = until
        self.heard = b""
        self.unsent = b""
        self.is_over = False
        """Has all been said? Then what it still sends is read and dropped: unread, it would make of the close a
        reset, which may overtake the answer."""


class Answering:
    """Accepts on the sockets from `begin` to `end`."""

    def __init__(self, show_errors: bool = False) -> None:
        """`show_errors`: is everybody to see the failure? Else those on this machine are."""
        self._shows_all = show_errors
        self._epoll = select.epoll()
        self._listeners: dict[int, socket.socket] = {}
        self._blocking: dict[int, bool] = {}
        """Of each, whether it was."""
        self._clients: dict[int, _Client] = {}
        self._failure = Failure("", "")
        self._is_full = False

    def fileno(self) -> int:
        """Readable when `work` has something to do."""
        return self._epoll.fileno()

    def deadline(self) -> float | None:
        """When `work` wants to be called though nothing came (monotonic seconds); None: no need."""
        return min((client.until for client in self._clients.values()), default=None)

    def begin(self, listeners: Sequence[socket.socket], failure: Failure) -> None:
        """Answer on these, because of that."""
        self._failure = failure
        for listener in listeners:
            if self._listeners.get(listener.fileno()) is not listener:
                self._blocking[listener.fileno()] = os.get_blocking(listener.fileno())
                listener.setblocking(False)
                self._listeners[listener.fileno()] = listener
                self._epoll.register(listener, select.EPOLLIN)
        self._is_full = False

    def end(self) -> None:
        """Leave the sockets to the command. Who has been accepted is answered, as soon as it has asked."""
        for number, listener in self._listeners.items():
            if listener.fileno() == number:  # else it has been released meanwhile
                self._epoll.unregister(listener)
                os.set_blocking(number, self._blocking[number])  # all that have the socket share that
        self._listeners.clear()
        self._blocking.clear()

    def close(self) -> None:
        """Listen to nobody."""
        for client in list(self._clients.values()):
            self._drop(client)
        self._epoll.close()

    def work(self, now: float) -> None:
        """Do what can be done without waiting."""
        for number, events in self._epoll.poll(0):
            if number in self._listeners:
                self._accept(self._listeners[number], now)
            elif number in self._clients:
                self._hear(self._clients[number], events, now)
        for client in [client for client in self._clients.values() if now >= client.until]:
            self._drop(client)
        self._make_room()

    def _accept(self, listener: socket.socket, now: float) -> None:
        while len(self._clients) < MOST_CLIENTS:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setblocking(False)
            self._clients[connection.fileno()] = _Client(connection, now + SILENCE)
            self._epoll.register(connection, select.EPOLLIN)

    def _make_room(self) -> None:
        """Look away from the queues while there are too many."""
        is_full = len(self._clients) >= MOST_CLIENTS
        if is_full is not self._is_full:
            self._is_full = is_full
            for listener in filter(_is_open, self._listeners.values()):
                self._epoll.modify(listener, 0 if is_full else select.EPOLLIN)

    def _hear(self, client: _Client, events: int, now: float) -> None:
        if events & select.EPOLLOUT:
            self._send(client)
            return
        try:
            data = client.socket.recv(_PART)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if client.is_over:
            if not data:
                self._drop(client)
            return
        client.heard += data
        request = judge(client.heard) if data else Request.OTHER
        if request is not Request.PART:
            client.until = now + SILENCE
            self._say(client, request)

    def _say(self, client: _Client, request: Request) -> None:
        if request is Request.WHOLE:
            client.unsent = answer(client.heard, self._failure, self._shows_all or _is_local(client.socket))
        self._send(client)

    def _send(self, client: _Client) -> None:
        try:
            while client.unsent:
                client.unsent = client.unsent[client.socket.send(client.unsent) :]
            client.socket.shutdown(socket.SHUT_WR)
            client.is_over = True
        except BlockingIOError:
            self._epoll.modify(client.socket, select.EPOLLOUT)
            return
        except OSError:
            self._drop(client)
            return
        self._epoll.modify(client.socket, select.EPOLLIN)

    def _drop(self, client: _Client) -> None:
        del self._clients[client.socket.fileno()]
        self._epoll.unregister(client.socket)
        client.socket.close()


def _is_open(one: socket.socket) -> bool:
    return one.fileno() >= 0


def _is_local(connection: socket.socket) -> bool:
    """Did it come in by an address that only this machine has?"""
    try:
        where = connection.getsockname()
    except OSError:
        return False
    if connection.family == socket.AF_UNIX:
        return True
    host = str(where[0]).removeprefix("::ffff:")
    return host == "::1" or host.startswith("127.")
