"""What the gate could not see: code in C does what it likes, and so may what is open.

The interpreter tells of what Python code does (PEP 578), and so it does for the extension modules of the standard
library. Of others only those are let through that are known to compute and nothing else.
"""

from __future__ import annotations

import posix
from _ctypes import CFuncPtr

from .kernel import content

_SILENT = frozenset(
    "numpy pandas markupsafe pydantic_core sqlalchemy greenlet yaml _yaml orjson msgpack multidict yarl frozenlist "
    "propcache httptools regex wrapt rpds".split()
)
"""Packages whose C code opens, sends and starts nothing by itself."""
_SYSTEM = tuple(
    "ld- ld. libc. libc- libm. libm- libdl libpthread librt. librt- libutil libgcc libstdc++ libz. libbz2 liblzma "
    "libffi libssl libcrypto libcrypt. libcrypt- libexpat libuuid libsqlite3 libmpdec libnsl libtirpc libgfortran "
    "libquadmath libopenblas libscipy_openblas libpython python".split()
)
"""What these names begin with is called by the interpreter, the standard library or one of those packages."""
_LOUD = frozenset(("readline", "_curses", "_curses_panel", "_tkinter", "_dbm", "_gdbm"))
"""Modules of the standard library that talk to the terminal or open files, and tell nobody."""
_CALLS_OF_CTYPES_ITSELF = 1
_NO_FILES = ("/dev/null", "/dev/urandom", "/dev/random", "/dev/zero")


def reason() -> str:
    """Why nobody could say what this program does next; empty: it can be seen."""
    try:
        return _code() or _descriptors() or _calls()
    except OSError as error:
        return f"/proc cannot be read ({posix.strerror(error.errno or 0)})"


def is_silent(path: str) -> bool:
    """Does that library do nothing but compute, or is it told of what it does?"""
    folder, _, name = path.rpartition("/")
    stem = name.partition(".")[0]
    if folder.endswith("/lib-dynload"):
        return stem not in _LOUD
    for installed in ("/site-packages/", "/dist-packages/"):
        _, found, inside = path.rpartition(installed)
        if found:
            return inside.partition("/")[0].partition(".")[0] in _SILENT
    return name.startswith(_SYSTEM)


def _code() -> str:
    for line in content("/proc/self/maps").decode(errors="replace").splitlines():
        fields = line.split(None, 5)
        if len(fields) == 6 and "x" in fields[1] and fields[5].startswith("/") and not is_silent(fields[5]):
            return f"the C code of {fields[5].rpartition('/')[2]} may do anything"
    return ""


def _descriptors() -> str:
    """What both would write to, or whose offset they would share. But for the first three, whose objects in Python are
    watched. A socket in a snapshot has no other side yet."""
    for name in posix.listdir("/proc/self/fd"):
        fd = int(name)
        try:
            target = posix.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            continue  # that of the listing itself
        if fd > 2 and target.startswith(("/", "pipe:")) and not target.startswith(_NO_FILES):
            return f"{target} is open"
    return ""


def _calls() -> str:
    """ctypes makes a class for each library, in which its functions are; one is that of Python itself."""
    calls = sum(1 for kind in CFuncPtr.__subclasses__() if kind.__name__ == "_FuncPtr")
    return "it calls C code by ctypes" if calls > _CALLS_OF_CTYPES_ITSELF else ""
