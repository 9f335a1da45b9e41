"""The watched directories as a tree, and what is known of the files in each."""

from __future__ import annotations

from typing import NamedTuple

GONE = -1
"""Instead of a watch descriptor: no longer part of a tree."""
LOST = -2
"""The kernel dropped the watch; the directory is about to be looked for."""
POLLED = -3
"""Could not be watched; looked at from time to time instead."""


class Look(NamedTuple):
    """How to look at a directory: what found there is news."""

    since: int
    """Files with a ctime at or after it are (CLOCK_REALTIME ns). 0: all are, without asking for their times."""
    quiet: bool = False
    """Files and directories not known so far are no news by themselves."""
    deep: bool = True
    """Also at directories that are known already."""

    def with_(self, other: Look) -> Look:
        """One look that tells whatever either of them would tell."""
        return Look(min(self.since, other.since), self.quiet and other.quiet, self.deep or other.deep)


AS_NEW = Look(0)
"""Everything in it is news."""
NAMES_ONLY = Look(1 << 63, deep=False)
"""Only what is not known by its name is news."""


MANY, LARGE = 32, 1 << 12
"""Where so many files have come and gone in a directory whose names take so many bytes, more will (`rm -r`): its names
are looked up in a set from then on, of which there is one at a time."""
_expanded: tuple[str, frozenset[str]] = "", frozenset()


class Node:
    """A watched directory.

    What is known of its files are the wanted names only, joined into one string ("/a/b/"; 25 bytes a file where a set
    takes 100), and what events said since, which is folded into it from time to time.
    """

    __slots__ = ("_names", "_since", "due", "kids", "name", "parent", "wd")

    def __init__(self, name: str, parent: Node | None, wd: int) -> None:
        self.name = name
        self.parent = parent
        self.wd = wd
        self.kids: dict[str, Node] | None = None
        self.due: Look | None = None
        """The look it waits for."""
        self._names: str | None = None
        self._since: dict[str, bool] | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path()!r} wd={self.wd}>"

    def path(self) -> str:
        """Its path, "" for the root directory: always `path() + "/" + name` for what is in it."""
        parts = [self.name]
        node = self.parent
        while node is not None:
            parts.append(node.name)
            node = node.parent
        parts.reverse()
        return "/".join(parts)

    def top(self) -> Node:
        """That of its root."""
        node = self
        while node.parent is not None:
            node = node.parent
        return node

    def depth(self) -> int:
        """How many nodes are above it."""
        depth, node = 0, self.parent
        while node is not None:
            depth, node = depth + 1, node.parent
        return depth

    def has_above(self, wd: int) -> bool:
        """Is this watch descriptor its own, or that of a node above it?"""
        node: Node | None = self
        while node is not None:
            if node.wd == wd:
                return True
            node = node.parent
        return False

    def kid(self, name: str) -> Node | None:
        """The watched directory of that name in it."""
        return self.kids.get(name) if self.kids is not None else None

    # -- its files -----------------------------------------------------------------------------------------------

    @property
    def listed(self) -> bool:
        """Has it been looked at?"""
        return self._names is not None

    def set_names(self, names: list[str]) -> None:
        """These are in it, and nothing else."""
        joined = "/".join(names)
        self._names = f"/{joined}/" if joined else ""
        self._since = None

    def known(self) -> list[str]:
        """The names of its files, as far as told."""
        names = self._names.strip("/").split("/") if self._names else []
        if self._since:
            names = [name for name in names if name not in self._since]
            names += [name for name, there in self._since.items() if there]
        return names

    def note(self, name: str, there: bool) -> bool:
        """An event said that this file is there now, or that it is not. Was that not known?"""
        since = self._since
        if since is not None and name in since:
            if since[name] is there:
                return False
        elif self._holds(name) is there:
            return False
        if since is None:
            since = self._since = {}
        since[name] = there
        if self._names is not None and len(since) > 32 + len(self._names) // 64:
            self.set_names(self.known())
        return True

    def _holds(self, name: str) -> bool:
        """Was this name there when the directory was listed last?"""
        global _expanded
        names = self._names
        if not names:
            return False
        if self._since is None or len(self._since) < MANY or len(names) < LARGE:
            return f"/{name}/" in names
        if _expanded[0] is not names:
            _expanded = names, frozenset(names.split("/"))
        return name in _expanded[1]


class FileNode(Node):
    """The directory that a single watched file is in: nothing else of it matters."""

    __slots__ = ("only", "told")

    def __init__(self, folder: str, wd: int, only: str, told: str) -> None:
        super().__init__(folder, None, wd)
        self.only = only
        """The name of the file in it."""
        self.told = told
        """The path by which the file is told of: it may be reached through links."""
