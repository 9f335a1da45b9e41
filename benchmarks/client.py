"""A client that opens a connection every 10 ms, until its standard input is closed: what became of each, as lines.

python client.py PORT       TIME SECONDS ANSWER, where ANSWER is what was said last, `refused`, `reset` or `none`
"""

from __future__ import annotations

import select
import socket
import sys
import time

EVERY = 0.01
PATIENCE = 10.0


class Asking:
    """One connection."""

    def __init__(self, port: int, loop: select.epoll) -> None:
        self.began = time.monotonic()
        self.heard = b""
        self.end = ""
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.connect_ex(("127.0.0.1", port))
        self._asked = False
        loop.register(self.socket, select.EPOLLOUT)

    def step(self, loop: select.epoll) -> None:
        """Go on."""
        try:
            if not self._asked:
                self._asked = True
                self.socket.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                loop.modify(self.socket, select.EPOLLIN)
                return
            while data := self.socket.recv(1 << 16):
                self.heard += data
            self.end = self.heard.split()[-1].decode() if self.heard else "reset"
        except BlockingIOError:
            pass
        except ConnectionRefusedError:
            self.end = "refused"
        except OSError:
            self.end = "reset"


def main() -> None:
    """Ask until nobody wants to know any more."""
    port = int(sys.argv[1])
    loop = select.epoll()
    loop.register(0, select.EPOLLIN | select.EPOLLHUP)
    asking: dict[int, Asking] = {}
    due = time.monotonic()
    asks = True
    while asks or asking:
        now = time.monotonic()
        if asks and now >= due:
            one = Asking(port, loop)
            asking[one.socket.fileno()] = one
            due = max(due + EVERY, now - EVERY)
        for number, _ in loop.poll(max(0.0, due - time.monotonic()) if asks else EVERY):
            if number == 0:
                asks = False
                loop.unregister(0)
            elif number in asking:
                asking[number].step(loop)
        now = time.monotonic()
        for number, one in list(asking.items()):
            if now > one.began + PATIENCE:
                one.end = one.end or "none"
            if one.end:
                del asking[number]
                one.socket.close()
                print(one.began, now - one.began, one.end)


main()
