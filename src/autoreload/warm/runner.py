"""A runner that resumes the command from a snapshot where that is as good as a start, and starts it cold elsewhere.

To the session it is the runner that it wraps. What it adds:

- *stop*: the last snapshot ends the program and answers when nothing of it is left; the snapshots stay. Only where
  there is none, or it does not answer, the guard ends everything.
- *start*: `decide` names the snapshots that may serve, and the best that agrees ends whatever is newer than itself and
  forks. If none does, the guard ends everything, then starts the command.
- The program ended by itself: its snapshot says so, and waits to be resumed.
- A snapshot is gone that was not told to go (`kill -9`): everything is ended and started, as when a guard is killed.

Nothing in here waits.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Mapping
from marshal import dumps
from typing import Any, NamedTuple

import autoreload.runtime
from autoreload.process.events import Emptied, Event, Exited, GuardLost, Restarted, Started
from autoreload.process.runner import Runner
from autoreload.runtime.protocol import FORMAT
from autoreload.warm.chain import Chain, Frozen, Snapshot, Told
from autoreload.warm.decide import Decision, Touched, decide, superfluous
from autoreload.warm.hot import Hot

INJECTED = os.path.join(os.path.dirname(os.path.abspath(autoreload.runtime.__file__)), "inject")
VARIABLE = b"AUTORELOAD_RUNTIME"
MOST_SNAPSHOTS = 6
"""Each holds some tenth of the program's memory for itself, and is made again by most restarts."""
SPACING = 1.0
ANSWERS_WITHIN = 1.0
"""Seconds that a snapshot may take longer than what it was asked for; then the guard is asked."""
_OWN = -1
"""Token of a stop that nobody but us knows of."""
_LARGEST_HOT = 1 << 20


class Terms(NamedTuple):
    """What the snapshots have to know, and what they depend on."""

    signal: int
    """That asks the command to end."""
    roots: tuple[str, ...]
    directory: str
    """Where the command starts."""
    strict: bool
    """The command is a shell script: what it ran before Python would not be run again."""
    spacing: float = SPACING
    """Seconds of the program's work between two snapshots; fewer if that is worth it."""


class Stopping(NamedTuple):
    """A stop that the session asked for, and a snapshot was told to carry out."""

    token: int
    signal: int
    from_terminal: bool
    until: float


class Resuming(NamedTuple):
    """A start that a snapshot was asked for."""

    candidates: list[Snapshot]
    """The first of them is the one that was asked."""
    until: float
    began: float


