"""Runs a source file step by step, with a snapshot point between any two.

After a resume it goes on with what the file is by then. The snapshot has read it, and made sure that it still begins
with what was run.
"""

from __future__ import annotations

import sys
from _frozen_importlib import _call_with_frames_removed  # type: ignore[attr-defined]
from _frozen_importlib_external import SourceFileLoader
from itertools import starmap

from .kernel import content
from .statements import Steps
from .used import seen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from functools import partial
    from types import CodeType, FrameType, ModuleType
    from typing import Any, TypeVar

    from .program import Program
    from .statements import Step
    from .used import Signature

    F = TypeVar("F", bound=Callable[..., Any])
else:
    from _functools import partial

_DEPTH_IN_RUNPY = 5


def _of_the_import_system(function: F) -> F:
    """Have its frames taken for some of the import system, which `import` leaves out of tracebacks and `warnings` does
    not count (remove_importlib_frames in CPython's import.c, warnings._is_internal_frame)."""
    function.__code__ = function.__code__.replace(co_filename="<frozen importlib._bootstrap_external>")
    return function


class Begun:
    """A file that is being run in steps."""

    def __init__(self, path: str, was: Signature | None) -> None:
        """`was`: what it is, see used.seen. It has been compiled before. OSError, SyntaxError, ValueError: it has
        changed since."""
        self.path = path
        self.was = was
        """What it was when it was read last."""
        self.steps = Steps(content(path), path, is_checked=True)
        self.prefix = b""
        """What of it was run, or is now."""
        self.number = 0
        """That of the next statement."""

    def runs(self, step: Step) -> None:
        """That one, now."""
        self.prefix, self.number = self.steps.data[: step.end], step.after

    def renew(self) -> str:
        """Read it again, in a snapshot, for whoever is resumed: that is to run what was looked at here, even if the
        file changes meanwhile. Why it cannot go on from where it is; empty: it can."""
        was = seen(self.path)
        try:
            data = content(self.path)
            steps = self.steps if data == self.steps.data else Steps(data, self.path)
        except OSError:
            return "it cannot be read"
        except (SyntaxError, ValueError):
            return "it does not compile"
        # Whether a module has annotations is settled before its first statement.
        if not steps.resumes(self.prefix, self.number) or steps.annotates != self.steps.annotates:
            return "it changed above the point that was reached"
        self.was, self.steps = was, steps
        return ""


class Loader(SourceFileLoader):
    """Loads a module in steps."""

    def __init__(self, fullname: str, path: str, program: Program) -> None:
        super().__init__(fullname, path)
        self._program = program
        self._module: ModuleType | None = None
        self._is_compiled = False

    def create_module(self, spec: Any) -> ModuleType:
        """Part of importlib.abc.Loader."""
        self._module = type(sys)(spec.name)
        return self._module

    @property
    def exec_module(self) -> Any:
        """Part of importlib.abc.Loader. No method, for that would be seen in the stack; and of what calls the steps
        the interpreter leaves out the frames in a traceback, as for any module."""
        if not self._is_compiled:
            try:
                self.compile_all()
            except Exception:
                return super().exec_module  # which says what is wrong
            self._is_compiled = True
        return partial(_call_with_frames_removed, sum, all_of(self._steps()))

    def _steps(self) -> Iterator[tuple[CodeType, dict[str, Any]]]:
        module = self._module or sys.modules[self.name]
        self.leave(module)
        yield from steps_of(self._program, self.path, module.__dict__, self.compile_all)

    def compile_all(self) -> None:
        """Warn of what is odd in it, and write the bytecode, as for any module."""
        self._program.unseen(SourceFileLoader.get_code, self, self.name)

    @_of_the_import_system
    def get_code(self, fullname: str) -> CodeType | None:
        """Part of importlib.abc.InspectLoader: runpy asks for the code of what is to be the main program."""
        if _is_asked_by_runpy():
            from . import main

            return main.code_of(self._program, self)
        return SourceFileLoader.get_code(self, fullname)

    def leave(self, module: ModuleType) -> None:
        """Have it the loader that it would have without us."""
        plain = SourceFileLoader(self.name, self.path)
        for holder, name in ((module, "__loader__"), (module.__spec__, "loader")):
            if getattr(holder, name, None) is self:
                setattr(holder, name, plain)


def _is_asked_by_runpy() -> bool:
    """Is it for `python -m`, or a folder that is run? Their code is asked for within runpy._run_module_as_main."""
    frame: FrameType | None = sys._getframe(2)
    for _ in range(_DEPTH_IN_RUNPY):
        if frame is None or frame.f_globals.get("__name__") != "runpy":
            return False
        if frame.f_code.co_name == "_run_module_as_main":
            return True
        frame = frame.f_back
    return False


def all_of(steps: Iterator[tuple[CodeType, dict[str, Any]]]) -> filter[Any]:
    """Runs all of them when it is iterated over, and gives nothing: in C, so that no frame of ours is below theirs."""
    return filter(None, starmap(exec, steps))


def steps_of(
    program: Program, path: str, names: dict[str, Any], compile_all: Callable[[], None]
) -> Iterator[tuple[CodeType, dict[str, Any]]]:
    """The arguments of `exec` for one step after the other of that file, with a snapshot point between any two.

    The file was compiled before. `compile_all`: does that again, after a resume.
    """
    program.telling.uses(path)
    was = seen(path)
    try:
        begun = Begun(path, was)
    except BaseException:  # it was used all the same: who caught that goes on otherwise once it compiles
        program.used.add_as(path, was)
        raise
    before = program.resumed
    place = flags = 0
    if begun.steps.annotates:
        exec("", names)  # `__builtins__` comes first, as it does when the whole is executed
        for name, value in begun.steps.first_names():
            names.setdefault(name, value)
    program.in_progress.append(begun)
    try:
        while place < len(begun.steps.steps):
            step = begun.steps.steps[place]
            code, flags = begun.steps.compiled(step, flags)
            begun.runs(step)
            last = place + 1 == len(begun.steps.steps)
            if last:
                _ended(program, begun)
            yield code, names
            place += 1
            if not last:
                changed = program.hot.get(path, len(begun.steps.data))
                program.point("inside", path, _is_best(begun.steps, place, changed))
                if program.resumed != before:
                    before = program.resumed
                    place = begun.steps.begins(begun.number)
                    _compile_again(compile_all)
    finally:
        _ended(program, begun)


def _compile_again(compile_all: Callable[[], None]) -> None:
    try:
        compile_all()
    except (OSError, SyntaxError, ValueError):
        pass  # it has changed once more since the snapshot looked at it


def _ended(program: Program, begun: Begun) -> None:
    program.in_progress[:] = [other for other in program.in_progress if other is not begun]
    program.used.add_as(begun.path, begun.was)


def _is_best(steps: Steps, place: int, changed: int) -> bool:
    """Is the boundary before that step the last one before the first changed byte?"""
    final = place + 1 == len(steps.steps)
    return steps.steps[place - 1].end <= changed and (final or steps.steps[place].end > changed)


def compiles(path: str) -> bool:
    """Can that file be run?"""
    try:
        Steps(content(path), path)
    except (OSError, SyntaxError, ValueError):
        return False
    return True


def gains(path: str, edited: bool) -> bool:
    """Can that file be run, and was it edited of late, or imports it anything that is not there yet?

    If it cannot, the interpreter is to say what is wrong.
    """
    try:
        steps = Steps(content(path), path)
    except (OSError, SyntaxError, ValueError):
        return False
    return edited or any(name not in sys.modules for name in steps.imported())
