"""The backend on inotify(7).

Events about files are passed on. An event about a directory only marks its name; the disk is then looked at, in
slices, by the forest. See forest.py for why nothing is lost in between.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Collection, Sequence

from autoreload.core.change import Change, Kind
from autoreload.linux.clock import file_time
from autoreload.linux.inotify import (
    IN_ATTRIB,
    IN_CLOSE_WRITE,
    IN_CREATE,
    IN_IGNORED,
    IN_ISDIR,
    IN_MODIFY,
    IN_MOVE_SELF,
    IN_MOVED_FROM,
    IN_MOVED_TO,
    IN_Q_OVERFLOW,
    Event,
    Inotify,
    parse,
)
from autoreload.watch.backend import Interest, Linked, Notice, Root
from autoreload.watch.batch import Batch
from autoreload.watch.created import Doubts
from autoreload.watch.drain import drain
from autoreload.watch.forest import NAMES, Forest, Guide, Spill
from autoreload.watch.notices import flood_notice, limit_notice, unreadable_notice
from autoreload.watch.outbox import Outbox
from autoreload.watch.rescue import Rescue
from autoreload.watch.roots import MOVED, Anchors
from autoreload.watch.tree import AS_NEW, GONE, NAMES_ONLY, FileNode, Look, Node

SLICE = 0.005
"""s of looking at directories in one `read`."""
RESCUE_SLICE = 0.05
"""s of it while events are known to be lost: the sooner that ends, the less is lost meanwhile."""
SLACK = 2_000_000_000
"""ns. After events were lost, what changed this long before the last good moment is told too: it may have been
written before, and closed, which is what counts, while the queue overflowed."""
ROUNDS = 8
"""So often the trees are looked at while events are being lost all the time, before everything is told as changed."""
PAUSE = 1.0
"""s between further rounds. Also how often a root is looked up if something on its way cannot be watched."""
BATCH = 1 << 18
"""Bytes of events handled in one `read`."""

_WRITING = IN_MODIFY | IN_CLOSE_WRITE


class InotifyBackend:
    """Watches with inotify(7): see `Backend` for the contract.

    What happens after `since` and before a directory is looked at first is told by the times of what is there. So
    two things cannot be told: a file deleted meanwhile, whose name nobody knows; and old files in a directory that
    was moved and then given a new entry, since its times are now those of any directory with a new entry.

    OSError if there can be no instance, or no watch: ENOSYS, EACCES, EPERM, EMFILE, ENFILE, ENOMEM.
    """

    def __init__(
        self,
        roots: Sequence[Root],
        interest: Interest,
        since: int,
        spill: Spill | None = None,
        linked: Linked | None = None,
        guide: Guide | None = None,
        fences: Collection[str] = (),
    ) -> None:
        """`since`: CLOCK_REALTIME_COARSE, ns. `spill` takes what cannot be watched. `linked`, `guide`, `fences`: see
        `Forest`."""
        self._kernel = Inotify()
        self._outbox = Outbox()
        self._forest = Forest(self._kernel, interest, self._outbox, spill, linked, guide, fences)
        self._anchors = Anchors(list(dict.fromkeys(roots)), self._forest)
        self._interest = interest
        self._starting = True
        self._good = self._since = since
        """Events up to here have been seen, all of them (CLOCK_REALTIME_COARSE, ns)."""
        self._rescue: Rescue | None = None
        self._stale = False
        """What is in the queue may be older than what was lost: events are queued, and others lost, behind the one
        that tells of the overflow as long as that is not read; and by then the disk is looked at."""
        self._doubts = Doubts()
        self._deadline: float | None = 0.0
        self._blind_at = 0.0
        """When to look up the roots again on whose way something could not be watched."""
        self._notices: list[Notice] = []
        self.overflows = 0
        """How often the queue has overflowed so far."""
        self._limit_told = spill is not None
        self._unreadable_told: set[str] = set()
        try:
            self._find_first(Look(since, quiet=True))
        except OSError:
            self._kernel.close()
            raise

    def _find_first(self, look: Look) -> None:
        for anchor in self._anchors.all:
            self._anchors.find(anchor, known=None, new=look)
        for path in self._forest.unreadable:
            if os.access(path, os.R_OK | os.X_OK):  # so it is inotify_add_watch(2) that is denied, as in a container
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    # -- the protocol --------------------------------------------------------------------------------------------

    def fileno(self) -> int:
        """The inotify instance."""
        return self._kernel.fd

    def deadline(self) -> float | None:
        """0.0 while there are directories to look at."""
        return self._deadline

    def read(self, now: float) -> list[Change]:
        """Drain the queue (up to a batch), handle what it says, then look at directories for a slice of time."""
        events, drained = drain(self._kernel.read, parse, BATCH)
        lost = self._handle(events, now)
        if lost:
            self._events_lost()
        elif drained:
            self._stale = False
            if self._rescue is None:
                self._good = drained
        self._find_blind(now)
        self._forest.step(time.monotonic() + (SLICE if self._rescue is None else RESCUE_SLICE))
        if not self._forest.busy:
            self._starting = False
            if self._rescue is not None:
                self._next_round(self._rescue, now)
        if drained:
            self._doubts.resolve(now, self._outbox.tell)
        self._deadline = self._when(now)
        return self._outbox.take()

    def told_until(self) -> int:
        """When the queue was last found to be empty, if nothing waits to be looked at."""
        late = self._forest.busy or self._starting or self._rescue is not None
        return 0 if late or any(anchor.needs_lookup for anchor in self._anchors.all) else self._good

    def rejudge(self) -> None:
        """Look at all directories again; what is found in those that were ignored so far is no news by itself."""
        for anchor in self._anchors.all:
            if anchor.node is not None:
                self._forest.push(anchor.node, Look(self._good, quiet=True))
        self._deadline = 0.0

    def clock_set_back(self, by: int) -> None:
        """Look at everything, as if events had been lost: what is being looked at, is by times that mean nothing."""
        self._good, self._since = self._good - by, self._since - by
        if self._forest.busy or self._starting or self._rescue is not None:
            self._rescue = None
            self._events_lost()

    def notices(self) -> list[Notice]:
        """What could not be read, and what could not be watched."""
        notices, self._notices = self._notices, []
        fresh = [path for path in self._forest.unreadable if path not in self._unreadable_told]
        self._unreadable_told.update(fresh)  # a root is looked up again every second
        self._forest.unreadable.clear()
        if fresh:
            notices.append(unreadable_notice(fresh))
        if self._forest.limited and not self._limit_told and not self._forest.busy:
            self._limit_told = True
            notices.append(limit_notice(self._forest.limited, polled=False))
        return notices

    def close(self) -> None:
        """Close the inotify instance."""
        self._kernel.close()

    @property
    def limited(self) -> bool:
        """Is the limit of watches reached?"""
        return self._forest.limited > 0

    @property
    def good(self) -> int:
        """Nothing that happened up to here is still to be told (CLOCK_REALTIME_COARSE, ns)."""
        return self._since if self._starting else self._good

    def mounted(self, path: str) -> None:
        """Something was mounted at `path`, or unmounted and is still mounted elsewhere, of which inotify does not tell:
        look at what is there now."""
        self._anchors.mounted(path)
        self._deadline = 0.0

    def look_up(self, root: Root, known: Look, new: Look) -> None:
        """Watch `root` from now on. If it was watched already, look at it as `known`, else as `new`."""
        self._anchors.look_up(root, known, new)
        self._deadline = 0.0

    def _when(self, now: float) -> float | None:
        if self._forest.pending and not self._forest.starved:
            return 0.0
        doubted = self._doubts.deadline()
        times = [doubted] if doubted is not None else []
        if self._forest.starved:
            times.append(now + PAUSE / 10)
        if self._rescue is not None:
            times.append(self._rescue.resume_at)
        if any(anchor.needs_lookup for anchor in self._anchors.all):
            times.append(self._blind_at)
        return min(times, default=None)

    # -- events --------------------------------------------------------------------------------------------------

    def _handle(self, events: list[Event], now: float) -> bool:
        """Tell what they say of files, look at what they say of directories. True: some events were lost."""
        lost = False
        batch = Batch(events)
        forest, anchors = self._forest, self._anchors
        for event in events:
            wd, mask, name = event
            if mask & IN_Q_OVERFLOW:
                lost = True
                continue
            if anchors.guards(wd) is not None:
                self._guard_event(batch, event)
            nodes = forest.nodes.get(wd)
            if nodes is None:
                continue
            if mask & (IN_IGNORED | MOVED):
                self._self_event(batch, event, nodes)
            elif mask & IN_ATTRIB and not name:
                for node in nodes:
                    forest.push(node, NAMES_ONLY if node.listed else AS_NEW)
            elif name and mask & IN_ISDIR:
                for node in nodes:
                    if not isinstance(node, FileNode):
                        batch.marked[node, name] = batch.marked.get((node, name), 0) | mask
            elif name and not mask & IN_ATTRIB:
                if mask & (IN_CREATE | IN_MOVED_TO) and forest.linked is not None:
                    self._meet_link(forest.linked, name, nodes)
                targets = batch.targets.get((wd, name))
                if targets is None:
                    targets = batch.targets[wd, name] = self._targets(name, nodes)
                if targets:
                    self._file_event(batch, event, targets, now)
            if name and mask & NAMES:
                batch.touched.update(node for node in nodes if node.parent is None and self._is_about(node, name))
        for node in batch.touched:
            if node.wd >= 0 and anchors.changed(anchor := anchors.of[node]):
                batch.anchors.setdefault(anchor, False)
        for anchor, moved in batch.anchors.items():
            anchors.find(anchor, known=AS_NEW if moved else None)
        self._look_at_marked(batch)
        self._verify(batch)
        return lost

    def _guard_event(self, batch: Batch, event: Event) -> None:
        """Look up roots again that this event may be about."""
        wd, mask, name = event
        for anchor in self._anchors.guards(wd) or ():
            if mask & (MOVED | IN_IGNORED) or (mask & NAMES and name in anchor.awaits[wd]):
                batch.anchors[anchor] = batch.anchors.get(anchor, False) or not mask & IN_IGNORED
        if mask & IN_IGNORED:
            self._anchors.lose(wd)

    def _self_event(self, batch: Batch, event: Event, nodes: tuple[Node, ...]) -> None:
        """A watched directory itself was moved, deleted or unmounted."""
        for node in nodes:
            if node.parent is None:
                anchor = self._anchors.of[node]
                batch.anchors[anchor] = batch.anchors.get(anchor, False) or bool(event.mask & IN_MOVE_SELF)
            elif event.mask & IN_IGNORED:
                key = node.parent, node.name
                batch.marked[key] = batch.marked.get(key, 0) | IN_IGNORED
        if event.mask & IN_IGNORED:
            self._forest.lose(event.wd)

    def _is_about(self, node: Node, name: str) -> bool:
        """Thousands of links may lead into one folder, of which each only cares for its own file."""
        return self._forest.guide is None or not isinstance(node, FileNode) or node.only == name

    def _meet_link(self, linked: Linked, name: str, nodes: tuple[Node, ...]) -> None:
        for node in nodes:
            if node.listed and not isinstance(node, FileNode) and os.path.islink(path := f"{node.path()}/{name}"):
                linked(path)  # else the look that is due will meet it

    def _targets(self, name: str, nodes: tuple[Node, ...]) -> list[tuple[Node, str]]:
        """The nodes that events about a file matter to, and its path in each; found once a batch for each name.

        A program that logs into a watched tree sends thousands of events about a file that nobody wants.
        """
        targets: list[tuple[Node, str]] = []
        for node in nodes:
            if isinstance(node, FileNode):
                if node.only == name:
                    targets.append((node, node.told))
            elif self._interest.wants_file(path := f"{node.path()}/{name}"):
                targets.append((node, path))
        return targets

    def _file_event(self, batch: Batch, event: Event, targets: list[tuple[Node, str]], now: float) -> None:
        wd, mask, name = event
        tell = self._outbox.tell
        if not mask & IN_CREATE:
            self._doubts.settle((wd, name))
        for node, path in targets:
            if self._stale:
                batch.uncertain[node, name] = path
            if mask & _WRITING:
                if node.note(name, True):  # it was moved or deleted while another core was writing to it, perhaps
                    batch.uncertain[node, name] = path
                tell(Kind.MODIFIED if mask & IN_MODIFY else Kind.WRITTEN, path)
            elif mask & IN_MOVED_TO:
                node.note(name, True)
                tell(Kind.APPEARED, path)
            elif mask & IN_CREATE:
                self._created(batch, event, node, path, now)
            else:
                node.note(name, False)
                tell(Kind.VANISHED, path)
                if mask & IN_MOVED_FROM:  # of an exchange, renameat2(2), this comes last of a name that is there
                    batch.uncertain[node, name] = path

    def _created(self, batch: Batch, event: Event, node: Node, path: str, now: float) -> None:
        """A name was made. If a file is behind it that is being written, it will be closed."""
        key = event.wd, event.name
        kind = self._doubts.judge(key, path, key in batch.written(), now)
        if kind is not None:
            node.note(event.name, True)
            self._outbox.tell(kind, path)

    def _look_at_marked(self, batch: Batch) -> None:
        """Bring the directories of these names in line with the disk, the upper ones first."""
        forest = self._forest
        marked = sorted(batch.marked.items(), key=lambda item: item[0][0].depth())
        for (parent, name), mask in marked:
            if parent.wd == GONE:
                continue
            if not parent.listed:
                forest.look(parent)  # `listed` comes before any directory in it is judged
                if not parent.listed:  # it moved: then it is marked itself; or there is no descriptor to look with
                    if parent.due is not None:
                        forest.push(parent, AS_NEW)
                    continue
            path = f"{parent.path()}/{name}"
            kid = parent.kid(name)
            if path in forest.roots:
                continue
            if not self._interest.wants_directory(path):
                if kid is not None:
                    forest.detach(kid, tell=False)
                continue
            new = forest.settle(parent, name, path, AS_NEW)
            # Moved here: perhaps it is the one that was here, but someone looked while it was away.
            if new is kid and kid is not None and (mask & IN_MOVED_TO or (mask & IN_CREATE and self._starting)):
                forest.push(kid, AS_NEW)
            elif new is kid and kid is not None and mask & IN_ATTRIB:
                forest.push(kid, NAMES_ONLY if kid.listed else AS_NEW)

    def _verify(self, batch: Batch) -> None:
        """Correct what was told of files of which the events may not have told the end."""
        for (node, name), path in batch.uncertain.items():
            if node.wd == GONE:
                continue
            there = os.path.lexists(path)
            if there is (self._outbox.last(path) is Kind.VANISHED):
                node.note(name, there)
                self._outbox.tell(Kind.APPEARED if there else Kind.VANISHED, path, synthesized=True)

    # -- roots that are hard to watch ----------------------------------------------------------------------------

    def _find_blind(self, now: float) -> None:
        """Look up the roots on whose way something could not be watched, once in a while."""
        if now < self._blind_at:
            return
        blind = [anchor for anchor in self._anchors.all if anchor.needs_lookup]
        if blind:
            self._blind_at = now + PAUSE
            for anchor in blind:
                self._anchors.find(anchor, known=None)

    # -- lost events ---------------------------------------------------------------------------------------------

    def _events_lost(self) -> None:
        """Look at everything again: what was lost is not known, not even which directories are still watched."""
        self.overflows += 1
        self._stale = True
        if self._rescue is not None:
            self._rescue.again = True
            return
        self._rescue = Rescue(self._good - SLACK)
        self._begin_round(self._rescue)

    def _begin_round(self, rescue: Rescue) -> None:
        rescue.again = False
        rescue.rounds += 1
        rescue.began = file_time()
        for anchor in list(self._anchors.all):
            self._anchors.find(anchor, known=Look(rescue.since))

    def _next_round(self, rescue: Rescue, now: float) -> None:
        """All was looked at. Once more if events were lost meanwhile."""
        if not rescue.again:
            self._good = rescue.began
            self._rescue = None
            return
        if rescue.rounds == ROUNDS:
            self._tell_everything()
        if rescue.rounds < ROUNDS or now >= rescue.resume_at:
            if rescue.rounds >= ROUNDS:
                rescue.resume_at = now + PAUSE
            self._begin_round(rescue)

    def _tell_everything(self) -> None:
        """Give up finding out what changed: anything may have."""
        self._notices.append(flood_notice(self._forest.tell_everything()))
