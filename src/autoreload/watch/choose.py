"""Which backend: the one that was asked for, or the best that works here.

`auto` is inotify as long as its watches suffice, though fanotify would be there at once in a tree of any size. The
latter hears of every write to the whole file system, and so wakes autoreload for what strangers do (docs/benchmarks.md
has figures). It takes over where the limit of watches is reached, or where there is no inotify.
"""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Collection, Sequence

from autoreload.errors import UserError
from autoreload.watch.aside import Aside, AsideBackend
from autoreload.watch.backend import Interest, Judge, Linked, Notice, Root
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

    `since`: CLOCK_REALTIME_COARSE (ns), read before the command was started. `backend`: `auto`, or what it must be;
    UserError if that does not work here. `interval`: s between two looks of a backend that polls. `started`: is the
    command running already? Else what happened before this returns does not matter. `aside`: who looks at file systems
    that may not answer; None: the backend itself.
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
    def poll(sieve: Sieve, linked: Linked) -> Inner:
        return PollingBackend(roots, sieve, since, interval, linked, fences=fences)

    def listen(how: str) -> LinkedBackend:
        def make(sieve: Sieve, linked: Linked) -> Inner:
            return CombinedBackend(roots, sieve, since, how, started, linked=linked, fences=fences)

        return LinkedBackend(roots, interest, since, make, fences=fences)

    if backend == POLLING:
        return LinkedBackend(roots, interest, since, poll, polled=True, interval=interval, fences=fences)
    try:
        return listen(backend)
    except OSError as error:
        if backend != AUTO:
            raise _refusal(backend, error) from None
        why = _why(error)
    try:
        return listen(FANOTIFY)
    except OSError:
        pass

    def give_in(sieve: Sieve, linked: Linked) -> Inner:
        return PolledBackend(roots, sieve, since, why, linked, fences)

    return LinkedBackend(roots, interest, since, give_in, polled=True, fences=fences)


def _refusal(backend: str, error: OSError) -> UserError:
    code = errno.errorcode.get(error.errno or 0, str(error))
    if backend == INOTIFY:
        notice = _why(error)
        why = notice.what.partition(":")[0] if error.errno == errno.EMFILE else code
        return UserError(f"--backend inotify does not work here ({why})", f"{notice.remedy}; or leave the option out")
    remedies = {
        errno.EPERM: "run autoreload as root (it needs CAP_SYS_ADMIN, and not that of a user namespace)",
        errno.EINVAL: "it needs Linux 5.17",
        errno.ENOSYS: "it needs a kernel with CONFIG_FANOTIFY",
        errno.EMFILE: "raise fs.fanotify.max_user_groups",
    }
    remedy = remedies.get(error.errno or 0, "the file system gives no handles for its files")
    return UserError(f"--backend fanotify does not work here ({code})", f"{remedy}; or leave the option out")


def _why(error: OSError) -> Notice:
    """EMFILE is both "this user has max_user_instances" and "this process has no descriptor left" (inotify_init(2))."""
    if error.errno != errno.EMFILE:
        return refused_notice(errno.errorcode.get(error.errno or 0, str(error)))
    try:
        os.close(os.open("/", os.O_PATH))
    except OSError:
        return descriptors_notice(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    return instances_notice()


class PolledBackend(PollingBackend):
    """Polls, and says once why."""

    def __init__(
        self,
        roots: Sequence[Root],
        interest: Interest,
        since: int,
        why: Notice,
        linked: Linked,
        fences: Collection[str],
    ) -> None:
        super().__init__(roots, interest, since, linked=linked, fences=fences)
        self._why: Notice | None = why

    def notices(self) -> list[Notice]:
        """Why it polls; then as any polling backend."""
        why, self._why = self._why, None
        return ([why] if why is not None else []) + super().notices()
