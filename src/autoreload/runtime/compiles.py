"""Says whether files compile, in the interpreter that runs them: its grammar decides, not that of autoreload.

    python -I -S -W ignore compiles.py      descriptor 0 is a socket that keeps the boundaries of messages

A request is a letter and a path: `c` compile it; `l` the same, but bytecode that agrees with the file is answer enough.
An answer is a letter, perhaps `+` (there is bytecode of an earlier version), and text; the first one, `r`, comes
without a request. `process/compiler.py` is the other side. It ends when that is gone.
"""

import os
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from signal import alarm
else:
    from _signal import alarm  # signal would load enum

LARGEST = 1 << 20
"""Bytes of a source that is compiled."""
LONGEST = 1 << 13
"""Bytes of an answer."""
PATIENCE = 10
"""Seconds after which a compilation is killed, with us: nobody waits for it any more."""
READY, SOUND, BROKEN, GONE, UNKNOWN = b"r", b"s", b"b", b"g", b"u"
CACHED = b"+"
_HOW = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK


def serve() -> None:
    """Answer until nobody asks any more."""
    _close_others()
    os.write(0, READY)
    while True:
        request = os.read(0, 1 << 16)
        if not request:
            return
        alarm(PATIENCE)
        answer = judge(os.fsdecode(request[1:]), request[:1] == b"l")
        alarm(0)
        os.write(0, answer[:LONGEST])


def judge(path: str, may_trust: bool) -> bytes:
    """The answer about one file. `may_trust`: bytecode that agrees with it is enough."""
    try:
        fd = os.open(path, _HOW)
    except (FileNotFoundError, NotADirectoryError):
        return GONE
    except OSError:
        return UNKNOWN
    try:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode) or info.st_size > LARGEST:
            return UNKNOWN
        if may_trust and _agrees(path, info):
            return SOUND
        data = os.read(fd, LARGEST)
    except OSError:
        return UNKNOWN
    finally:
        os.close(fd)
    try:
        compile(data, path, "exec", 0, True)
    except (SyntaxError, ValueError) as error:  # ValueError: a NUL, before 3.12
        return BROKEN + (CACHED if _has_bytecode(path) else b"") + _shown(error, path)
    except (MemoryError, OverflowError, RecursionError):  # how deep is too deep depends on who compiles
        return UNKNOWN
    return SOUND


def _shown(error: Exception, path: str) -> bytes:
    """As Python shows it."""
    from traceback import format_exception_only

    lines = format_exception_only(type(error), error)
    if not isinstance(error, SyntaxError):
        lines.insert(0, f'  File "{path}"\n')
    return "".join(lines).encode("utf-8", "backslashreplace")


def _cache(path: str) -> "tuple[str, bytes]":
    """Where the import system keeps the bytecode of a source."""
    try:
        import _frozen_importlib_external as external

        return external.cache_from_source(path), external.MAGIC_NUMBER
    except (ImportError, NotImplementedError):
        return "", b""


def _has_bytecode(path: str) -> bool:
    return os.path.isfile(_cache(path)[0])


def _agrees(path: str, info: os.stat_result) -> bool:
    """Does the header of its bytecode (PEP 552) have the time and the size of the source?"""
    cached, magic = _cache(path)
    try:
        with open(cached, "rb") as file:
            header = file.read(16)
    except OSError:
        return False
    return header == magic + bytes(4) + _field(int(info.st_mtime)) + _field(info.st_size)


def _field(value: int) -> bytes:
    return (value & 0xFFFFFFFF).to_bytes(4, "little")


def _close_others() -> None:
    """What autoreload has inherited is for the command: a pipe that we held would never end."""
    try:
        numbers = [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        return
    for number in numbers:
        if number > 2:
            try:
                os.close(number)
            except OSError:
                pass


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    serve()
