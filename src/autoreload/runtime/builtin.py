"""Stand-ins for functions of Python's own, which the program cannot tell from them.

A Python function in the place of `open` would be seen: as a frame in each traceback, as a method where it is an
attribute of a class, by `inspect`, `pickle` and whoever asks for its type. So a stand-in is a real built-in function,
made of what the C API offers (PyCFunction_NewEx, PyObject_Call: both in the stable ABI), and nothing of ours is on the
stack any more when an error leaves it.
"""

from __future__ import annotations

import sys
from _ctypes import FUNCFLAG_PYTHONAPI, CFuncPtr, Py_INCREF, Structure, _SimpleCData, addressof, dlopen, dlsym
from _functools import partial  # type: ignore[import-not-found]
from _operator import methodcaller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

    _Value = _SimpleCData[Any]
else:
    _Value = _SimpleCData

_HERE = __file__.rpartition("/")[0] + "/"
_VARARGS_AND_KEYWORDS = 3


class _Address(_Value):
    _type_ = "P"


class _Int(_Value):
    _type_ = "i"


class _Text(_Value):
    _type_ = "z"


class _Object(_Value):
    _type_ = "O"


class _Definition(Structure):
    """struct PyMethodDef."""

    _fields_ = (("name", _Text), ("function", _Address), ("flags", _Int), ("doc", _Text))


class _New(CFuncPtr):
    _flags_ = FUNCFLAG_PYTHONAPI
    _restype_ = _Object


def _over() -> Any:
    return
    yield


_ended = _over()
next(_ended, None)
_raises = _ended.throw
"""A generator that has ended raises what is thrown into it, and adds nothing to its traceback."""


def stand_in(original: Any, instead: Callable[..., Any]) -> Any:
    """A built-in function that looks like the given one, and does what `instead` does."""
    return _made(original, original.__self__, original.__module__, instead)


def stand_in_method(original: Any, instead: Callable[..., Any]) -> Any:
    """The same for a method of a built-in class (a method descriptor), to be an attribute of a class."""
    owner = sys.modules[original.__objclass__.__module__]
    bound = _New(dlsym(dlopen(None, 0), "PyInstanceMethod_New"))  # type: ignore[arg-type]
    return bound(_Object(_made(original, owner, owner.__name__, instead)))


def _made(original: Any, owner: Any, label: str, instead: Callable[..., Any]) -> Any:
    class Call:
        """Calling it makes what `instead` returns; or one of these, whose initialisation raises what that raised."""

        fail: Any

        def __new__(cls, *arguments: Any, **named: Any) -> Any:
            try:
                return instead(*arguments, **named)
            except BaseException as error:
                failed = object.__new__(cls)
                failed.fail = partial(_raises, error.with_traceback(theirs(error.__traceback__)))
                return failed

        __init__: Any = property(methodcaller("fail"))

    class Module(type(sys)):  # type: ignore[misc]
        """What a built-in function belongs to; PyObject_Call is given it."""

        __call__ = staticmethod(Call)

    name = original.__name__
    module = Module(owner.__name__)
    module.__spec__, module.__loader__ = owner.__spec__, owner.__loader__
    doc = original.__doc__ or ""
    if original.__text_signature__:
        doc = f"{name}{original.__text_signature__}\n--\n\n{doc}"  # as Argument Clinic writes it
    interpreter = dlopen(None, 0)  # type: ignore[arg-type]
    definition = _Definition(
        _Text(name.encode()),
        _Address(dlsym(interpreter, "PyObject_Call")),
        _Int(_VARARGS_AND_KEYWORDS),
        _Text(doc.encode()),
    )
    Py_INCREF(definition)  # for ever: the function points to it, and may be called until the interpreter is gone
    new = _New(dlsym(interpreter, "PyCFunction_NewEx"))
    return new(_Address(addressof(definition)), _Object(module), _Object(label))


def theirs(trace: TracebackType | None, here: str = _HERE) -> TracebackType | None:
    """The part of a stack that is the program's: all of ours is above it."""
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(here):
        trace = trace.tb_next
    return trace
