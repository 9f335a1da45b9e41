"""Whose a thread is that waits for nothing: what it was started with tells."""

from __future__ import annotations

import os
import sys

import pytest

from autoreload.runtime import native
from autoreload.runtime.kernel import content

PLACE = 0x7F0000000000
SIZE = 4096
WORD = 8


def words(*numbers: int) -> bytes:
    """As they are in memory."""
    return b"".join(number.to_bytes(WORD, sys.byteorder) for number in numbers)


def test_an_address_belongs_to_the_library_that_is_mapped_there() -> None:
    """Not what is always there, nor what lies between two of them."""
    code = native.Code(
        [
            f"{PLACE:x}-{PLACE + SIZE:x} r-xp 00000000 08:01 1 /usr/lib/libone.so",
            f"{PLACE + SIZE:x}-{PLACE + 2 * SIZE:x} rw-p 00000000 00:00 0",
            f"{PLACE + 2 * SIZE:x}-{PLACE + 3 * SIZE:x} r-xp 00000000 08:01 1 /usr/lib/libtwo.so",
            f"{PLACE + 3 * SIZE:x}-{PLACE + 4 * SIZE:x} r-xp 00000000 08:01 1 /usr/lib/libc.so.6",
        ]
    )

    assert code.names(words(1, PLACE - 1, PLACE + SIZE, PLACE + 3 * SIZE, 2**64 - 1)) == []
    assert code.names(words(PLACE + 2 * SIZE, PLACE, PLACE + SIZE - 1) + b"odd") == ["libtwo.so", "libone.so"]


@pytest.mark.skipif("glibc" not in (os.confstr("CS_GNU_LIBC_VERSION") or ""), reason="another C library")
def test_what_a_thread_was_started_with_is_at_the_top_of_its_stack() -> None:
    """A thread of Python: it began in the code of Python, which is not left out here."""
    import threading

    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    assert thread.native_id
    try:
        lines = content("/proc/self/maps").decode().splitlines()
        everywhere = native.Code([])
        everywhere.names = lambda data: ["seen"] if data else []  # type: ignore[method-assign]

        found = native._starters(lines, [thread.native_id, os.getpid()], everywhere)
    finally:
        end.set()
        thread.join()

    assert found == {thread.native_id: ["seen"]}
