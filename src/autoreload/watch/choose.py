"""Which backend: the one that was asked for, or the best that works here.

`auto` is inotify as long as its watches suffice, though fanotify would be there at once in a tree of any size. The
latter hears of every write to the whole file system, and so wakes autoreload for what strangers do
(docs/how-it-works.md has figures). It takes over where the limit of watches is reached, or where there is no inotify.

What was asked for and does not work is no reason to end: the same pyproject.toml serves root and others.
"""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Collection, Sequence

from autoreload.watch.aside import Aside, AsideBackend
from autoreload.watch.backend import Judge, Linked, Notice, Root
from autoreload.watch.combined import AUTO, FANOTIFY, INOTIFY, CombinedBackend
from autoreload.watch.linked import Inner, LinkedBackend, Sieve
from autoreload.watch.notices import descriptors_notice, instances_notice, refused_notice
from autoreload.watch.polling import PollingBackend

POLLING = "polling"


def open_backend(
    roots: Sequence[Root],
    interest: Judge,
    since: int,
    backend: str = AUTO,
    interval: float | None = None,
    started: bool = True,
    aside: Aside | None = None,
) -> LinkedBackend | AsideBackend:
    """A backend for `roots` that works here, however badly; its notices say how badly.

    `since`: CLOCK_REALTIME_COARSE (ns), read before the command was started. `backend`: what is tried first.
    `interval`: s between two looks of a backend that polls. `started`: is the command running already? Else what
    happened before this returns does not matter. `aside`: who looks at file systems that may not answer; None: the
    backend itself.
    """

    def open_inner(interest: Judge, fences: Collection[str] = ()) -> LinkedBackend:
        return _open(roots, interest, since, backend, interval, started, fences)

    return AsideBackend(roots, interest, since, aside, open_inner) if aside is not None else open_inner(interest)


def _open(
    roots: Sequence[Root],
    interest: Judge,
    since: int,
    backend: str,
    interval: float | None,
    started: bool,
    fences: Collection[str],
) -> LinkedBackend:
    said: list[Notice] = []

    def listen(how: str) -> LinkedBackend:
        def make(sieve: Sieve, linked: Linked) -> Inner:
            return CombinedBackend(roots, sieve, since, how, started, linked=linked, fences=fences)

        return LinkedBackend(roots, interest, since, make, fences=fences, said=said)

    def poll() -> LinkedBackend:
        def make(sieve: Sieve, linked: Linked) -> Inner:
            return PollingBackend(roots, sieve, since, interval, linked, fences=fences)

        return LinkedBackend(roots, interest, since, make, True, interval, fences=fences, said=said)

    if backend == POLLING:
        return poll()
    if backend == FANOTIFY:
        try:
            return listen(FANOTIFY)
        except OSError as error:
            said.append(_without_fanotify(error))
    try:
        return listen(AUTO if backend == AUTO else INOTIFY)
    except OSError as error:
        why = _without_inotify(error)
    if backend == AUTO:
        try:
            return listen(FANOTIFY)
        except OSError:
            pass
    said.append(why)
    return poll()


def _without_fanotify(error: OSError) -> Notice:
    code = errno.errorcode.get(error.errno or 0, str(error))
    remedies = {
        errno.EPERM: "run autoreload as root (it needs CAP_SYS_ADMIN, and not that of a user namespace)",
        errno.EINVAL: "it needs Linux 5.17",
        errno.ENOSYS: "it needs a kernel with CONFIG_FANOTIFY",
        errno.EMFILE: "raise fs.fanotify.max_user_groups",
    }
    remedy = remedies.get(error.errno or 0, "the file system gives no handles for its files")
    return Notice(f"fanotify is not available here ({code}): watching with inotify", remedy)


def _without_inotify(error: OSError) -> Notice:
    """EMFILE is both "this user has max_user_instances" and "this process has no descriptor left" (inotify_init(2))."""
    if error.errno != errno.EMFILE:
        return refused_notice(errno.errorcode.get(error.errno or 0, str(error)))
    try:
        os.close(os.open("/", os.O_PATH))
    except OSError:
        return descriptors_notice(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    return instances_notice()
