"""unix_diag, see sock_diag(7): who is connected to a Unix socket. How much was asked and answered it does not tell."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Collection, Iterator

_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST_DUMP = 0x301
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_NETLINK_SOCK_DIAG = 4
_SHOW_NAME, _SHOW_PEER = 1, 4
_NAME, _PEER = 0, 2
_ESTABLISHED = 1 << 1
_HEADER, _MESSAGE, _ATTRIBUTE = 16, 16, 4
_LARGEST = 1 << 18


def accepted(paths: Collection[str]) -> int:
    """How many connections to these paths are accepted, and not closed by either side. OSError where the kernel does
    not tell. What waits in a queue has no inode, and is left out by the kernel."""
    wanted = {os.fsencode(path) for path in paths}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG) as asking:
        # struct unix_diag_req
        request = struct.pack("=BBHIIIii", socket.AF_UNIX, 0, 0, _ESTABLISHED, 0, _SHOW_NAME | _SHOW_PEER, -1, -1)
        length = _HEADER + len(request)
        asking.send(struct.pack("=IHHII", length, _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST_DUMP, 1, 0) + request)
        found = list(_answers(asking))
    # The other side is named by its inode, which is 0 once that is closed.
    return sum(one.get(_NAME, b"").rstrip(b"\0") in wanted and any(one.get(_PEER, b"")) for one in found)


def _answers(asking: socket.socket) -> Iterator[dict[int, bytes]]:
    """The attributes of each socket."""
    while True:
        data = asking.recv(_LARGEST)
        at = 0
        while at < len(data):
            length, kind = struct.unpack_from("=IH", data, at)
            if kind == _NLMSG_DONE:
                return
            if kind == _NLMSG_ERROR:
                raise OSError(-struct.unpack_from("=i", data, at + _HEADER)[0], "sock_diag")
            yield _attributes(data[at + _HEADER + _MESSAGE : at + length])
            at += length + 3 & ~3


def _attributes(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at + _ATTRIBUTE <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        found[kind] = data[at + _ATTRIBUTE : at + length]
        at += max(_ATTRIBUTE, length + 3 & ~3)
    return found
