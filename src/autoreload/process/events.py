"""What the runner tells of the command and its process tree."""

from __future__ import annotations

from typing import NamedTuple


class Started(NamedTuple):
    """The command of start number `run` was executed."""

    run: int
    pid: int


class Failed(NamedTuple):
    """It could not be executed."""

    run: int
    errno: int
    what: str
    """The path that the error is about: the executable, or the start directory."""
    fresh: bool
    """It (or the folder it should be in) changed within the last two seconds: perhaps it is being rebuilt."""


class Exited(NamedTuple):
    """The command itself ended; descendants may live on."""

    run: int
    code: int
    """Exit code; -N if signal N killed it, as in subprocess."""


class Emptied(NamedTuple):
    """Nothing of the tree is left: the answer to stop number `token`."""

    token: int
    killed: int
    """How many had to be sent SIGKILL."""


class Stuck(NamedTuple):
    """Processes that do not die though they were sent SIGKILL, or that may not be signalled; told once a stop.

    Token 0: what a lost guard has left. `GuardLost` follows when they are gone.
    """

    token: int
    processes: tuple[tuple[int, str, str], ...]
    """(pid, name, why)"""


class GuardLost(NamedTuple):
    """The guard was killed. What it left is dead by now, and a new guard is there.

    This ends every run and answers every start and stop asked for before: no `Exited` or `Emptied` of them follows.
    """


class Restarted(NamedTuple):
    """How start number `run` is made. Only where it may be from a snapshot; `Started` or `Failed` follows."""

    run: int
    warm: bool
    what: str
    """Of a warm one, where the snapshot was taken: `root`, `before` or `inside` a file. Of a cold one, why it has to
    be; `{}` stands for the path."""
    path: str
    seconds: float
    """How long it took to resume."""
    lasting: bool = False
    """Of a cold one: will the next be cold for the same reason?"""
    was_prepared: bool = False
    """Had it been resumed before the old program ended?"""
    nearer: str = ""
    """Of a warm one from far up: why no nearer snapshot serves; `{}` stands for `nearer_path`."""
    nearer_path: str = ""


class Unprepared(NamedTuple):
    """The next program cannot be prepared while the present one ends."""

    why: str
    path: str
    """Of the file that it is about; may be empty."""


class NotUp(NamedTuple):
    """The resumed program of start number `run` has not come up: it is ended, and started cold."""

    run: int
    seconds: float
    """So long it was waited for."""


class Snapshots(NamedTuple):
    """How many snapshots there are, now that no more come."""

    number: int
    memory: int
    """Bytes that they take."""
    allowed: int
    """Bytes that they may take."""
    dropped: int
    """How many were dropped for that."""


Event = Started | Failed | Exited | Emptied | Stuck | GuardLost | Restarted | Unprepared | Snapshots | NotUp


def since_loss(events: list[Event]) -> list[Event]:
    """Without what was told of a tree whose guard was lost meanwhile: there is a new guard already, and who starts the
    command for one of these would have it twice."""
    lost = [place for place, event in enumerate(events) if isinstance(event, GuardLost)]
    return events[lost[-1] :] if lost else events
