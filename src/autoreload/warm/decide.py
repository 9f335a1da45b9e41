"""Which snapshots may serve a change. Pure: what is on the disk and what the program used are arguments.

A resumed program is to be what a program started now would be. So a snapshot serves only if nothing that it has used is
another than it was, and if nothing happened that cannot be seen to have been used: a look whether a file is there
leaves no trace, and a data file may be read by a library that does not use Python's `open`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatch
from typing import NamedTuple

NEVER_WARM = (".env", ".env.*", ".flaskenv", "pyproject.toml", "*.lock", "Pipfile", "requirements*.txt")
"""Names of files that shells, package managers and the like read, of which nobody tells."""
SOURCE = ".py"


class Touched(NamedTuple):
    """What is known of a changed file."""

    is_there: bool
    was_there: bool
    """When the program was last started, for certain."""
    was_opened: bool
    """The program was seen to read it, at any time."""
    cold: str = ""
    """The pattern by which somebody wants a new start."""
    by_itself: bool = True
    """If it was opened: not only by a child process of the program."""


class Known(NamedTuple):
    """What a snapshot has told of itself."""

    used: Collection[str]
    """What it and all above it used."""
    in_progress: Collection[str] = ()
    """Files of which it has run only the beginning; it looks at them itself before it resumes."""
    missing: str = ""
    """A file or folder that it, or one above it, made, and that is gone: removed as the program ended."""
    back: str = ""
    """A file or folder that it, or one above it, removed, or would have, and that is there: a new start removes it."""
    alone: bool = True
    """Neither it nor one above it had child processes, of whose use of files nobody tells."""


class Decision(NamedTuple):
    """The answer."""

    candidates: tuple[int, ...]
    """Positions of the snapshots that may serve, the best first; empty: restart cold."""
    reason: str
    """Why it has to be cold: `{}` stands for `path`. Empty if it need not."""
    path: str = ""
    lasting: bool = False
    """Will it be so the next time too?"""
    nearer: str = ""
    """If it resumes from far up: why the snapshots below cannot serve, or why there are none."""
    nearer_path: str = ""
    """For which `{}` stands in that."""


def decide(chain: Sequence[Known], burst: Mapping[str, Touched], stale: Collection[str]) -> Decision:
    """`chain`: the snapshots, the first one first. `burst`: what changed since the last start.

    `stale`: which of the used files are not what they were, whether a change was heard or not.
    """
    if not chain:
        return Decision((), "there is no snapshot")
    for path, touched in burst.items():
        reason = _invisible(path, touched)
        if reason:
            return Decision((), reason, path)
    changed = {*burst, *stale}
    unused = [position for position, snapshot in enumerate(chain) if not any(path in snapshot.used for path in changed)]
    unseen = next((path for path, touched in burst.items() if not (touched.was_opened and touched.by_itself)), "")
    candidates = [
        position
        for position in unused
        if not (chain[position].missing or chain[position].back or (unseen and not chain[position].alone))
    ]
    if not candidates and unused:
        first_unused = chain[unused[0]]
        if first_unused.missing:
            return Decision((), "the program made {}, and removed it again", first_unused.missing)
        if first_unused.back:
            return Decision((), "the program removed {}, and it is there again", first_unused.back)
        return Decision((), "a child of the program may have used {}", unseen)
    if not candidates:
        first = next(path for path in changed if path in chain[0].used)
        return Decision((), "{} was used before the first snapshot", first)
    best = candidates[-1]
    nearer, path = _in_the_way(chain[best + 1], changed, unseen) if best + 1 < len(chain) else ("", "")
    if best and path in burst:
        nearer = path = ""  # of the file that was edited everybody knows
    return Decision(tuple(reversed(candidates)), "", nearer=nearer, nearer_path=path)


def _in_the_way(snapshot: Known, changed: Collection[str], unseen: str) -> tuple[str, str]:
    """Why that one cannot serve, and the path for `{}`."""
    used = min((path for path in changed if path in snapshot.used), default="")
    if used:
        return "nearer ones have used {}", used
    if snapshot.missing:
        return "nearer ones have made {}, which was removed again", snapshot.missing
    return "before nearer ones a child of the program may have used {}", unseen


def _invisible(path: str, touched: Touched) -> str:
    """Why nobody can say who has used that change; empty: it can be seen."""
    name = path.rpartition("/")[2]
    if touched.cold:
        return f"{{}} is one of --cold {touched.cold}"
    if not touched.is_there:
        return "{} is gone"
    if not touched.was_there:
        return "{} is new"
    if any(fnmatch(name, pattern) for pattern in NEVER_WARM):
        return "{} may be read by what starts the program"
    if not name.endswith(SOURCE) and not touched.was_opened:
        return "the program was not seen to read {}"
    return ""


def superfluous(ages: Sequence[float], most: int, kept: Collection[int] = ()) -> int | None:
    """Which snapshot to drop so that there are at most `most`: the one between whose neighbours the program did the
    least. `ages`: after how many seconds of its work each was taken. Never the first or the last; one in `kept` only if
    there are no others."""
    if len(ages) <= most:
        return None
    inner = range(1, len(ages) - 1)
    others = [place for place in inner if place not in kept]
    return min(others or inner, key=lambda place: ages[place + 1] - ages[place - 1], default=None)
