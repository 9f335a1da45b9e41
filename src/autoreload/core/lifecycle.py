"""The life of the command as a state machine: which input in which state leads to which actions.

Pure: it is told what happened (with the time, monotonic seconds) and answers with what is to be done. It does not know
how a process is started or ended, nor why a file counted.

Two promises are kept here and tested on random traces: the command that runs was started after the last change (I1),
and it is started only when the old tree is known to be empty (I2). `_alive` is that knowledge: true from the moment a
start is asked for until the guard answers the stop that was sent last; its token tells that answer from a late one.
"""

from __future__ import annotations

import errno
import signal
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from autoreload.core.debounce import Phase

# -- what happens ----------------------------------------------------------------------------------------------------


class Begin(NamedTuple):
    """autoreload is ready."""


class Changing(NamedTuple):
    """The burst of changes got to this phase."""

    phase: Phase


class Started(NamedTuple):
    """The command was executed."""


class Failed(NamedTuple):
    """It could not be executed."""

    errno: int
    fresh: bool
    """Its file changed just now, so it is perhaps being rebuilt."""


class Exited(NamedTuple):
    """The command itself ended; its descendants may live on."""

    code: int
    """-N: killed by signal N."""


class Emptied(NamedTuple):
    """Nothing is left of the tree, says the answer to this stop."""

    token: int


class Stuck(NamedTuple):
    """Something of the tree cannot be ended."""


class GuardLost(NamedTuple):
    """The guard was killed; what it kept is dead, and there is a new one."""


class Interrupted(NamedTuple):
    """Somebody wants autoreload to end."""

    signal: int
    from_terminal: bool
    """The terminal sent it, to the command as well."""


class Ticked(NamedTuple):
    """The deadline has passed."""


Input = Begin | Changing | Started | Failed | Exited | Emptied | Stuck | GuardLost | Interrupted | Ticked


# -- what is to be done ----------------------------------------------------------------------------------------------


class Cause(Enum):
    """Why the command is started."""

    FIRST = "autoreload was started"
    CHANGE = "a file changed"
    EXIT = "it ended, and is to be restarted when it does"
    RETRY = "it could not be executed a moment ago"
    GUARD = "its guard was killed"


class Start(NamedTuple):
    """Start the command, as number `run`."""

    run: int
    cause: Cause


class Stop(NamedTuple):
    """End the process tree: `signal` now, SIGKILL after `grace` seconds."""

    token: int
    signal: int
    grace: float
    from_terminal: bool = False


class Kill(NamedTuple):
    """The grace period of this stop is over."""

    token: int


class TellExit(NamedTuple):
    """Say that the command ended by itself, and what comes next (in so many seconds)."""

    code: int
    seconds: float
    state: State
    delay: float


class TellFailure(NamedTuple):
    """Say that the command could not be executed."""

    errno: int
    state: State


class TellEnding(NamedTuple):
    """Say that autoreload ends because of this signal."""

    signal: int
    alive: bool
    """Does the command run, or is it being ended?"""


class Finish(NamedTuple):
    """End autoreload with this exit code."""

    code: int


Action = Start | Stop | Kill | TellExit | TellFailure | TellEnding | Finish


class State(Enum):
    """What is going on. In all but STARTING and RUNNING, no command is meant to run."""

    IDLE = "waiting for a change"
    STARTING = "the command is being executed"
    RUNNING = "the command runs"
    STOPPING = "the tree is being ended"
    BACKING_OFF = "the command ended or could not be executed, and is tried again soon"
    FINISHED = "nothing more will be done"


class OnExit(Enum):
    """What to do when the command ends by itself."""

    WAIT = "wait"
    RESTART = "restart"
    QUIT = "quit"


class Policy(NamedTuple):
    """What the user chose."""

    on_exit: OnExit = OnExit.WAIT
    stop_signal: int = signal.SIGTERM
    grace: float = 5.0
    postpone: bool = False


SURVIVORS = 1
"""Exit code if something of the command could not be ended."""
_ACTIVE = (State.STARTING, State.RUNNING)
_AT_REST = (State.IDLE, State.BACKING_OFF)
RETRIED = frozenset((errno.ETXTBSY, errno.EACCES, errno.ENOENT))
"""What executing a binary that is being rebuilt answers."""
RETRY_FIRST, RETRY_LONGEST, RETRY_FOR = 0.001, 0.05, 2.0
RETRY_SILENTLY = 0.15
"""So long a retry says nothing, seconds."""
BACK_OFF_FIRST, BACK_OFF_LONGEST = 0.1, 30.0
MOST_DOUBLINGS = 10
HEALTHY = 10.0
"""A run of so many seconds ends a series of crashes."""
SAME_PRESS = 0.5
"""A SIGINT by kill(2) so soon after one of the terminal is that one passed on by a parent (npm, uv), seconds."""


