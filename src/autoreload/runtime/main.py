"""The main script in steps: `python x.py` is read and run by the interpreter itself, with no way to get in between.

So where x.py is in one of the watched folders, the interpreter is made to believe that it is a folder with a `__main__`
in it (as an importer for its path says). For that it calls a function of runpy; another one is there in its stead, and
runs the script in steps, in a module that looks as that of any script. A script that is elsewhere (`flask`, `uvicorn`),
or that imports nothing worth a snapshot (`manage.py`), is left alone.

Of `python -m`, and of a folder that is run, runpy asks a loader for the code; that of stepwise.py gives it some that
does the same. Frames of runpy are in the stack of those anyway.
"""

from __future__ import annotations

import os
import sys
from _frozen_importlib import ModuleSpec, _call_with_frames_removed  # type: ignore[attr-defined]
from _frozen_importlib_external import SourceFileLoader

from . import stepwise
from .kernel import content

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, FrameType, ModuleType, TracebackType
    from typing import Any

    from .program import Program

_BOOTSTRAP = "__import__('sys').modules['autoreload:runtime.main'].taken.__main__ = None"
_BOOTSTRAP_OF_MODULE = "__import__('sys').modules['autoreload:runtime.main'].execute_module(globals())"
taken: Script | None = None
_taken_module: tuple[Program, stepwise.Loader] | None = None


def script() -> str:
    """The absolute path of the script that the interpreter is about to run; empty: it is none."""
    word = sys.argv[0] if getattr(sys, "argv", None) else ""
    if word in ("", "-", "-c", "-m"):
        return ""
    path = os.path.join(os.getcwd(), word)
    return path if os.path.isfile(path) else ""


def prepare(program: Program) -> None:
    """Have the script run in steps, if it was edited of late or may well be: it is what people begin with."""
    global taken
    path = script()
    if not path:
        return
    name = os.path.normpath(path)
    ours = name in program.hot or program.watches(os.path.dirname(name))
    if ours and name.endswith(".py") and not sys.flags.inspect and stepwise.gains(path, name in program.hot):
        program.entry = name
        taken = Script(program, path)
        sys.path_importer_cache[path] = Importer(path)
        if "runpy" not in sys.modules:
            sys.modules["runpy"] = _stand_in(taken)
    else:
        program.used.add(name)


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
        return compile(_BOOTSTRAP, "<string>", "exec", 0, True)


def _stand_in(script: Script) -> ModuleType:
    """What the interpreter finds when it imports runpy: that would import a lot that the program might not need.

    Whoever else asks for it (a sitecustomize) gets the true one, which comes to the same by `Importer.get_code`.
    """
    module = type(sys)("runpy")

    def find(name: str) -> Any:  # see PEP 562
        if sys.modules.get("runpy") is module:
            del sys.modules["runpy"]
        return getattr(__import__("runpy"), name)

    # The interpreter calls it with "__main__" and False, which sets `script.__main__`, which calls sum(script, False),
    # which iterates over the script, which runs it: all of it in C, so that no frame is below those of the script.
    module.__dict__.update(_run_module_as_main=script.__setattr__, __getattr__=find)
    return module


class Script:
    """Iterate over it to run it."""

    def __init__(self, program: Program, path: str) -> None:
        self._program = program
        self._path = path

    __main__ = property(None, sum)

    def __iter__(self) -> filter[Any]:
        return stepwise.all_of(self._steps())

    def _compile(self) -> None:
        compile(content(self._path), self._path, "exec", 0, True)

    def _steps(self) -> Iterator[tuple[CodeType, dict[str, Any]]]:
        path, names = self._path, sys.modules["__main__"].__dict__
        sys.modules.pop("runpy", None)
        sys.path_importer_cache[path] = None  # as the interpreter leaves it for any script
        if sys.path and sys.path[0] == path:
            if getattr(sys.flags, "safe_path", False):
                del sys.path[0]
            else:
                sys.path[0] = os.path.dirname(os.path.realpath(path))
        loader = SourceFileLoader("__main__", path)
        names.update(__file__=path, __cached__=None, __doc__=None, __loader__=loader, __package__=None, __spec__=None)
        if sys.version_info < (3, 14):
            names.setdefault("__annotations__", {})
        self._compile()
        try:
            yield from stepwise.steps_of(self._program, path, names, self._compile)
        except GeneratorExit:  # the script has raised something, and this is thrown away
            import atexit

            atexit.register(_forget_if_printed, names)
            raise
        _forget(names)


def _forget(names: dict[str, Any]) -> None:
    """As the interpreter does when a script has been run, or its exception printed; not when it exits by itself."""
    names.pop("__file__", None)
    names.pop("__cached__", None)


def _forget_if_printed(names: dict[str, Any]) -> None:
    if hasattr(sys, "last_type"):
        _forget(names)


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
        loader.compile_all()
        _call_with_frames_removed(
            sum, stepwise.all_of(stepwise.steps_of(program, loader.path, names, loader.compile_all))
        )
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


def _after(trace: TracebackType | None) -> TracebackType | None:
    """The part of the stack that is the script's: all of ours is above it."""
    here = os.path.dirname(__file__)
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith((here, "<frozen importlib.")):
        trace = trace.tb_next
    return trace
