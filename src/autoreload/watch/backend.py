"""The protocol that every backend speaks, and what a backend may ask of the rest."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple, Protocol

from autoreload.core.change import Change


class Root(NamedTuple):
    """What to watch: a folder with all that is in it, or a single file."""

    path: str
    """Absolute, as it was given: links in it are followed anew whenever one of them changes."""
    single: bool = False
    """A file; only its own name counts in the folder it is in."""


class Interest(Protocol):
    """What is worth watching, by name alone. The filter has the last word on each change."""

    def wants_directory(self, path: str) -> bool:
        """False: neither watched nor descended into."""

    def wants_file(self, path: str) -> bool:
        """May a change of this file matter? Cheap, asked for every file seen; may say yes too often, never no."""

    def listed(self, directory: str, names: Collection[str]) -> None:
        """`directory` holds `names`. Told before any of its subdirectories is judged: it may hold an ignore file."""


class Judge(Interest, Protocol):
    """One that can also say more than what the name alone tells."""

    def counts(self, path: str) -> bool:
        """Does a change of this file matter?"""


Linked = Callable[[str], bool]
"""Told of each symbolic link that is seen in a watched folder. Answers whether it leads to a folder, and is no file."""


class Notice(NamedTuple):
    """Something about the watching that a person should know, in one line."""

    what: str
    remedy: str = ""
    detail: bool = False
    """Only for those who asked for details."""


class Backend(Protocol):
    """Tells of every change of a wanted file below its roots, at least once.

    A change that happened before a directory was first looked at, but at or after the moment given as `since` when
    the backend was made, is told too. All calls return at once.
    """

    def fileno(self) -> int:
        """Readable when `read` has something to tell; -1 if it has no descriptor."""

    def read(self, now: float) -> list[Change]:
        """What happened since the last call, in order, and a slice (at most some milliseconds) of background work.

        `now`: monotonic seconds.
        """

    def deadline(self) -> float | None:
        """When `read` wants to be called though nothing is readable (monotonic seconds); None: no need."""

    def told_until(self) -> int:
        """Every change that happened before this moment (CLOCK_REALTIME_COARSE, ns) has been told; 0: nobody knows.

        What is told by a later `read` happened at or after it.
        """

    def rejudge(self) -> None:
        """The interest has changed its mind about directories: judge all of them again, in later slices."""

    def clock_set_back(self, by: int) -> None:
        """Every moment before this call (CLOCK_REALTIME_COARSE) was too late by so many ns."""

    def notices(self) -> list[Notice]:
        """What there is to say since the last call."""

    def close(self) -> None:
        """Let go of every descriptor and watch."""
