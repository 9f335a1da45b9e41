"""Has the running program used these files? If it certainly has not, a change of them is nothing to it: whenever it
comes to use one, that is what it is by then.

Certain means: the program is one process that has never had a child; it tells of each file before it reads it; it has
told as many as it says it has; and it is asleep, so that it is not between looking at a file (Python takes the time of
a module's source first) and telling of it. Whoever reads a file in another way than by Python's `open` and `import` is
not seen; neither is a look whether there is one, for which nothing has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from autoreload.linux import standing
from autoreload.linux.descendants import NoProc, children
from autoreload.warm.chain import Chain

_INSTALLED = ("/site-packages/", "/dist-packages/", "/lib/python3")
"""In the paths of what is not told of."""
_MARK_BITS = 32
USED = "it was used"


def why_used(chain: Chain, paths: Collection[str], hear: Callable[[], None]) -> str:
    """Why the program may have used one of these (without links); empty: it certainly has used none.

    `hear`: have the chain hear what was told by now.
    """
    try:
        return _why_used(chain, paths, hear)
    except (OSError, NoProc, IndexError, ValueError):
        return "its process cannot be looked into"


def _why_used(chain: Chain, paths: Collection[str], hear: Callable[[], None]) -> str:
    if not chain.snapshots or not chain.program:
        return "there is no snapshot"
    if any(map(chain.was_opened, paths)):
        return USED
    last, pid = chain.snapshots[-1], chain.program
    if not chain.is_whole or chain.overflowed or any(word in path for path in paths for word in _INSTALLED):
        return "not all that it uses is told"
    if not standing.is_asleep(pid):
        return "it is at work"
    if (
        children(last.pid) != [pid]
        or not standing.was_alone(pid)
        or not all(one.facts["alone"] for one in chain.snapshots)
    ):
        return "it has or had child processes"
    if not standing.sees_the_same(pid):
        return "it sees other files"
    hear()  # not before: what it has told before it fell asleep is there now
    if chain.snapshots[-1:] != [last] or chain.program != pid:
        return "it is at work"
    address, mark = last.facts["telling"]
    if standing.number_at(pid, address) != mark << _MARK_BITS | len(chain.told.get(pid, ())):
        return "not all that it used was told"
    used = {chain.resolved(path) for one in chain.snapshots for path in one.facts["in_progress"]}
    used |= standing.open_files(pid)
    if any(path in used or chain.was_opened(path) for path in paths):
        return USED
    # One of these under another name (a hard link, a bind mount)?
    return "a file that it used has changed" if chain.has_changed(".py") else ""
