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


def are_unused(chain: Chain, paths: Collection[str], hear: Callable[[], None]) -> bool:
    """Is it certain that the program has used none of these (without links)? `hear`: have the chain hear what was told
    by now."""
    if any(word in path for path in paths for word in _INSTALLED):
        return False
    try:
        return _are_unused(chain, paths, hear)
    except (OSError, NoProc, IndexError, ValueError):
        return False


def _are_unused(chain: Chain, paths: Collection[str], hear: Callable[[], None]) -> bool:
    if not chain.snapshots or any(map(chain.was_opened, paths)):
        return False
    last, pid = chain.snapshots[-1], chain.program
    if chain.overflowed or not all(one.facts["alone"] for one in chain.snapshots):
        return False
    if not pid or children(last.pid) != [pid] or not standing.is_asleep(pid):
        return False
    if not standing.was_alone(pid) or not standing.sees_the_same(pid):
        return False
    hear()  # not before: what it has told before it fell asleep is there now
    if chain.snapshots[-1:] != [last] or chain.program != pid:
        return False
    address, mark = last.facts["telling"]
    if standing.number_at(pid, address) != mark << _MARK_BITS | len(chain.told.get(pid, ())):
        return False
    used = {chain.resolved(path) for one in chain.snapshots for path in one.facts["in_progress"]}
    used |= standing.open_files(pid)
    if any(path in used or chain.was_opened(path) for path in paths):
        return False
    # One of these under another name (a hard link, a bind mount)?
    return not chain.has_changed(".py")
