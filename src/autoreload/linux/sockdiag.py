"""sock_diag(7): the connections of a port, with what tcp(7) knows of each."""

import socket
import struct
from collections.abc import Collection
from typing import NamedTuple

_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST_DUMP = 0x301
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_NETLINK_SOCK_DIAG = 4
_INET_DIAG_INFO = 2
TCP_ESTABLISHED, TCP_FIN_WAIT1, TCP_FIN_WAIT2, TCP_CLOSE_WAIT = 1, 4, 5, 8
_STATES = sum(1 << state for state in (TCP_ESTABLISHED, TCP_FIN_WAIT1, TCP_FIN_WAIT2, TCP_CLOSE_WAIT))
_HEADER, _MESSAGE, _ATTRIBUTE = 16, 72, 4
_LARGEST = 1 << 18


class Connection(NamedTuple):
    """One that was made to a port of this machine."""

    port: int
    inode: int
    """Of the server's side; 0: it has not accepted it yet."""
    unread: int
    """Bytes that the server has not read."""
    unacknowledged: int
    """Bytes that the client has not confirmed."""
    since_sent: int
    """ms since the server sent something."""
    since_received: int
    """ms since it was sent something."""
    has_asked: bool
    """Has the client ever sent something?"""
    has_answered: bool
    """Has the server?"""
    parts: int = 0
    """How many more segments with data the server has sent than the client."""
    sent: int = 0
    """Bytes that the server has sent, and the client has confirmed."""
    questions: int = 0
    """How many segments with data the client has sent."""
    received: int = 0
    """Bytes in them."""

    @property
    def is_accepted(self) -> bool:
        """Has the server got it? Else it waits in the queue."""
        return self.inode != 0


def connections(ports: Collection[int]) -> list[Connection]:
    """Those to one of the ports that are not over. OSError where the kernel does not tell."""
    found: list[Connection] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG) as asking:
        for family in (socket.AF_INET, socket.AF_INET6):
            asking.send(_question(family))
            found += _answers(asking, ports)
    return found


def _question(family: int) -> bytes:
    """struct nlmsghdr and struct inet_diag_req_v2, for all sockets in these states, with their tcp_info."""
    wanted = struct.pack("=BBBBI48x", family, socket.IPPROTO_TCP, 1 << (_INET_DIAG_INFO - 1), 0, _STATES)
    return struct.pack("=IHHII", _HEADER + len(wanted), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST_DUMP, 1, 0) + wanted


def _answers(asking: socket.socket, ports: Collection[int]) -> list[Connection]:
    found: list[Connection] = []
    while True:
        data = asking.recv(_LARGEST)
        at = 0
        while at < len(data):
            length, kind = struct.unpack_from("=IH", data, at)
            if kind == _NLMSG_DONE:
                return found
            if kind == _NLMSG_ERROR:
                errno = -struct.unpack_from("=i", data, at + _HEADER)[0]
                raise OSError(errno, "sock_diag")
            (port,) = struct.unpack_from(">H", data, at + _HEADER + 4)
            if port in ports:
                found.append(_connection(port, data[at + _HEADER : at + length]))
            at += _aligned(length)


def _connection(port: int, message: bytes) -> Connection:
    """From struct inet_diag_msg and the attributes behind it."""
    unread, unacknowledged, _, inode = struct.unpack_from("=IIII", message, 56)
    info = b""
    at = _MESSAGE
    while at + _ATTRIBUTE <= len(message):
        length, kind = struct.unpack_from("=HH", message, at)
        if kind == _INET_DIAG_INFO:
            info = message[at + _ATTRIBUTE : at + length]
        at += max(_ATTRIBUTE, _aligned(length))
    since_sent, _, since_received = struct.unpack_from("=III", info, 44) if len(info) >= 56 else (0, 0, 0)
    # tcpi_data_segs_in, tcpi_data_segs_out: Linux 4.6.
    segments_in, segments_out = struct.unpack_from("=II", info, 152) if len(info) >= 160 else (1, 1)
    # tcpi_bytes_acked, tcpi_bytes_received: Linux 4.1.
    sent, received = struct.unpack_from("=QQ", info, 120) if len(info) >= 136 else (0, 1 << 32)
    return Connection(
        port,
        inode,
        unread,
        unacknowledged,
        since_sent,
        since_received,
        segments_in > 0,
        segments_out > 0,
        segments_out - segments_in,
        sent,
        segments_in,
        received,
    )


def _aligned(length: int) -> int:
    return length + 3 & ~3
