"""Functions of the C library that Python has no name for.

`_ctypes` is used without `ctypes` around it: the same machinery, 3 ms less to import, which counts because the guard
has to be up before the first command can start. Everything here is loaded by the guard too, so nothing that is slow to
import (typing, enum, signal) may be.
"""

from _ctypes import FUNCFLAG_CDECL, FUNCFLAG_USE_ERRNO, CFuncPtr, _SimpleCData, dlopen, dlsym, get_errno
from posix import strerror

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    _Value = _SimpleCData[Any]
else:
    _Value = _SimpleCData


class Int(_Value):
    """`int`."""

    _type_ = "i"


class ULong(_Value):
    """`unsigned long`, as wide as a register."""

    _type_ = "L"


class ULongLong(_Value):
    """`unsigned long long`, 64 bits on every machine."""

    _type_ = "Q"


class Pointer(_Value):
    """`void *`."""

    _type_ = "P"


class Function(CFuncPtr):
    """A C function that returns an `int`, -1 with errno set when it failed."""

    _flags_ = FUNCFLAG_CDECL | FUNCFLAG_USE_ERRNO
    _restype_ = Int


def function(name: str) -> Function:
    """The function of the C library with that name; OSError if it has none."""
    everything = dlopen(None, 0)  # type: ignore[arg-type]  # NULL: all that is loaded, as in dlopen(3)
    return Function(dlsym(everything, name))


def checked(result: int) -> int:
    """The result of a call; OSError if it says that the call failed."""
    if result == -1:
        errno = get_errno()
        raise OSError(errno, strerror(errno))
    return result
