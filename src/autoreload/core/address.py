"""Where to listen: `PORT`, `HOST:PORT`, `[HOST]:PORT`, `unix:PATH`."""

from __future__ import annotations

import posixpath
from typing import NamedTuple

LOOPBACK = "127.0.0.1"
"""Where no host is given: what is being written is nobody else's business."""
MOST_PORTS = 65535
LONGEST_PATH = 107
"""Bytes: unix(7)."""
WHAT = "a port, HOST:PORT, [IPV6]:PORT or unix:PATH"
_UNIX = "unix:"


class Address(NamedTuple):
    """One of the two kinds."""

    host: str = ""
    port: int = 0
    path: str = ""
    """Of a Unix socket; `host` and `port` are empty then."""

    def __str__(self) -> str:
        if self.path:
            return _UNIX + self.path
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def name(self) -> str:
        """For LISTEN_FDNAMES: sd_listen_fds(3) takes no colon, no control characters, and 255 of the others."""
        text = posixpath.basename(self.path) if self.path else str(self.port)
        return "".join(c if " " < c <= "~" and c != ":" else "_" for c in text)[:255]


def parse(text: str) -> Address:
    """The address that a person means; ValueError says what it must be."""
    if text.startswith(_UNIX):
        path = text.removeprefix(_UNIX)
        if not path or "\0" in path or path.endswith("/"):
            raise ValueError(WHAT)
        return Address(path=path)
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host or (colon and not host):  # `::1:80` may mean two things; who leaves out the host?
        raise ValueError(WHAT)
    if (colon and not host) or not (port.isascii() and port.isdigit()) or int(port) > MOST_PORTS:
        raise ValueError(WHAT)
    return Address(host or LOOPBACK, int(port))


def below(text: str, directory: str) -> str:
    """The same, with a path relative to `directory` made absolute."""
    address = parse(text)
    return str(address._replace(path=posixpath.join(directory, address.path))) if address.path else text
