"""Runs a source file step by step, with a snapshot point between any two.

After a resume the rest of the file is read again from the disk. That it may be, `resumes` has made sure: what was run
is still what the file begins with.
"""

from __future__ import annotations

import sys
from _frozen_importlib import _call_with_frames_removed  # type: ignore[attr-defined]
from _frozen_importlib_external import SourceFileLoader
from itertools import starmap

from .kernel import content
from .statements import Steps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from functools import partial
    from types import CodeType, ModuleType
    from typing import Any

    from .program import Program
else:
    from _functools import partial


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
                self._compile()
            except Exception:
                return super().exec_module  # which says what is wrong
            self._is_compiled = True
        return partial(_call_with_frames_removed, sum, all_of(self._steps()))

    def _steps(self) -> Iterator[tuple[CodeType, dict[str, Any]]]:
        module = self._module or sys.modules[self.name]
        yield from steps_of(self._program, self.path, module.__dict__, self._compile)

    def _compile(self) -> None:
        self._program.unseen(self.get_code, self.name)  # reads or writes the bytecode


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
    steps = Steps(content(path), path, True)
    before = program.resumed
    place = flags = 0
    had_annotations = "__annotations__" in names
    _prepare(names, steps, had_annotations)
    try:
        while place < len(steps.steps):
            step = steps.steps[place]
            code, flags = steps.compiled(step, flags)
            last = place + 1 == len(steps.steps)
            if last:
                program.in_progress.pop(path, None)
                program.used.add(path)
            else:
                program.in_progress[path] = (steps.data[: step.end], step.after)
            yield code, names
            place += 1
            if not last:
                program.point("inside", path, _is_best(steps, place, program.hot.get(path, len(steps.data))))
                if program.resumed != before:
                    compile_all()
                    steps, before = Steps(content(path), path, True), program.resumed
                    place = steps.begins(step.after)
                    _prepare(names, steps, had_annotations)
                    if place < 0:  # once more, since it was looked at; a restart is on its way
                        raise RuntimeError(f"{path} changed while it was being run")
    finally:
        program.in_progress.pop(path, None)
        program.used.add(path)


def _prepare(names: dict[str, Any], steps: Steps, had_annotations: bool) -> None:
    """What is done before the first statement of a module: after a resume too, for the rest may be another now."""
    if steps.annotates:
        exec("", names)  # `__builtins__` comes first, as it does when the whole is executed
        names.setdefault("__annotations__", {})
    elif not had_annotations:
        names.pop("__annotations__", None)


def _is_best(steps: Steps, place: int, changed: int) -> bool:
    """Is the boundary before that step the last one before the first changed byte?"""
    final = place + 1 == len(steps.steps)
    return steps.steps[place - 1].end <= changed and (final or steps.steps[place].end > changed)


def gains(path: str, edited: bool) -> bool:
    """Can that file be run, and was it edited of late, or imports it anything that is not there yet?

    If it cannot, the interpreter is to say what is wrong.
    """
    try:
        steps = Steps(content(path), path)
    except (OSError, SyntaxError, ValueError):
        return False
    return edited or any(name not in sys.modules for name in steps.imported())


def may_resume(path: str, prefix: bytes, number: int) -> str:
    """Why a file in progress cannot go on with statement `number`, `prefix` having been run; empty: it can."""
    try:
        steps = Steps(content(path), path)
    except OSError:
        return "it cannot be read"
    except (SyntaxError, ValueError):
        return "it does not compile"
    return "" if steps.resumes(prefix, number) else "it changed above the point that was reached"
