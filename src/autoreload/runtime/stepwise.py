"""Runs a source file step by step, with a snapshot point between any two.

After a resume the rest of the file is read again from the disk. That it may be, `resumes` has made sure: what was run
is still what the file begins with.
"""

from __future__ import annotations

from _frozen_importlib import _call_with_frames_removed  # type: ignore[attr-defined]
from _frozen_importlib_external import SourceFileLoader

from .kernel import content
from .statements import Steps, unseen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from .program import Program


class Loader(SourceFileLoader):
    """Loads a module in steps."""

    def __init__(self, fullname: str, path: str, program: Program) -> None:
        super().__init__(fullname, path)
        self._program = program

    @unseen
    def exec_module(self, module: ModuleType) -> None:
        """Part of importlib.abc.Loader."""
        run(self._program, self.path, module.__dict__)


@unseen
def run(program: Program, path: str, names: dict[str, Any]) -> None:
    """Execute that file in these names, as exec(compile(...)) would."""
    program.telling.uses(path)
    steps = Steps(content(path), path)
    before = program.resumed
    place = flags = 0
    if steps.annotates:
        exec("", names)  # `__builtins__` comes first, as it does when the whole is executed
        names.setdefault("__annotations__", {})
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
            _call_with_frames_removed(exec, code, names)
            place += 1
            if not last:
                program.point("inside", path, _is_best(steps, place, program.hot.get(path)))
                if program.resumed != before:
                    steps = Steps(content(path), path)
                    before = program.resumed
                    place = steps.begins(step.after)
                    if place < 0:  # once more, since it was looked at; a restart is on its way
                        raise RuntimeError(f"{path} changed while it was being run")
    finally:
        program.in_progress.pop(path, None)
        program.used.add(path)


def _is_best(steps: Steps, place: int, changed: int | None) -> bool:
    """Is the boundary before that step the last one before the first changed byte?"""
    if changed is None:
        return False
    final = place + 1 == len(steps.steps)
    return steps.steps[place - 1].end <= changed and (final or steps.steps[place].end > changed)


def compiles(path: str) -> bool:
    """Can that file be run?"""
    try:
        Steps(content(path), path)
    except (OSError, SyntaxError, ValueError):
        return False
    return True


def may_resume(path: str, prefix: bytes, number: int) -> str:
    """Why a file in progress cannot go on with statement `number`, `prefix` having been run; empty: it can."""
    try:
        steps = Steps(content(path), path)
    except OSError:
        return "it cannot be read"
    except (SyntaxError, ValueError):
        return "it does not compile"
    return "" if steps.resumes(prefix, number) else "it changed above the point that was reached"
