"""Runs a source file step by step, with a snapshot point between any two.

After a resume it goes on with what the file is by then. The snapshot has read it, and made sure that it still begins
with what was run.
"""

from __future__ import annotations

import sys
from _frozen_importlib import _call_with_frames_removed  # type: ignore[attr-defined]
from _frozen_importlib_external import SourceFileLoader

from .kernel import content
from .statements import Steps, unseen
from .used import seen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, FrameType, ModuleType
    from typing import Any

    from .program import Program
    from .statements import Step
    from .used import Signature


_DEPTH_IN_RUNPY = 5


class Begun:
    """A file that is being run in steps."""

    @unseen
    def __init__(self, path: str, was: Signature | None) -> None:
        """`was`: what it is, see used.seen. OSError, SyntaxError, ValueError: as running it would raise."""
        self.path = path
        self.was = was
        """What it was when it was read last."""
        self.steps = _call_with_frames_removed(Steps, content(path), path)
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
            steps = self.steps if data == self.steps.data else Steps(data, self.path, silent=True)
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

    @unseen
    def exec_module(self, module: ModuleType) -> None:
        """Part of importlib.abc.Loader. The module gets the loader that it would have without us."""
        self.leave(module)
        run(self._program, self.path, module.__dict__)

    @unseen
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


@unseen
def run(program: Program, path: str, names: dict[str, Any]) -> None:
    """Execute that file in these names, as exec(compile(...)) would."""
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
            _call_with_frames_removed(exec, code, names)
            place += 1
            if not last:
                program.point("inside", path, _is_best(begun.steps, place, program.hot.get(path)))
                if program.resumed != before:
                    before = program.resumed
                    place = begun.steps.begins(begun.number)
    finally:
        _ended(program, begun)


def _ended(program: Program, begun: Begun) -> None:
    program.in_progress[:] = [other for other in program.in_progress if other is not begun]
    program.used.add_as(begun.path, begun.was)


def _is_best(steps: Steps, place: int, changed: int | None) -> bool:
    """Is the boundary before that step the last one before the first changed byte?"""
    if changed is None:
        return False
    final = place + 1 == len(steps.steps)
    return steps.steps[place - 1].end <= changed and (final or steps.steps[place].end > changed)


def compiles(path: str) -> bool:
    """Can that file be run?"""
    try:
        Steps(content(path), path, silent=True)
    except (OSError, SyntaxError, ValueError):
        return False
    return True