class Lifecycle:
    """Feed it with `handle`; carry out what it returns, in order."""

    def __init__(self, policy: Policy = Policy()) -> None:
        self.state = State.IDLE
        self._policy = policy
        self._alive = False
        self._phase = Phase.QUIET
        self._run = 0
        self._token = 0
        self._is_stuck = False
        """Has the runner named something that cannot be ended? It does so once."""
        self._cause = Cause.FIRST
        self._began = 0.0
        self._due: float | None = None
        self._crashes = 0
        self._retries_since: float | None = None
        self._retries = 0
        self._failure_told = False
        self._ending: int | None = None
        self._interrupts: list[tuple[Interrupted, float]] = []

    def handle(self, happened: Input, now: float) -> list[Action]:
        """What is to be done about it. Inputs that mean nothing in the present state are ignored."""
        handler = _TABLE.get((self.state, type(happened)))
        return handler(self, happened, now) if handler else []

    def deadline(self) -> float | None:
        """When `Ticked` is due, if the state lasts so long."""
        return self._due if self.state is State.BACKING_OFF else None

    @property
    def ending(self) -> bool:
        """Will autoreload end once the tree is gone?"""
        return self._ending is not None

    # -- starting ----------------------------------------------------------------------------------------------------
    def _begin(self, happened: Begin, now: float) -> list[Action]:
        return [] if self._policy.postpone else self._start(Cause.FIRST, now)

    def _start(self, cause: Cause, now: float) -> list[Action]:
        assert not self._alive, "a start before the old tree is known to be empty"
        self._is_stuck = False
        if cause is not Cause.RETRY:
            self._retries_since = None
        self.state, self._cause, self._began, self._alive = State.STARTING, cause, now, True
        self._phase = Phase.QUIET
        self._run += 1
        return [Start(self._run, cause)]

    def _started(self, happened: Started, now: float) -> list[Action]:
        self.state, self._retries_since = State.RUNNING, None
        return []

    def _failed(self, happened: Failed, now: float) -> list[Action]:
        self._alive = False
        if happened.errno in RETRIED and (happened.fresh or self._retries_since is not None):
            if self._retries_since is None:
                self._retries_since, self._retries, self._failure_told = now, 0, False
            waited = now - self._retries_since
            if waited < RETRY_FOR:
                told = []
                if waited >= RETRY_SILENTLY and not self._failure_told:
                    self._failure_told = True
                    told = [TellFailure(happened.errno, State.BACKING_OFF)]
                self.state, self._due = State.BACKING_OFF, now + min(RETRY_LONGEST, RETRY_FIRST * 2**self._retries)
                self._cause = Cause.RETRY
                self._retries += 1
                return [*told]
            self._retries_since = None
            if self._failure_told and self._policy.on_exit is OnExit.WAIT:
                self.state = State.IDLE
                return []
        return self._after_the_end(
            lambda state, delay: TellFailure(happened.errno, state), 126 if happened.errno == errno.EACCES else 127, now
        )

    # -- the command ends by itself ----------------------------------------------------------------------------------
    def _exited(self, happened: Exited, now: float) -> list[Action]:
        seconds = now - self._began
        self._note_health(now)
        code = happened.code if happened.code >= 0 else 128 - happened.code
        return self._after_the_end(lambda state, delay: TellExit(happened.code, seconds, state, delay), code, now)

    def _note_health(self, now: float) -> None:
        """A run is over, however it came to that."""
        if now - self._began >= HEALTHY:
            self._crashes = 0

    def _after_the_end(self, tell: Callable[[State, float], Action], code: int, now: float) -> list[Action]:
        if self._policy.on_exit is OnExit.QUIT:
            return [tell(State.FINISHED, 0.0), *self._end(code, self._policy.stop_signal, False)]
        if self._policy.on_exit is OnExit.RESTART:
            delay = min(BACK_OFF_LONGEST, BACK_OFF_FIRST * 2**self._crashes)
            self._crashes = min(self._crashes + 1, MOST_DOUBLINGS)
            self.state, self._due, self._cause = State.BACKING_OFF, now + delay, Cause.EXIT
            return [tell(State.BACKING_OFF, delay)]
        self.state = State.IDLE
        return [tell(State.IDLE, 0.0)]

    def _back_off_ended(self, happened: Ticked, now: float) -> list[Action]:
        return self._restart(self._cause, now)

    # -- changes -----------------------------------------------------------------------------------------------------
    def _changing(self, happened: Changing, now: float) -> list[Action]:
        self._phase = happened.phase
        if self._phase not in (Phase.CERTAIN, Phase.SETTLED):
            return []
        if self._alive:
            return self._restart(Cause.CHANGE, now)
        return self._start(Cause.CHANGE, now) if self._phase is Phase.SETTLED else []

    def _changing_while_stopping(self, happened: Changing, now: float) -> list[Action]:
        self._phase = happened.phase
        if self._phase is not Phase.QUIET:
            self._cause = Cause.CHANGE
        return []

    def _restart(self, cause: Cause, now: float) -> list[Action]:
        """Stop what may be alive, then start."""
        if self.state is State.RUNNING:
            self._note_health(now)
        self._cause = cause
        if not self._alive:
            return self._start(cause, now)
        return self._stop(self._policy.stop_signal, self._policy.grace, from_terminal=False)

    def _stop(self, signal: int, grace: float, from_terminal: bool) -> list[Action]:
        self.state = State.STOPPING
        self._token += 1
        return [Stop(self._token, signal, grace, from_terminal)]

    def _emptied(self, happened: Emptied, now: float) -> list[Action]:
        if happened.token != self._token:
            return []
        return self._gone(now)

    def _gone(self, now: float) -> list[Action]:
        """The stop that was under way has been answered."""
        self._alive = self._is_stuck = False
        if self._ending is not None:
            self.state = State.FINISHED
            return [Finish(self._ending)]
        if self._cause is not Cause.CHANGE or self._phase is Phase.SETTLED:
            return self._start(self._cause, now)
        self.state = State.IDLE
        return []

    def _guard_lost(self, happened: GuardLost, now: float) -> list[Action]:
        self._alive = False
        return self._start(Cause.GUARD, now)

    def _guard_lost_at_rest(self, happened: GuardLost, now: float) -> list[Action]:
        self._alive = False
        return []

    def _guard_lost_while_stopping(self, happened: GuardLost, now: float) -> list[Action]:
        return self._gone(now)

    # -- the end of autoreload ---------------------------------------------------------------------------------------
    def _interrupted(self, happened: Interrupted, now: float) -> list[Action]:
        self._interrupts.append((happened, now))
        wanted = happened.signal if happened.signal == signal.SIGINT else self._policy.stop_signal
        if happened.from_terminal:
            wanted = self._policy.stop_signal  # for those who have not had it from the terminal
        runs = self.state in _ACTIVE
        return [TellEnding(happened.signal, runs), *self._end(0, wanted, happened.from_terminal)]

    def _end(self, code: int, signal: int, from_terminal: bool) -> list[Action]:
        self._ending = code
        if self._is_stuck:
            return self._give_up()
        if not self._alive:
            self.state = State.FINISHED
            return [Finish(code)]
        return self._stop(signal, self._policy.grace, from_terminal)

    def _interrupted_while_stopping(self, happened: Interrupted, now: float) -> list[Action]:
        if self._ending is None:  # in the middle of a restart: the stop that is under way will do
            self._ending = 0
            self._interrupts.append((happened, now))
            told: list[Action] = [TellEnding(happened.signal, alive=True)]
            return told + self._give_up() if self._is_stuck else told
        again = [
            before
            for before, when in self._interrupts
            if before.signal == happened.signal
            and (before.from_terminal == happened.from_terminal or now >= when + SAME_PRESS)
        ]
        self._interrupts.append((happened, now))
        if len(self._interrupts) == 1:  # the command ended by itself (--on-exit quit); what it left is being ended
            return [TellEnding(happened.signal, alive=True)]
        if again and happened.signal in (signal.SIGINT, signal.SIGTERM):
            return [Kill(self._token)]
        return []

    def _stuck(self, happened: Stuck, now: float) -> list[Action]:
        """The runner has named what cannot be ended. A restart goes on waiting for it (I2), an end does not.

        Of a guard that was killed it may name that in any state.
        """
        self._is_stuck = True
        return [] if self._ending is None else self._give_up()

    def _give_up(self) -> list[Action]:
        self.state = State.FINISHED
        return [Finish(SURVIVORS)]


