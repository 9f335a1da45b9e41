"""Which Python files compile, and which of those that do not hold a restart back.

Pure: what to ask the compiler next is a return value, its answers and the time (monotonic seconds) are arguments.

Only a file that the running command needs can break what works. So one that does not compile holds a restart back if
the command is known to have imported it, or if it compiled when it was last seen: of a template, or of a fixture that
was never meant to compile, neither is so. To have seen a file before its first change, each is compiled once in the
background.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from typing import NamedTuple

STUCK = 1.0
"""Seconds that the compiler may take over one file."""
LEARN_FOR = 10.0
"""Seconds of compiling in the background, in all."""
REST = 3.0
"""After each file, so many times as long as it took is left to others."""
MOST_FILES = 20_000
"""So many files are kept in mind, at most."""


class Verdict(Enum):
    """What the compiler says of a file."""

    SOUND = "it compiles"
    BROKEN = "it does not compile"
    GONE = "there is no such file"
    UNKNOWN = "nobody can say: it is too large, may not be read, is no regular file, or the compiler died of it"


class Answer(NamedTuple):
    """What the compiler answers."""

    verdict: Verdict
    text: str = ""
    """Of a broken file: what Python says."""
    has_compiled: bool = False
    """Is there bytecode of an earlier version?"""


class Request(NamedTuple):
    """What the compiler is asked."""

    path: str
    changed: bool
    """False: it is only to be learned, and bytecode that agrees with the file is answer enough."""


class Judgement(NamedTuple):
    """What stands against a restart."""

    holding: dict[str, str]
    """The files that do not compile, and what Python says of each."""
    pending: bool = False
    """Is an answer awaited? Then nothing else is known."""
    stuck: bool = False
    """Did the compiler take too long over one file? Its answer is awaited no longer."""


def _nobody_knows(path: str) -> bool | None:
    return None


class Soundness:
    """Knows what the compiler said of each file."""

    def __init__(self, imported: Callable[[str], bool | None] = _nobody_knows) -> None:
        """`imported`: has the running command imported this file? None: nobody knows."""
        self._imported = imported
        self._sound: set[str] = set()
        """The files that compiled when they were last seen, or have held a restart since."""
        self._holding: dict[str, str] = {}
        self._changed: dict[str, None] = {}
        self._unfinished: set[str] = set()
        self._met: dict[str, None] = {}
        self._asked: Request | None = None
        self._asked_at = 0.0
        self._learned_for = 0.0
        self._learn_at = 0.0

    # -- what happens --------------------------------------------------------------------------------------------------
    def met(self, path: str) -> None:
        """There is such a file."""
        if path not in self._sound and len(self._sound) + len(self._met) < MOST_FILES:
            self._met[path] = None

    def heard(self, path: str, finished: bool = True) -> None:
        """It changed. Not `finished`: more of that is expected, and so another call; else `judge` sees to it."""
        self._met.pop(path, None)
        if finished:
            self._unfinished.discard(path)
            self._changed[path] = None
        else:
            self._unfinished.add(path)

    def started(self) -> None:
        """The command is started, with the files as they are."""
        self._sound.difference_update(self._holding)
        self._holding.clear()

    # -- the compiler --------------------------------------------------------------------------------------------------
    def ask(self, now: float, at_rest: bool) -> Request | None:
        """What the compiler is to be asked now. `at_rest`: there is nothing better to do."""
        if self._asked:
            return None
        if self._changed:
            self._asked = Request(next(iter(self._changed)), changed=True)
            del self._changed[self._asked.path]
        elif at_rest and self._has_to_learn and now >= self._learn_at:
            self._asked = Request(next(iter(self._met)), changed=False)
            del self._met[self._asked.path]
        self._asked_at = now
        return self._asked

    def answered(self, answer: Answer, now: float) -> None:
        """The compiler said this to what it was asked last."""
        request, self._asked = self._asked, None
        if request is None:
            return
        if not request.changed:
            self._learned_for += now - self._asked_at
            self._learn_at = now + REST * (now - self._asked_at)
        path = request.path
        if answer.verdict is Verdict.BROKEN:
            if request.changed and self._may_hold(path, answer):
                self._holding[path] = answer.text
                self._sound.add(path)
            else:
                self._sound.discard(path)
            return
        self._holding.pop(path, None)
        if answer.verdict is Verdict.SOUND and len(self._sound) < MOST_FILES:
            self._sound.add(path)

    def deadline(self, at_rest: bool) -> float | None:
        """When `ask` has something to be learned, if nothing is heard; None: no need."""
        return self._learn_at if at_rest and self._has_to_learn and not self._asked else None

    @property
    def learned(self) -> int | None:
        """How many files are known to compile; None: some are still to be learned."""
        return None if self._asked or self._has_to_learn else len(self._sound)

    # -- the question --------------------------------------------------------------------------------------------------
    def judge(self, changed: Iterable[str], now: float, patient: bool) -> Judgement:
        """What stands against a restart for these files. Not `patient`: answers that are missing are done without."""
        paths = list(changed)
        for path in self._unfinished.intersection(paths):
            self.heard(path)
        pending = [path for path in paths if self._is_pending(path)]
        if pending and patient:
            return Judgement({}, pending=True)
        stuck = self._give_up(pending, now)
        return Judgement({path: self._holding[path] for path in paths if path in self._holding}, stuck=stuck)

    # -- inside --------------------------------------------------------------------------------------------------------
    @property
    def _has_to_learn(self) -> bool:
        return bool(self._met) and self._learned_for < LEARN_FOR

    def _may_hold(self, path: str, answer: Answer) -> bool:
        return path in self._sound or answer.has_compiled or self._imported(path) is True

    def _is_pending(self, path: str) -> bool:
        return path in self._changed or (self._asked is not None and self._asked == Request(path, changed=True))

    def _give_up(self, paths: Iterable[str], now: float) -> bool:
        """Do without answers about these. Is the compiler stuck?"""
        stuck = False
        for path in paths:
            self._holding.pop(path, None)
            if path in self._changed:
                del self._changed[path]
                self.met(path)
            elif self._asked and now >= self._asked_at + STUCK:
                self._asked, stuck = None, True
            elif self._asked:
                self._asked = self._asked._replace(changed=False)
        return stuck
