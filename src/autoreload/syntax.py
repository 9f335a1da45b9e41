"""Do the changed Python files compile? Asked of the command's own interpreter, from the moment a change is heard.

What the answers mean is decided in `core/soundness.py`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable

from autoreload.core.change import Change, Kind
from autoreload.core.filter import SOURCES
from autoreload.core.soundness import Answer, Judgement, Soundness, Verdict
from autoreload.process.compiler import Compiler


def _nobody_knows(path: str) -> bool | None:
    return None


class Syntax:
    """Carries questions and answers between what is known and who knows."""

    def __init__(self, interpreter: str, directory: str, tell: Callable[[str], None]) -> None:
        """`interpreter`: of the command; where it is empty, nothing is known of any file. `directory`: where it runs.
        `tell`: what goes on."""
        self._compiler = Compiler(interpreter, directory, os.environb)
        self.programs: frozenset[str] = frozenset()
        """Files that are Python though their names do not say so."""
        self._imported: Callable[[str], bool | None] = _nobody_knows
        self._soundness = Soundness(lambda path: self._imported(path))
        self._at_rest = False
        self._tell = tell
        self._told = 0

    def fileno(self) -> int:
        """Readable when `work` has something to hear."""
        return self._compiler.fileno()

    def deadline(self) -> float | None:
        """When `work` wants to be called, if nothing is heard (monotonic seconds); None: no need."""
        return self._soundness.deadline(self._at_rest)

    def meet(
        self, programs: Iterable[str], files: Iterable[str], imported: Callable[[str], bool | None] = _nobody_knows
    ) -> None:
        """These are Python, whatever their names; these are named by the command. `imported`: has the running command
        imported this file? None: nobody knows."""
        self._imported = imported
        self.programs = frozenset(programs)
        for path in files:
            self.met(path)

    def met(self, path: str) -> None:
        """There is such a file."""
        if self._is_source(path):
            self._soundness.met(path)

    def heard(self, change: Change) -> None:
        """A file changed. By the time the burst is over it has been compiled."""
        if self._is_source(change.path):
            self._soundness.heard(change.path, change.kind not in (Kind.OPENED, Kind.MODIFIED))
            self._ask()

    def starting(self) -> None:
        """The command is about to be started with the files as they are."""
        self._soundness.started()

    def started(self) -> None:
        """It was."""
        self._compiler.start()

    def work(self, at_rest: bool) -> None:
        """Hear an answer, and ask what is to be asked next. `at_rest`: there is nothing better to do than to get to
        know files."""
        self._at_rest = at_rest
        answer = self._compiler.read()
        if answer:
            self._soundness.answered(answer, time.monotonic())
        self._ask()
        learned = self._soundness.learned
        if at_rest and learned is not None and learned != self._told:
            self._told = learned
            self._tell(f"{learned} Python files are known to compile")

    def judge(self, paths: Iterable[str], now: float, patient: bool) -> Judgement:
        """What stands against a restart for these files. Not `patient`: answers that are missing are done without."""
        judgement = self._soundness.judge(paths, now, patient)
        if judgement.stuck:
            self._compiler.give_up()
        self._ask()
        return judgement

    def close(self) -> None:
        """End the compiler."""
        self._compiler.close()

    def _is_source(self, path: str) -> bool:
        return path.endswith(SOURCES) or path in self.programs

    def _ask(self) -> None:
        while request := self._soundness.ask(time.monotonic(), self._at_rest):
            if self._compiler.ask(request.path, may_trust=not request.changed):
                return
            self._soundness.answered(Answer(Verdict.UNKNOWN), time.monotonic())
