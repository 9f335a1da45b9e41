"""The main script in steps: `python x.py` is read and run by the interpreter itself, with no way to get in between.

So where x.py was edited of late, the interpreter is made to believe that it is a folder with a `__main__` in it (as an
importer for its path says), which runpy then runs; the code it is given runs the script in steps, in a module that
looks as that of any script. A script that nobody edits is left alone.
"""

from __future__ import annotations

import os
import sys
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import SourceFileLoader

from . import stepwise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, FrameType, TracebackType
    from typing import Any

    from .program import Program

_BOOTSTRAP = "__import__('sys').modules['autoreload:runtime.main'].execute(globals())"
_BOOTSTRAP_OF_MODULE = "__import__('sys').modules['autoreload:runtime.main'].execute_module(globals())"
_taken: tuple[Program, str] | None = None
_taken_module: tuple[Program, stepwise.Loader] | None = None


def script() -> str:
    """The absolute path of the script that the interpreter is about to run; empty: it is none."""
    word = sys.argv[0] if getattr(sys, "argv", None) else ""
    if word in ("", "-", "-c", "-m"):
        return ""
    path = os.path.join(os.getcwd(), word)
    return path if os.path.isfile(path) else ""


def prepare(program: Program) -> None:
    """Have the script run in steps, if it was edited of late."""
    global _taken
    path = script()
    if not path:
        return
    is_hot = path.endswith(".py") and os.path.normpath(path) in program.hot
    if is_hot and not sys.flags.inspect and stepwise.compiles(path):  # else the interpreter says what is wrong
        _taken = (program, path)
        sys.path_importer_cache[path] = Importer(path)
    else:
        program.used.add(os.path.normpath(path))


class Importer:
    """Finds the script as `__main__`, once."""

    def __init__(self, path: str) -> None:
        self._path = path

    def find_spec(self, name: str, target: object = None) -> Any:
        """Part of importlib.abc.PathEntryFinder."""
        loader: Any = self
        return ModuleSpec(name, loader, origin=self._path) if name == "__main__" else None

    def create_module(self, spec: object) -> None:
        """Part of importlib.abc.Loader."""

    def exec_module(self, module: object) -> None:
        """Part of importlib.abc.Loader; runpy asks for the code instead."""

    def get_code(self, name: str) -> CodeType:
        """What runpy runs."""
        sys.path_importer_cache.pop(self._path, None)
        return compile(_BOOTSTRAP, self._path, "exec", 0, True)


def execute(names: dict[str, Any]) -> None:
    """The main program, in the names of `__main__`."""
    assert _taken is not None
    program, path = _taken
    if sys.path and sys.path[0] == path:
        if getattr(sys.flags, "safe_path", False):
            del sys.path[0]
        else:
            sys.path[0] = os.path.dirname(os.path.realpath(path))
    loader = SourceFileLoader("__main__", path)
    names.update(__file__=path, __cached__=None, __doc__=None, __loader__=loader, __package__=None, __spec__=None)
    if sys.version_info < (3, 14):
        names.setdefault("__annotations__", {})
    try:
        stepwise.run(program, path, names)
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as error:
        _report(error, _after(error.__traceback__))
        _forget_file(names)
        sys.exit(1)
    _forget_file(names)


def code_of(program: Program, loader: stepwise.Loader) -> CodeType:
    """What runpy is to run for `python -m` of that module, or for the `__main__` of a folder."""
    global _taken_module
    _taken_module = (program, loader)
    return compile(_BOOTSTRAP_OF_MODULE, loader.path, "exec", 0, True)


def execute_module(names: dict[str, Any]) -> None:
    """The main program, where runpy runs it."""
    assert _taken_module is not None
    program, loader = _taken_module
    loader.leave(sys.modules["__main__"])
    frame = sys._getframe(2)  # above is the bootstrap code, then runpy
    try:
        stepwise.run(program, loader.path, names)
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as error:
        trace = _after(error.__traceback__)
        traceback: Any = type(error.__traceback__)
        above: FrameType | None = frame
        while above is not None:
            trace = traceback(trace, above, above.f_lasti, above.f_lineno)
            above = above.f_back
        _report(error, trace)
        sys.exit(1)


def _report(error: BaseException, trace: TracebackType | None) -> None:
    """What the interpreter does with an error that nobody handles. It would show our own part of the stack as well."""
    kind = type(error)
    sys.last_type, sys.last_value, sys.last_traceback = kind, error, trace
    if sys.version_info >= (3, 12):
        sys.last_exc = error
    sys.excepthook(kind, error.with_traceback(trace), trace)


def _forget_file(names: dict[str, Any]) -> None:
    """As the interpreter does when a script has been run."""
    names.pop("__file__", None)
    names.pop("__cached__", None)


def _after(trace: TracebackType | None) -> TracebackType | None:
    """The part of the stack that is the script's: all of ours is above it."""
    here = os.path.dirname(__file__)
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith((here, "<frozen importlib.")):
        trace = trace.tb_next
    return trace
