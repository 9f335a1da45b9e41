"""Several backends at work together: the kernel tells of what it can, and the rest is polled."""

from __future__ import annotations

import errno
import select
from collections.abc import Collection, Sequence

from autoreload.core.change import Change
from autoreload.watch.backend import Interest, Linked, Notice, Root
from autoreload.watch.fanotify import FanotifyBackend
from autoreload.watch.inotify import InotifyBackend
from autoreload.watch.mounted import Mounted, real_path
from autoreload.watch.notices import limit_notice, remote_notice
from autoreload.watch.polling import PollingBackend
from autoreload.watch.walk import NEVER

AUTO, INOTIFY, FANOTIFY = "auto", "inotify", "fanotify"


class CombinedBackend:
    """Watches with inotify or fanotify, and polls what they leave over.

    With inotify that is what exceeds the limit of watches, unless fanotify is permitted, which knows no limit and then
    takes over; with fanotify, what is mounted below the roots and has no handles. With both, file systems that are
    changed from another side are polled as well; changes made on this side are told at once, and once.
    """

    def __init__(
        self,
        roots: Sequence[Root],
        interest: Interest,
        since: int,
        how: str = AUTO,
        started: bool = True,
        mounted: Mounted | None = None,
        linked: Linked | None = None,
        fences: Collection[str] = (),
    ) -> None:
        """`how`: AUTO, INOTIFY or FANOTIFY. `started`: see `open_backend`. `linked`: see `Forest`. `fences`: mount
        points that are somebody else's concern, see mounted.py. OSError as for those backends.
        """
        self._roots, self._interest, self._linked, self._fences = roots, interest, linked, fences
        self._polling = PollingBackend((), interest, since, linked=linked, fences=fences)
        self._inotify: InotifyBackend | None = None
        self._fanotify: FanotifyBackend | None = None
        self._limit_told = False
        self._may_switch = how == AUTO
        self._notices: list[Notice] = []
        if how != FANOTIFY:
            self._inotify = InotifyBackend(roots, interest, since, self._polling, linked, fences=fences)
        else:
            self._fanotify = FanotifyBackend(roots, interest, since if started else NEVER, linked=linked, fences=fences)
        self._mounted = mounted or Mounted(roots, aside=fences)
        self._epoll = select.epoll()
        self._epoll.register(self._kernel.fileno(), select.EPOLLIN)
        if self._mounted.fileno() >= 0:
            self._epoll.register(self._mounted.fileno(), select.EPOLLPRI)
        self._polled: set[Root] = set()
        self._poll_remote(since)

    @property
    def _kernel(self) -> InotifyBackend | FanotifyBackend:
        kernel = self._inotify or self._fanotify
        assert kernel is not None
        return kernel

    # -- the protocol --------------------------------------------------------------------------------------------

    def fileno(self) -> int:
        """An epoll instance: events of the kernel, and of mounts."""
        return self._epoll.fileno()

    def deadline(self) -> float | None:
        """The earlier one."""
        times = [time for time in (self._kernel.deadline(), self._polling.deadline()) if time is not None]
        return min(times, default=None)

    def read(self, now: float) -> list[Change]:
        """What all have to tell."""
        if self._mounted.changed():
            self._mounts_changed()
        changes = self._kernel.read(now)
        if self._polled:
            self._polling.note(changes)
        if self._inotify is not None and self._inotify.limited and self._may_switch:
            self._may_switch = False
            self._switch(self._inotify)
        if self._fanotify is not None and self._fanotify.broken is not None:
            self._fall_back(self._fanotify, self._fanotify.broken)
        return changes + self._polling.read(now)

    def told_until(self) -> int:
        """The earliest."""
        return min(self._kernel.told_until(), self._polling.told_until())

    def rejudge(self) -> None:
        """All judge again."""
        self._kernel.rejudge()
        self._polling.rejudge()

    def clock_set_back(self, by: int) -> None:
        """All."""
        self._kernel.clock_set_back(by)
        self._polling.clock_set_back(by)

    def notices(self) -> list[Notice]:
        """Those of all, and one about the limit of watches once it is known how much that concerns."""
        notices, self._notices = self._notices, []
        notices += self._kernel.notices() + self._polling.notices()
        polled = self._polling.directories_of(self._polled)
        if (
            polled
            and self._inotify is not None
            and not self._limit_told
            and self._polling.complete
            and self._inotify.deadline() != 0.0
        ):
            self._limit_told = True
            notices.append(limit_notice(polled, polled=True))
        return notices

    def close(self) -> None:
        """All."""
        self._epoll.close()
        self._kernel.close()
        self._polling.close()
        self._mounted.close()

    # -- from one to another -------------------------------------------------------------------------------------

    def _switch(self, inotify: InotifyBackend) -> None:
        """The limit of watches is reached: fanotify needs none."""
        try:
            fanotify = FanotifyBackend(
                self._roots, self._interest, inotify.good, linked=self._linked, fences=self._fences
            )
        except OSError:
            return
        self._epoll.unregister(inotify.fileno())
        inotify.close()
        self._inotify, self._fanotify = None, fanotify
        self._epoll.register(fanotify.fileno(), select.EPOLLIN)
        self._polling.drop_all(but=self._polled)
        self._poll_remote(inotify.good)  # also what is mounted below the roots and has no handles
        self._notices.append(Notice("the limit of inotify watches is reached: watching with fanotify", detail=True))

    def _fall_back(self, fanotify: FanotifyBackend, error: OSError) -> None:
        """A root has come to be where fanotify does not reach."""
        try:
            inotify = InotifyBackend(
                self._roots, self._interest, fanotify.good, self._polling, self._linked, fences=self._fences
            )
        except OSError:
            fanotify.broken = None  # nothing better is to be had
            return
        self._epoll.unregister(fanotify.fileno())
        fanotify.close()
        self._inotify, self._fanotify = inotify, None
        self._epoll.register(inotify.fileno(), select.EPOLLIN)
        self._poll_remote(fanotify.good)
        code = errno.errorcode.get(error.errno or 0, str(error))
        self._notices.append(
            Notice(f"fanotify cannot watch this any more ({code}): watching with inotify", detail=True)
        )

    # -- mounts --------------------------------------------------------------------------------------------------

    def mounted(self, path: str) -> None:
        """A fence has come to be at this path, or is no longer there."""
        self._kernel.mounted(path)

    def _mounts_changed(self) -> None:
        changed = self._mounted.update()
        if self._inotify is not None:
            for point in changed:
                self._inotify.mounted(point)
        elif self._fanotify is not None:
            self._fanotify.mounts_changed(changed)
        self._poll_remote(0)

    def _poll_remote(self, since: int) -> None:
        """Poll what is changed from another side, and what fanotify does not cover."""
        wanted = {root: mount.kind for root, mount in self._mounted.remote.items()}
        if self._fanotify is not None:
            wanted |= dict.fromkeys(self._uncovered(self._fanotify, wanted), "no file handles")
        for root in self._polled - wanted.keys():
            self._polling.drop(root)
        fresh = [root for root in wanted if root not in self._polled]
        for root in fresh:
            self._polling.add(root, since)
        self._polled = set(wanted)
        if fresh:
            self._notices.append(remote_notice([(root.path, wanted[root]) for root in fresh]))

    def _uncovered(self, fanotify: FanotifyBackend, polled: Collection[Root]) -> list[Root]:
        found = []
        for root in self._roots:
            real = real_path(root.path, self._fences).rstrip("/")
            for point in fanotify.uncovered:
                if not root.single and point.startswith(real + "/"):
                    found.append(Root(root.path.rstrip("/") + point[len(real) :]))
        return [root for root in found if root not in polled]