class WarmRunner:
    """As a `Runner`; `start` is told what changed."""

    def __init__(self, runner: Runner, terms: Terms, environ: Mapping[bytes, bytes]) -> None:
        self._runner = runner
        self._terms = terms
        self._environ = environ
        self._chain = Chain()
        self._hot = Hot()
        self._run = 0
        self._folder = _inode(terms.directory)
        self._stopping: Stopping | None = None
        self._resuming: Resuming | None = None
        self._then: Callable[[], list[Event]] | None = None
        """What comes when the stop of our own is answered."""
        self._suspect_at: float | None = None
        self._leaver: Snapshot | None = None
        """Which is being dropped."""
        self._queued: list[Event] = []
        self._refusals: list[tuple[str, str]] = []
        """Why the program that was ended last had no snapshot."""
        self._present: set[str] = set()
        """Files that changed before a start, and were there then."""
        self._epoll = select.epoll()
        self._epoll.register(runner.fileno(), select.EPOLLIN)
        self._epoll.register(self._chain.fileno(), select.EPOLLIN)

    # -- as the runner -------------------------------------------------------------------------------------------------
    @property
    def guard(self) -> int:
        """Pid of the guard; 0: it is dead."""
        return self._runner.guard

    @property
    def weak(self) -> str:
        """If orphans cannot be inherited: what to say about it."""
        return self._runner.weak

    def spare(self, pid: int) -> None:
        """That child of this process is not to be ended or waited for."""
        self._runner.spare(pid)

    def fileno(self) -> int:
        """Readable when `read` has something to tell."""
        return self._epoll.fileno()

    def deadline(self) -> float | None:
        """When `step` wants to be called (monotonic seconds); None: no need."""
        moments = (
            self._runner.deadline(),
            self._stopping.until if self._stopping else None,
            self._resuming.until if self._resuming else None,
            self._suspect_at,
        )
        return min((moment for moment in moments if moment is not None), default=None)

    def read(self) -> list[Event]:
        """What happened since the last call. The snapshots come first: what they told, they told before they ended."""
        events, self._queued = [*self._queued, *self._hear_chain()], []
        return events + self._hear(self._runner.read())

    def reap(self) -> list[Event]:
        """A child died."""
        return self._hear_chain() + self._hear(self._runner.reap())

    def step(self, now: float) -> list[Event]:
        """The deadline has come; `now`: monotonic seconds."""
        events = self._hear_chain()
        if self._stopping and now >= self._stopping.until:
            stopping, self._stopping = self._stopping, None
            self._runner.stop(stopping.token, signal.SIGKILL, 0.0)
        if self._resuming and now >= self._resuming.until:
            self._resuming = None
            self._end_then(lambda: self._start_cold(Decision((), "the snapshot did not answer")))
        if self._suspect_at is not None and now >= self._suspect_at:
            self._suspect_at = None
            events += self._broken()
        due = self._runner.deadline()
        return events + (self._hear(self._runner.step(now)) if due is not None and now >= due else [])

    def forward(self, number: int) -> None:
        """Send the command itself, if it is alive, a signal."""
        self._runner.forward(number)

    def kill(self, token: int) -> None:
        """The grace period of that stop is over."""
        if self._stopping and self._stopping.token == token and self._chain.snapshots:
            self._chain.snapshots[-1].stream.send("kill")
            self._stopping = self._stopping._replace(until=time.monotonic() + ANSWERS_WITHIN)
        else:
            self._runner.kill(token)

    def close(self) -> None:
        """End what may be left, and the guard."""
        try:
            self._runner.close()
        finally:
            self._chain.close()
            self._epoll.close()

    # -- stop ----------------------------------------------------------------------------------------------------------
    def stop(self, token: int, signal: int, grace: float, from_terminal: bool = False) -> None:
        """End the program. Its snapshots stay, and wait."""
        self._queued += self._hear_chain()
        if self._then is not None or self._resuming is not None or not self._chain.snapshots:
            self._chain.expect_end(self._chain.snapshots)
            self._resuming = self._then = self._suspect_at = None
            self._runner.stop(token, signal, grace, from_terminal)
            return
        self._chain.snapshots[-1].stream.send("stop", token, int(signal), grace, from_terminal)
        self._stopping = Stopping(token, int(signal), from_terminal, time.monotonic() + grace + ANSWERS_WITHIN)

    # -- start ---------------------------------------------------------------------------------------------------------
    def start(self, run: int, changed: Mapping[str, bool | None] | None = None) -> None:
        """Start the command, or resume it. `changed`: the files that changed since the last start, and whether each
        was there then (None: nobody knows). Without that it is a cold start, as for the first."""
        self._run = run
        self._queued += self._hear_chain()
        for path in changed or ():
            self._remember(path)
        decision = self._decide(changed)
        self._look(changed)
        if not self._chain.snapshots:
            self._queued += self._start_cold(decision)
        elif decision.candidates:
            self._ask([self._chain.snapshots[place] for place in decision.candidates], time.monotonic())
        else:
            self._end_then(lambda: self._start_cold(decision))

    def _remember(self, path: str) -> None:
        if path.endswith(".py"):
            try:
                with open(path, "rb") as file:
                    self._hot.changed(path, file.read(_LARGEST_HOT))
            except OSError:
                pass

    def _look(self, changed: Mapping[str, bool | None] | None) -> None:
        """Which of these are there as the program starts: when one changes again soon, nobody else may know yet."""
        if changed is None:  # something may have changed all the same
            self._present.clear()
        for path in changed or ():
            if os.path.exists(path):
                self._present.add(path)
            else:
                self._present.discard(path)

    def _decide(self, changed: Mapping[str, bool | None] | None) -> Decision:
        chain = self._chain
        if changed is None:
            return Decision((), "")
        if not chain.snapshots:
            why, path = next(iter(self._refusals or chain.refusals), ("", ""))
            return Decision((), f"no snapshot: {why}" if why else "no CPython 3.9 to 3.13 was seen to start", path)
        if _inode(self._terms.directory) != self._folder:
            return Decision((), "the start directory is another one")
        if chain.overflowed:
            return Decision((), "the program uses too many files")
        burst = {chain.resolved(path): self._touched(path, was_there) for path, was_there in changed.items()}
        return decide(chain.known(), burst, chain.stale())

    def _touched(self, path: str, was_there: bool | None) -> Touched:
        real = self._chain.resolved(path)
        if was_there is None:
            was_there = self._chain.was_there(real) or path in self._present
        return Touched(os.path.exists(path), was_there, self._chain.was_opened(real))

    def _start_cold(self, decision: Decision) -> list[Event]:
        self._forget_all()
        self._refusals = []
        self._folder = _inode(self._terms.directory)
        self._runner.start(self._run, environ=self._injection() if not self._runner.weak else {})
        if not decision.reason:
            return []
        return [Restarted(self._run, False, decision.reason, decision.path, 0.0)]

    def _injection(self) -> dict[bytes, bytes]:
        before = self._environ.get(b"PYTHONPATH")
        kind = "unset" if before is None else "set" if before else "empty"
        told = {"guard": self._runner.guard, "warm": self._told()}
        return {
            b"PYTHONPATH": os.fsencode(INJECTED) + (b":" + before if before else b""),
            VARIABLE: f"{kind} {dumps(told, FORMAT).hex()}".encode(),
        }

    def _told(self) -> dict[str, Any]:
        return {
            "address": self._chain.address,
            "signal": int(self._terms.signal),
            "roots": list(self._terms.roots),
            "strict": self._terms.strict,
            "user": os.geteuid(),
            "spacing": self._terms.spacing,
            "hot": self._hot.places(),
        }

    # -- resume --------------------------------------------------------------------------------------------------------
    def _ask(self, candidates: list[Snapshot], began: float) -> None:
        """Ask the first of them; it refuses if it has begun a file that changed too far up."""
        self._resuming = Resuming(candidates, time.monotonic() + ANSWERS_WITHIN, began)
        # They may be gone before the answer is heard.
        self._chain.expect_end(one for one in self._chain.snapshots if one.depth > candidates[0].depth)
        candidates[0].stream.send("resume", self._told())

    def _refused(self, snapshot: Snapshot, path: str, why: str) -> list[Event]:
        resuming = self._resuming
        if not resuming or resuming.candidates[0] is not snapshot:
            return []
        if resuming.candidates[1:]:
            self._ask(resuming.candidates[1:], resuming.began)
        else:
            self._resuming = None
            decision = Decision((), f"{{}}: {why}", path)
            self._end_then(lambda: self._start_cold(decision))
        return []

    def _resumed(self, snapshot: Snapshot, pid: int) -> list[Event]:
        resuming = self._resuming
        if not resuming or resuming.candidates[0] is not snapshot:
            return []
        self._resuming = None
        kind, path = snapshot.where
        seconds = time.monotonic() - resuming.began
        return [Restarted(self._run, True, kind, path, seconds), Started(self._run, pid)]

    # -- what the snapshots tell ---------------------------------------------------------------------------------------
    def _hear_chain(self) -> list[Event]:
        events: list[Event] = []
        for news in self._chain.read():
            if isinstance(news, Told):
                events += self._hear_told(news.snapshot, news.what, news.values)
            elif isinstance(news, Frozen):
                if self._stopping is not None:  # it became one while the one above it was already ending it
                    self._chain.expect_end([news.snapshot])
                self._thin()
            elif news.snapshot.dropped:
                self._thin()
            elif not news.snapshot.expected_to_end and not self._then:
                # It may be on its way out with all the others, for somebody ended the command: the guard will say so.
                self._suspect_at = self._suspect_at or time.monotonic() + ANSWERS_WITHIN / 4
        return events

    def _hear_told(self, snapshot: Snapshot, what: str, values: tuple[Any, ...]) -> list[Event]:
        if what == "emptied" and self._stopping and self._stopping.token == values[0]:
            self._stopping = None
            return [Emptied(*values)]
        if what == "resumed":
            return self._resumed(snapshot, values[0])
        if what == "refused":
            return self._refused(snapshot, *values)
        if self._chain.snapshots[-1:] == [snapshot] and what == "exited" and not self._stopping and not self._resuming:
            return [Exited(self._run, os.waitstatus_to_exitcode(values[0]))]
        if what == "heir" and snapshot in self._chain.snapshots:
            self._drop(snapshot, values[0])
        return []

    def _thin(self) -> None:
        """Too many snapshots: let the one go that saves the least; one after the other."""
        snapshots = self._chain.snapshots
        if self._leaver in snapshots:
            return
        hot = self._hot.places()
        kept = {place for place, one in enumerate(snapshots) if one.facts["best"] or one.where[1] in hot}
        place = superfluous([one.facts["age"] for one in snapshots], MOST_SNAPSHOTS, kept)
        if place is not None and not self._stopping and not self._resuming:
            # Its child is to be that of the one above it, which has to know so first.
            self._leaver = snapshots[place]
            snapshots[place - 1].stream.send("heir", snapshots[place + 1].pid)

    def _drop(self, above: Snapshot, heir: int) -> None:
        snapshots = self._chain.snapshots
        place = snapshots.index(above) + 1
        if self._resuming or self._stopping or self._then:
            self._leaver = None
        elif place + 1 < len(snapshots) and snapshots[place] is self._leaver and snapshots[place + 1].pid == heir:
            self._chain.expect_end([snapshots[place]])
            snapshots[place].dropped = True
            snapshots[place].stream.send("drop")

    # -- what the guard tells ------------------------------------------------------------------------------------------
    def _hear(self, told: list[Event]) -> list[Event]:
        events: list[Event] = []
        for event in told:
            if isinstance(event, Emptied) and event.token == _OWN:
                then, self._then = self._then, None
                events += then() if then else []
            elif isinstance(event, GuardLost | Emptied):
                self._forget_all()
                events.append(event)
            elif isinstance(event, Exited) and (self._then or self._resuming or self._stopping):
                pass  # of what is being ended
            elif isinstance(event, Exited) and self._chain.snapshots:
                events += self._broken()  # the first of them was killed, the others were not
            else:
                if isinstance(event, Exited):
                    self._suspect_at = None
                events.append(event)
        return events

    def _broken(self) -> list[Event]:
        """A snapshot was killed. Nothing can be said of the others: all of it is ended, and started again."""
        self._chain.expect_end(self._chain.snapshots)
        if self._stopping:
            stopping, self._stopping = self._stopping, None
            grace = max(0.0, stopping.until - time.monotonic())
            self._runner.stop(stopping.token, stopping.signal, grace, stopping.from_terminal)
            return []
        self._resuming = None
        self._end_then(lambda: [GuardLost()])
        return []

    def _forget_all(self) -> None:
        """Nothing is left: what comes is another chain, with another address."""
        self._stopping = self._resuming = self._then = self._suspect_at = None
        self._refusals = self._chain.refusals
        self._chain.close()
        self._chain = Chain()
        self._epoll.register(self._chain.fileno(), select.EPOLLIN)

    def _end_then(self, then: Callable[[], list[Event]]) -> None:
        """Have the guard end everything; `then` comes when nothing is left."""
        self._chain.expect_end(self._chain.snapshots)
        self._then = then
        self._runner.stop(_OWN, signal.SIGKILL, 0.0)


def _inode(path: str) -> tuple[int, int] | None:
    try:
        info = os.stat(path)
    except OSError:
        return None
    return info.st_dev, info.st_ino
