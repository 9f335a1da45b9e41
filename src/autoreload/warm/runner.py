"""A runner that resumes the command from a snapshot where that is as good as a start, and starts it cold elsewhere.

To the session it is the runner that it wraps. What it adds:

- *stop* (stopping.py): the last snapshot ends the program and answers when nothing of it is left; the snapshots stay.
  Only where there is none, or it does not answer, the guard ends everything.
- *start* (facts.py, resuming.py): `decide` names the snapshots that may serve, and the best that agrees ends whatever
  is newer than itself and forks. If none does, the guard ends everything, then starts the command.
- *prepare* (overlap.py): while the program ends slowly, a snapshot resumes already; what is resumed waits.
- The program ended by itself: its snapshot says so, and waits to be resumed.
- A snapshot is gone that was not told to go (`kill -9`): everything is ended and started, as when a guard is killed.

Nothing in here waits.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from autoreload.process.events import (
    Emptied,
    Event,
    Exited,
    GuardLost,
    NotUp,
    Restarted,
    Snapshots,
    Started,
    Unprepared,
    since_loss,
)
from autoreload.process.runner import Runner
from autoreload.warm.arrival import Arrival
from autoreload.warm.chain import Chain, Frozen, Gone, Snapshot, Told
from autoreload.warm.decide import Decision
from autoreload.warm.disk import Disk
from autoreload.warm.facts import Facts
from autoreload.warm.memory import WEIGHED_AFTER, Memory, too_much
from autoreload.warm.overlap import Overlap, is_up_to_date
from autoreload.warm.resuming import Resuming
from autoreload.warm.stopping import ANSWERS_WITHIN, Stopping, is_due
from autoreload.warm.terms import Terms
from autoreload.warm.thinning import Thinning
from autoreload.warm.unused import why_used
from autoreload.warm.waiting import wait_of
from autoreload.warm.worth import IN_VAIN, Worth

STUCK_GRACE = 1.0
"""Seconds that a program which did not come up gets to end."""
_OWN = -1
"""Token of a stop that nobody but us knows of."""


class WarmRunner:
    """As a `Runner`; `start` is told what changed."""

    def __init__(self, runner: Runner, terms: Terms) -> None:
        self._runner = runner
        self._terms = terms
        self._chain = Chain()
        self._facts = Facts(terms.directory)
        self._stopping = Stopping()
        self._resuming = Resuming()
        self._thinning = Thinning()
        self._overlap = Overlap(lambda paths: self._facts.disk.signatures(list(paths)), self._is_up_to_date)
        self._memory = Memory(terms.memory)
        self._dropped = 0
        """How many were dropped since that was told last, for the memory that they took."""
        self._weigh_at: float | None = None
        self._resumed_from: Snapshot | None = None
        self._resumed_at = 0.0
        self._arrival = Arrival()
        self._worth = Worth()
        self._changed: tuple[str, ...] = ()
        self._nearer = "", ""
        """Why no nearer snapshot serves, if that is worth a word, and the path for `{}` in it."""
        self._run = 0
        self._then: Callable[[], list[Event]] | None = None
        """What comes when the stop of our own is answered."""
        self._suspect_at: float | None = None
        self._is_empty = False
        """Has the program been ended by the last snapshot, and nobody been resumed since?"""
        self._queued: list[Event] = []
        self._epoll = select.epoll()
        self._epoll.register(runner.fileno(), select.EPOLLIN)
        self._epoll.register(self._chain.fileno(), select.EPOLLIN)
        # Where orphans cannot be inherited, there is no proof that what a snapshot is above of has ended.
        runner.injection.add("warm", lambda: None if runner.weak or self._worth.gives_up else self._told())

    def adopt(self, disk: Disk, cold: Callable[[str, bool], str] | None) -> None:
        """Look at the disk by way of this from now on. `cold`: see `scope.matcher`, for the option of that name."""
        self._facts.disk = self._chain.disk = disk
        if cold is not None:
            self._facts.cold = lambda path: cold(path, False)

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
            self._stopping.deadline(),
            self._resuming.deadline(),
            self._suspect_at,
            self._weigh_at,
            self._arrival.deadline(),
        )
        return min((moment for moment in moments if moment is not None), default=None)

    def read(self) -> list[Event]:
        """What happened since the last call. The snapshots come first: what they told, they told before they ended."""
        events, self._queued = [*self._queued, *self._hear_chain()], []
        return since_loss(events + self._hear(self._runner.read()))

    def reap(self) -> list[Event]:
        """A child died."""
        return since_loss(self._hear_chain() + self._hear(self._runner.reap()))

    def step(self, now: float) -> list[Event]:
        """The deadline has come; `now`: monotonic seconds."""
        events = self._hear_chain()
        if is_due(self._stopping.deadline(), now) and (asked := self._stopping.end()):
            self._runner.stop(asked.token, signal.SIGKILL, 0.0)
        if is_due(self._resuming.deadline(), now):
            self._resuming.cancel()
            self._end_then(lambda: self._start_cold(Decision((), "the snapshot did not answer")))
        if is_due(self._suspect_at, now):
            self._suspect_at = None
            events += self._broken()
        if is_due(self._arrival.deadline(), now):
            events += self._has_not_come_up(now)
        if is_due(self._weigh_at, now):
            self._weigh_at = None
            events += self._weigh()
        if is_due(self._runner.deadline(), now):
            events += self._hear(self._runner.step(now))
        return since_loss(events)

    def forward(self, number: int) -> None:
        """Send the command itself, if it is alive, a signal."""
        self._runner.forward(number)

    def kill(self, token: int) -> None:
        """The grace period of that stop is over."""
        if self._stopping.is_of(token) and self._chain.snapshots:
            self._stopping.hurry(self._chain.snapshots[-1], time.monotonic())
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
        self._overlap.cancel()
        if self._then is not None or self._resuming or not self._chain.snapshots:
            self._chain.expect_end(self._chain.snapshots)
            self._resuming.cancel()
            self._then = self._suspect_at = None
            self._runner.stop(token, signal, grace, from_terminal)
            return
        self._stopping.ask(self._chain.snapshots[-1], token, signal, grace, from_terminal, time.monotonic())

    def prepare(self, changed: Mapping[str, bool | None]) -> None:
        """The program takes its time to end, and this is what has changed so far: have what will be started do now what
        it can do without being noticed. `changed`: as in `start`, which need not follow."""
        if not self._stopping or self._overlap.is_for(changed):
            return
        decision = self._facts.foresee(self._chain, changed)
        told = self._terms.told(self._chain.address, self._facts.hot.places())
        self._overlap.begin([self._chain.snapshots[place] for place in decision.candidates], told, changed)

    def discard(self) -> None:
        """What is prepared is of no use."""
        self._overlap.cancel()

    def _is_up_to_date(self, snapshot: Snapshot, pid: int, since: int) -> bool:
        return is_up_to_date(self._chain, snapshot, pid, since, self._changed, self._hear_in_between)

    @property
    def is_prepared(self) -> bool:
        """Has a snapshot done what `prepare` asked for?"""
        return self._overlap.is_ready

    # -- start ---------------------------------------------------------------------------------------------------------
    def start(self, run: int, changed: Mapping[str, bool | None] | None = None) -> None:
        """Start the command, or resume it. `changed`: the files that changed since the last start, and whether each
        was there then (None: nobody knows). Without that it is a cold start, as for the first."""
        self._run = run
        self._queued += self._hear_chain()
        self._changed = tuple(changed or ())
        decision = self._facts.decide(self._chain, changed)
        distrusted = next((path for path in self._changed if self._arrival.is_distrusted(path, time.monotonic())), "")
        if distrusted and decision.candidates:
            decision = Decision((), "the program did not come up when it was resumed for {}", distrusted)
        if self._worth.is_chain_in_vain(self._chain, changed):
            decision = Decision((), IN_VAIN, lasting=True)
        self._nearer = decision.nearer, decision.nearer_path
        if not self._chain.snapshots:
            self._queued += self._start_cold(decision)
        elif decision.candidates:
            self._resume([self._chain.snapshots[place] for place in decision.candidates], changed or ())
        else:
            self._end_then(lambda: self._start_cold(decision))

    def _start_cold(self, decision: Decision) -> list[Event]:
        self._arrival.cold()
        self._forget_all()
        self._facts.starts_cold()
        self._runner.start(self._run)
        if not decision.reason:
            return []
        return [Restarted(self._run, False, decision.reason, decision.path, 0.0, decision.lasting)]

    def _told(self) -> dict[str, Any]:
        return self._terms.told(self._chain.address, self._facts.hot.places())

    # -- resume --------------------------------------------------------------------------------------------------------
    def _resume(self, candidates: list[Snapshot], changed: Iterable[str]) -> None:
        candidates, is_prepared = self._overlap.take(candidates, changed)
        if not candidates:
            self._end_then(lambda: self._start_cold(Decision((), "another one has been prepared")))
            return
        self._is_empty = False
        self._resuming.begin(candidates, self._told(), time.monotonic(), is_prepared)
        self._expect_end_below(candidates[0])

    def _expect_end_below(self, snapshot: Snapshot) -> None:
        """They may be gone before its answer is heard."""
        self._chain.expect_end(one for one in self._chain.snapshots if one.depth > snapshot.depth)

    def _refused(self, snapshot: Snapshot, path: str, why: str) -> list[Event]:
        if self._resuming.asked() is not snapshot:
            return []
        following = self._resuming.next(time.monotonic())
        if following is not None:
            self._expect_end_below(following)
            if not following.depth:
                self._nearer = f"nearer ones may not serve, {{}}: {why}", path
        else:
            decision = Decision((), f"{{}}: {why}", path)
            self._end_then(lambda: self._start_cold(decision))
        return []

    def _resumed(self, snapshot: Snapshot, pid: int, was_prepared: bool) -> list[Event]:
        if self._resuming.asked() is not snapshot:
            return []
        self._resumed_from, self._resumed_at = snapshot, time.monotonic()
        self._arrival.warm(self._changed, self._resumed_at)
        self._weigh_at = time.monotonic() + WEIGHED_AFTER
        kind, path = snapshot.where
        seconds = self._resuming.resumed(time.monotonic())
        self._thin()  # what was begun may have had to wait
        how = Restarted(self._run, True, kind, path, seconds, False, was_prepared, *self._nearer)
        return [how, Started(self._run, pid)]

    # -- what the snapshots tell ---------------------------------------------------------------------------------------
    def _hear_chain(self) -> list[Event]:
        events: list[Event] = []
        for news in self._chain.read():
            if isinstance(news, Gone):
                self._overlap.gone(news.snapshot)
            if isinstance(news, Told):
                events += self._hear_told(news.snapshot, news.what, news.values)
            elif isinstance(news, Frozen):
                if self._stopping or self._is_empty:  # it became one while the one above it was already ending it
                    self._chain.expect_end([news.snapshot])
                self._thin()
                self._weigh_at = time.monotonic() + WEIGHED_AFTER
            elif news.snapshot.dropped:
                self._thin()
                events += self._weigh() if self._dropped else []
            elif not news.snapshot.expected_to_end and not self._then:
                # It may be on its way out with all the others, for somebody ended the command: the guard will say so.
                self._suspect_at = self._suspect_at or time.monotonic() + ANSWERS_WITHIN / 4
        return events

    def _hear_told(self, snapshot: Snapshot, what: str, values: tuple[Any, ...]) -> list[Event]:
        if what == "emptied" and self._stopping.is_of(values[0]):
            self._stopping.end()
            self._is_empty = True
            return [Emptied(*values)]
        if what == "resumed":
            return self._resumed(snapshot, *values)
        if what == "refused":
            return self._refused(snapshot, *values)
        if what == "prepared":
            self._overlap.prepared(*values)
        if what == "unprepared" and self._overlap.unprepared(*values[:2]):
            return [Unprepared(values[2], values[1])]
        if what == "exited" and self._chain.snapshots[-1:] == [snapshot] and not self._is_ending:
            return [Exited(self._run, os.waitstatus_to_exitcode(values[0]))]
        if what == "heir" and snapshot in self._chain.snapshots:
            if self._is_busy:
                self._thinning.cancel()
            else:
                self._thinning.answered(self._chain.snapshots, snapshot, values[0])
        return []

    @property
    def _is_ending(self) -> bool:
        """Is the program being ended, so that its end is no news? With the guard lost, all is."""
        return bool(self._stopping or self._resuming) or not self._runner.guard

    @property
    def _is_busy(self) -> bool:
        """Is a stop or a start under way?"""
        return bool(self._stopping or self._resuming or self._then or self._overlap)

    def _thin(self) -> None:
        if not self._is_busy and self._chain.is_whole:
            self._thinning.look(self._chain.snapshots, self._facts.hot.places())

    # -- what is not used ----------------------------------------------------------------------------------------------
    def why_used(self, paths: Sequence[str]) -> str:
        """Why the running program may have used one of these; empty: it certainly has used none."""
        if self._is_busy:
            return "it is being started or ended"
        if any(map(self._facts.cold, paths)):
            return "it is named by --cold"
        if self._chain.behind_link(paths):
            return "a link on the way to it may lead elsewhere by now"
        return why_used(self._chain, set(map(self._chain.resolved, paths)), self._hear_in_between)

    def _hear_in_between(self) -> None:
        self._queued += self._hear_chain()

    # -- has it come up? -----------------------------------------------------------------------------------------------
    def rested(self, seconds: float | None) -> list[Event]:
        """The program has come to rest. `seconds`: how long that took; None: it was not seen to."""
        wait = wait_of(self._chain.program)
        self._worth.rested(self._chain.program, seconds)
        if wait is not None and not self._is_busy:
            self._arrival.rested(seconds, wait, time.monotonic())
        return []

    def _has_not_come_up(self, now: float) -> list[Event]:
        """Is it so? Then it is asked to end, and started cold."""
        wait = wait_of(self._chain.program)
        if self._is_busy or wait is None or not self._arrival.is_stuck(wait, now):
            self._arrival.cold()
            return []
        why = "the resumed program did not come up"
        self._end_then(lambda: self._start_cold(Decision((), why)), self._terms.signal, STUCK_GRACE)
        return [NotUp(self._run, now - self._resumed_at)]

    # -- memory --------------------------------------------------------------------------------------------------------
    def _weigh(self) -> list[Event]:
        """Is it too much? Once it no longer is, tell of it."""
        snapshots = self._chain.snapshots
        sizes = self._memory.sizes([one.pid for one in snapshots])
        if self._is_busy or not sizes:
            return []
        allowed = self._memory.allowed(sum(sizes))
        place = too_much(sizes, allowed, {place for place, one in enumerate(snapshots) if one is self._resumed_from})
        if place is not None:
            self._dropped += self._thinning.let_go(snapshots, place)
            return []
        dropped, self._dropped = self._dropped, 0
        return [Snapshots(len(sizes), sum(sizes), allowed or 0, dropped)]

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
            elif isinstance(event, Exited) and (self._chain.snapshots or self._was_killed(event)):
                events += self._broken()  # the first of them was killed, the others were not
            else:
                if isinstance(event, Exited):
                    self._suspect_at = None
                events.append(event)
        return events

    def _was_killed(self, event: Exited) -> bool:
        """Was it the only snapshot, and not the program? That goes on then, with nobody above it."""
        return self._suspect_at is not None and event.code == -signal.SIGKILL

    def _broken(self) -> list[Event]:
        """A snapshot was killed. Nothing can be said of the others: all of it is ended, and started again."""
        self._chain.expect_end(self._chain.snapshots)
        if asked := self._stopping.end():
            grace = max(0.0, asked.until - time.monotonic())
            self._runner.stop(asked.token, asked.signal, grace, asked.from_terminal)
            return []
        self._resuming.cancel()
        self._end_then(lambda: [GuardLost()])
        return []

    def _forget_all(self) -> None:
        """Nothing is left: what comes is another chain, with another address."""
        self._stopping.end()
        self._resuming.cancel()
        self._overlap.cancel()
        self._then = self._suspect_at = self._weigh_at = None
        self._is_empty = False
        self._facts.ended(self._chain)
        self._chain.close()
        self._chain = Chain(self._facts.disk)
        self._epoll.register(self._chain.fileno(), select.EPOLLIN)

    def _end_then(self, then: Callable[[], list[Event]], number: int = signal.SIGKILL, grace: float = 0.0) -> None:
        """Have the guard end everything, by that signal; `then` comes when nothing is left."""
        self._chain.expect_end(self._chain.snapshots)
        self._then = then
        self._runner.stop(_OWN, number, grace)