_Handler = Callable[[Lifecycle, "Input", float], list[Action]]
_TABLE: dict[tuple[State, type], _Handler] = {}


def _legal(handler: object, happened: type, *states: State) -> None:
    for state in states:
        assert (state, happened) not in _TABLE
        _TABLE[state, happened] = handler  # type: ignore[assignment]


_legal(Lifecycle._begin, Begin, State.IDLE)
_legal(Lifecycle._changing, Changing, *_AT_REST, *_ACTIVE)
_legal(Lifecycle._changing_while_stopping, Changing, State.STOPPING)
_legal(Lifecycle._started, Started, State.STARTING)
_legal(Lifecycle._failed, Failed, State.STARTING)
_legal(Lifecycle._exited, Exited, *_ACTIVE)
_legal(Lifecycle._emptied, Emptied, State.STOPPING)
_legal(Lifecycle._stuck, Stuck, State.STOPPING, *_ACTIVE, *_AT_REST)
_legal(Lifecycle._back_off_ended, Ticked, State.BACKING_OFF)
_legal(Lifecycle._guard_lost, GuardLost, *_ACTIVE)
_legal(Lifecycle._guard_lost_at_rest, GuardLost, *_AT_REST)
_legal(Lifecycle._guard_lost_while_stopping, GuardLost, State.STOPPING)
_legal(Lifecycle._interrupted, Interrupted, *_AT_REST, *_ACTIVE)
_legal(Lifecycle._interrupted_while_stopping, Interrupted, State.STOPPING)
