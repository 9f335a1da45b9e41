"""Which symbolic links are followed, and by which paths what is behind them is told of. Knows no backend.

A link to a folder is treated as if the folder stood there; a link to a file as if that file did. But everything has one
path only, and so is watched and told of once:

- What lies in a root, and is not ignored there, has the path it has there. Links to it are only looked after: when one
  comes to lead elsewhere, it is told what differs now behind it.
- Else the first link that leads to it claims it. A link inside of a folder that is claimed already claims nothing in
  it, so loops end. A claimed folder around another one leaves that out, and the roots too.
- Folders and links beyond the roots are counted. Above `MOST` no more are watched.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Sequence

from autoreload.core.change import Change, Kind
from autoreload.linux.mounts import is_below
from autoreload.watch.backend import Judge, Notice, Root
from autoreload.watch.compared import difference
from autoreload.watch.fence import Fence
from autoreload.watch.mounted import real_path
from autoreload.watch.notices import fenced_notice, too_much_notice
from autoreload.watch.way import Way, trace

MOST = 10_000
"""Folders beyond the roots, and links, that are watched."""
KEPT = 8192
"""Folders whose verdict is remembered."""


class Link:
    """A link that is looked after."""

    __slots__ = ("claims", "folders", "fresh", "nested", "path", "real", "said", "silent", "single")

    def __init__(self, path: str, nested: bool) -> None:
        self.path = path
        self.nested = nested
        """Seen through another link."""
        self.real: str | None = None
        """Where it leads, without links; None: nowhere, so far."""
        self.single = False
        """It leads to a file."""
        self.fresh = False
        """It was made just now."""
        self.claims = False
        """Is what it leads to watched under its path?"""
        self.said = ""
        """The file behind it that was told of, though it has a path of its own."""
        self.silent = False
        """It was there from the start, and nothing behind it was ever told of, or known, by its path."""
        self.folders = 0
        """How many are watched behind it."""


class Links:
    """All links below some roots."""

    def __init__(
        self,
        roots: Sequence[Root],
        interest: Judge,
        most: int = MOST,
        fence: Fence | None = None,
        fences: Collection[str] = (),
    ) -> None:
        """`fences`: mount points that must not be touched, see mounted.py."""
        self._fences = fences
        self._roots = list(roots)
        self._interest = interest
        self._most = most
        self._fence = fence or Fence()
        self._reals: dict[str, Root] = {}
        self.links: dict[str, Link] = {}
        """By path."""
        self.waiting: dict[str, None] = {}
        """Paths of links to be looked up (again)."""
        self._folders: dict[str, Link] = {}
        """The paths of all folders that are watched behind links."""
        self._claimed: dict[str, Link] = {}
        self._no_files: set[str] = set()
        """Links that lead to folders."""
        self._aliases: set[str] = set()
        """Files that are gone from behind a link that claimed nothing, and of which was never told before."""
        self._wanted: dict[str, bool] = {}
        self._listed: set[str] = set()
        self._told: list[Change] = []
        self.starting = True
        """Are the links met now those that were there before?"""
        self._notices: list[Notice] = []
        self._fenced: set[str] = set()
        self._full: set[Link] = set()
        """Those behind which something is left out."""
        self._full_told = False

    # -- what others ask ---------------------------------------------------------------------------------------------

    def follows(self, folder: str) -> bool:
        """Is this folder, at a link or behind one, watched under this path?"""
        return folder in self._folders

    def is_file(self, path: str) -> bool:
        """Nothing says that this is a link to a folder."""
        return path not in self._no_files

    def is_alias(self, path: str) -> bool:
        """Was this reached through a link, while nobody knew it by this path?"""
        return path in self._aliases

    def is_elsewhere(self, path: str) -> bool:
        """Is this behind a link that leads to what has other paths?"""
        tops = {root.path for root in self._roots}
        folder = os.path.dirname(path)
        while len(folder) > 1 and folder not in tops:
            link = self.links.get(folder)
            if link is not None or os.path.islink(folder):
                return link is None or not link.claims or not self.follows(os.path.dirname(path))
            folder = os.path.dirname(folder)
        return False

    def names(self, paths: Iterable[str]) -> set[str]:
        """All paths, these and others, by which these files can be reached: without links, and through those known."""
        found = set(paths)
        if not self.links:
            return found
        reals = {real_path(path, self._fences) for path in found}
        leading: dict[str, list[str]] = {}
        for link in self.links.values():
            if link.real is not None:
                leading.setdefault(link.real, []).append(link.path)
        for real in reals:
            above = f"{real}/"
            while above:  # not link by link: there may be thousands of files, and of links
                above = above[: above.rfind("/")]
                found.update(path + real[len(above) :] for path in leading.get(above, ()))
        return found | reals

    def take_told(self) -> list[Change]:
        """What is to be told of links that claim nothing."""
        told, self._told = self._told, []
        return told

    def notices(self) -> list[Notice]:
        """What is not followed, once each."""
        notices, self._notices = self._notices, []
        if self._full and not self._full_told:
            self._full_told = True
            notices.append(too_much_notice(self._largest(), self._most))
        return notices

    def _largest(self) -> str:
        """The path of the link in a root with the most folders and links behind it."""
        behind: dict[str, int] = {}
        for link in self.links.values():
            top = link
            while top.nested and (above := self._folders.get(os.path.dirname(top.path))) is not None:
                top = above
            behind[top.path] = behind.get(top.path, 0) + link.folders + 1
        return max(behind, key=lambda path: behind[path])

    # -- links come and go -------------------------------------------------------------------------------------------

    def met(self, path: str) -> bool:
        """There is a link at this path, in a folder that is watched and was listed. Does it lead to a folder?"""
        real, single, _ = self._target(trace(path, _nothing, self.may_look))
        folder = real is not None and not single
        if folder:
            self._no_files.add(path)
        else:
            self._no_files.discard(path)
        if path not in self.links and self._matters(path, real, single):
            if len(self.links) + len(self._folders) >= self._most:
                self._full.add(Link(path, False))
            else:
                link = self.links[path] = Link(path, os.path.dirname(path) in self._folders)
                link.fresh, link.silent = not self.starting, self.starting
                self.waiting[path] = None
        return folder

    def _matters(self, path: str, real: str | None, single: bool) -> bool:
        if real is None:
            return self._interest.wants_directory(path)
        return self._interest.wants_file(path) if single else self._interest.wants_directory(path)

    def judge(self, path: str, way: Way) -> Root | None:
        """The link at `path` leads this `way`. What to watch there; None: nothing. If it is no link any more, it is not
        looked after any more."""
        link = self.links[path]
        if not os.path.islink(path) or not self._is_reached(link):
            self._drop(link)
            return None
        real, single, blocked = self._target(way)
        old, was_single, claimed = link.real, link.single, link.claims
        moved = (real, single) != (old, was_single)
        if moved:
            self._release(link)
            link.real, link.single = real, single
        self._note_kind(link)
        if blocked and blocked not in self._fenced and self._matters(path, real, False):
            self._fenced.add(blocked)
            self._notices.append(fenced_notice(path, blocked))
        claims = self._may_claim(link)
        if claims and not link.claims and real is not None:
            self._claim(link, real)
        elif link.claims and not claims:
            self._release(link)
        if moved and not (claimed and link.claims) and (old is not None or link.fresh):
            self._swapped(link, old, was_single)
        if moved:
            self._unsay(link)
        link.fresh = False
        return Root(path, single) if link.claims else None

    def has(self, path: str) -> bool:
        """Is this link looked after?"""
        return path in self.links

    def recheck(self) -> None:
        """Ignore files have changed, or folders have come to be roots: judge everything anew."""
        self._wanted.clear()
        self._listed.clear()
        self._fence.forget()
        self._reals.clear()
        self.waiting.update(dict.fromkeys(self.links))

    def is_remote(self, path: str) -> bool:
        """Does the link at `path` lead to a file system that is changed from another side?"""
        real, _, _ = self._target(trace(path, _nothing, self.may_look))
        return real is not None and self._fence.is_remote(real)

    def refresh(self) -> None:
        """Something has changed: look up again where the roots are, and what is mounted."""
        self._fence.forget()
        before, self._reals = self._reals, {}
        if before and self._root_reals() != before:
            self.waiting.update(dict.fromkeys(self.links))

    def _note_kind(self, link: Link) -> None:
        if link.real is not None and not link.single:
            self._no_files.add(link.path)
        else:
            self._no_files.discard(link.path)

    def _drop(self, link: Link) -> None:
        old, single, claimed = link.real, link.single, link.claims
        self._release(link)
        del self.links[link.path]
        self._no_files.discard(link.path)
        self._full.discard(link)
        link.real = None
        if old is not None and not single and not claimed:
            self._swapped(link, old, single)
        self._unsay(link)

    def _claim(self, link: Link, real: str) -> None:
        link.claims, link.silent = True, False
        if not link.single:
            self._claimed[real] = link
            self._folders[link.path] = link
            link.folders = 1
            for other in self.links.values():
                if other.claims and other is not link and not other.single and is_below(real, other.real or ""):
                    self.waiting[other.path] = None  # it is to leave this out

    def _release(self, link: Link) -> None:
        """What it led to is no longer told of by its path: perhaps by that of another link."""
        if not link.claims or link.real is None:
            return
        link.claims = False
        if link.single:
            return
        del self._claimed[link.real]
        for folder in [folder for folder, owner in self._folders.items() if owner is link]:
            del self._folders[folder]
        link.folders = 0
        for other in self.links.values():
            if other.real is not None and other is not link:
                behind = other.path.startswith(link.path + "/")
                if behind or is_below(other.real, link.real) or (other.claims and is_below(link.real, other.real)):
                    self.waiting[other.path] = None
        self.waiting.update(dict.fromkeys(other.path for other in self._full if other.path in self.links))
        self._full.clear()

    # -- folders behind links ----------------------------------------------------------------------------------------

    def enter(self, folder: str) -> bool:
        """May this folder, which is in one that is followed, be followed as well?"""
        link = self._folders.get(folder[: folder.rfind("/")])
        if link is None or link.real is None:
            return False
        real = link.real + folder[len(link.path) :]
        if real in self._claimed or not self.may_look(real) or real in self._root_reals():
            return False
        if folder in self._folders:
            return True
        if len(self.links) + len(self._folders) >= self._most:
            self._full.add(link)
            return False
        self._folders[folder] = link
        link.folders += 1
        return True

    def left(self, folder: str) -> None:
        """It is not there any more."""
        link = self._folders.get(folder)
        if link is not None and folder != link.path:
            del self._folders[folder]
            link.folders -= 1

    # -- where a link leads ------------------------------------------------------------------------------------------

    def may_look(self, path: str) -> bool:
        """May this be looked up on the way of a link?"""
        if not self._fence.built:
            self._fence.build([real_path(root.path, self._fences) for root in self._roots])
        return self._fence.allows(path)

    def _root_reals(self) -> dict[str, Root]:
        if not self._reals:
            self._reals = {real_path(root.path, self._fences).rstrip("/"): root for root in self._roots}
        return self._reals

    def _target(self, way: Way) -> tuple[str | None, bool, str]:
        """Where it leads, whether to a file, and what it must not lead to."""
        if way.end is None or not self.may_look(way.end):
            return None, False, way.blocked if way.end is None else way.end
        try:
            mode = os.lstat(way.end or "/").st_mode
        except OSError:
            return None, False, ""
        if stat.S_ISDIR(mode):
            return way.end, False, ""
        return (way.end, True, "") if stat.S_ISREG(mode) else (None, False, "")

    def _may_claim(self, link: Link) -> bool:
        real = link.real
        if real is None or not self._matters(link.path, real, link.single):
            return False
        for top, root in self._root_reals().items():
            if root.single:
                if link.single and real == top:
                    return False
            elif is_below(real, top) and self._tells(root.path.rstrip("/"), real[len(top) :], link.single):
                return False
        if link.single:
            folder, _, name = real.rpartition("/")
            told = self._behind(folder)
            return told is None or not self._interest.counts(f"{told}/{name}")
        owner = self._claimed.get(real)
        if owner is not None and owner is not link:
            return False
        return not (link.nested and self._behind(real, but=link) is not None)

    def _behind(self, real: str, but: Link | None = None) -> str | None:
        """The path by which another link reaches this folder."""
        above = real
        while above:
            owner = self._claimed.get(above)
            if owner is not None and owner is not but:
                told = owner.path + real[len(above) :]
                return told if self._reaches(owner.path, told) else None
            above = above[: above.rfind("/")]
        return None

    def _tells(self, top: str, below: str, single: bool) -> bool:
        """Is what is `below` this root ("/a/b", or "") watched under that path?"""
        path = top + below
        if single:
            return self._reaches(top, os.path.dirname(path)) and self._interest.counts(path)
        return self._reaches(top, path)

    def _is_reached(self, link: Link) -> bool:
        """Is the folder that it is in watched?"""
        folder = os.path.dirname(link.path)
        if link.nested:
            return folder in self._folders
        tops = [root.path.rstrip("/") for root in self._roots if not root.single]
        return any(is_below(folder, top or "/") and self._reaches(top, folder) for top in tops)

    def _reaches(self, top: str, path: str) -> bool:
        """Is nothing on the way from `top` to this folder ignored?"""
        end = path.find("/", len(top) + 1)
        while len(path) > len(top):
            if not self._wants(path if end < 0 else path[:end]):
                return False
            if end < 0:
                break
            end = path.find("/", end + 1)
        return True

    def _wants(self, folder: str) -> bool:
        verdict = self._wanted.get(folder)
        if verdict is None:
            self._list(os.path.dirname(folder))
            if len(self._wanted) >= KEPT:
                self._wanted.clear()
            verdict = self._wanted[folder] = self._interest.wants_directory(folder)
        return verdict

    def _list(self, folder: str) -> None:
        if folder in self._listed:
            return
        if len(self._listed) >= KEPT:
            self._listed.clear()
        self._listed.add(folder)
        try:
            names = os.listdir(folder)
        except OSError:
            names = []
        self._interest.listed(folder, names)

    # -- links between folders that are told of otherwise --------------------------------------------------------------

    def _swapped(self, link: Link, old: str | None, was_single: bool) -> None:
        """Such a link came to lead elsewhere. One reason to restart is enough, so what differs first is told."""
        if link.single:
            self._tell(Kind.APPEARED, link.path)
            return
        if was_single:
            self._tell(Kind.VANISHED, link.path)
            old = None
        if link.claims:
            return
        found = difference(self._interest, link.path, old, link.real)
        if found is None or (found[0] is Kind.VANISHED and self._unsay(link)):
            return
        kind, path = found[0], link.path + found[1]
        if kind is Kind.VANISHED and link.silent:
            self._aliases.add(path)
        link.said = path if kind is Kind.APPEARED else ""
        self._tell(kind, path)

    def _unsay(self, link: Link) -> bool:
        """If what was told of is gone, say so."""
        there = os.path.lexists(link.said) and (self.has(link.path) or not self.is_elsewhere(link.said))
        if not link.said or there:
            return False
        self._tell(Kind.VANISHED, link.said)
        link.said = ""
        return True

    def _tell(self, kind: Kind, path: str) -> None:
        self._told.append(Change(kind, path, synthesized=True))


def _nothing(folder: str) -> int:
    return 0
