"""What is in scope: the filter, and the disk it asks (ignore files, virtual environments, packages).

The ignore files are Git's: the nested `.gitignore`, those above a root up to the top of its repository,
`.git/info/exclude` and the global one (gitignore(5)). The patterns are matched by `pathspec`, which is imported when
the first pattern is seen.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from autoreload.core.filter import IGNORE_FILE, SOURCES, Filter, Rules, Verdict
from autoreload.errors import UserError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec


MANY = 1000
"""When an ignore file has been asked for so many paths, it pays to answer the next ones faster."""


class Patterns:
    """The patterns of one ignore file, or of one option."""

    def __init__(self, lines: Iterable[str], shown: str = "") -> None:
        """`shown`: the file, as a person would name it; empty for an option."""
        self._shown = shown
        numbered = [(number, line.rstrip("\r\n")) for number, line in enumerate(lines, start=1)]
        self._lines = [(number, line) for number, line in numbered if line.strip() and not line.startswith("#")]
        self._spec: GitIgnoreSpec | None = None
        self.broken: list[str] = []
        """Lines that are no patterns (`!`), found when the first path is matched."""
        self._asked = 0
        self._may_match: Callable[[str], object] = lambda path: True

    def __bool__(self) -> bool:
        return bool(self._lines)

    def match(self, relative: str, is_directory: bool) -> tuple[bool | None, str]:
        """(True: matched, False: matched by a `!` pattern, None: not matched; the pattern that decided)."""
        if self._spec is None:
            self._spec = self.compile()
        path = relative + "/" if is_directory else relative
        self._asked += 1
        if self._asked == MANY:
            self._may_match = _any_of(self._spec)
        if not self._may_match(path):
            return None, ""
        result = self._spec.check_file(path)
        if result.include is None or result.index is None:
            return None, ""
        number, line = self._lines[result.index]
        return result.include, f"{self._shown}:{number}: {line}" if self._shown else line

    def compile(self) -> GitIgnoreSpec:
        """Without the lines that are broken."""
        from pathspec import GitIgnoreSpec  # 50 to 75 ms, so only once there is a pattern

        good = []
        for number, line in self._lines:
            try:
                GitIgnoreSpec.from_lines([line])
                good.append((number, line))
            except ValueError:  # GitIgnorePatternError
                self.broken.append(f"{self._shown}:{number}: {line} is no pattern" if self._shown else line)
        self._lines = good
        return GitIgnoreSpec.from_lines(line for _, line in good)


def _any_of(spec: GitIgnoreSpec) -> Callable[[str], object]:
    """Does any of the patterns match a path? All as one expression: most paths are matched by none."""
    import re

    words = []
    for pattern in spec.patterns:
        if pattern.include is None:  # it matches nothing
            continue
        if pattern.regex is None or pattern.regex.flags != re.UNICODE:
            return lambda path: True
        words.append(re.sub(r"\(\?P<\w+>", "(?:", pattern.regex.pattern))
    whole = re.compile("|".join(f"(?:{word})" for word in words) or "$.")
    return whole.match if all(word.startswith("^") for word in words) else whole.search


class IgnoreFiles:
    """All ignore files that concern some roots."""

    def __init__(self, roots: Sequence[str], environ: Mapping[str, str], disk: Disk) -> None:
        """Reads those above the roots, and the global one; those below are told of by `read`."""
        self._lines = disk.lines
        self._by_directory: dict[str, Patterns] = {}
        self._tops: dict[str, list[Patterns]] = {}
        self._ends: list[str] = []
        everywhere = self._read(_global_excludes(environ))
        for root in roots:
            top = _repository(root) or root
            exclude = self._read(os.path.join(top, ".git", "info", "exclude"))
            self._tops[top] = [patterns for patterns in (exclude, everywhere) if patterns]
            directory = root
            while True:
                self.read(directory)
                if directory == top:
                    break
                directory = os.path.dirname(directory)

    def read(self, directory: str) -> bool:
        """(Re)read the ignore file of this directory. True if there is, or was, one."""
        known = self._by_directory.pop(directory, None)
        found = self._read(os.path.join(directory, IGNORE_FILE))
        if found:
            self._by_directory[directory] = found
        return bool(known or found)

    def _read(self, path: str) -> Patterns | None:
        """The patterns of this file; None if it holds none or cannot be read."""
        lines = self._lines(path)
        if lines is None:
            return None
        return Patterns(lines, os.path.basename(path) if path.endswith(IGNORE_FILE) else path) or None

    def folders(self) -> list[str]:
        """Those whose ignore file is known."""
        return list(self._by_directory)

    def take_broken(self) -> list[str]:
        """What is wrong in these files and was not told yet."""
        found = []
        for patterns in [*self._by_directory.values(), *(p for some in self._tops.values() for p in some)]:
            found += patterns.broken
            patterns.broken = []
        return list(dict.fromkeys(found))

    def has(self, directory: str) -> bool:
        """Is an ignore file of this directory known?"""
        return directory in self._by_directory

    def ignored_by(self, path: str, is_directory: bool, root: str) -> str:
        """The rule that ignores this very path; the deepest file that says anything about it decides.

        A rule that ignores `root` as well is passed over: it was asked for all the same.
        """
        if not self._by_directory and not any(self._tops.values()):
            return ""
        directory = os.path.dirname(path)
        while True:
            at_top = self._tops.get(directory)
            for patterns in (self._by_directory.get(directory), *(at_top or ())):
                if patterns:
                    relative = path[len(directory.rstrip("/")) + 1 :]
                    ignored, rule = patterns.match(relative, is_directory)
                    if ignored and len(directory) < len(root):
                        below = root[len(directory.rstrip("/")) + 1 :]
                        if patterns.match(below, True) == (True, rule):
                            continue
                    if ignored is not None:
                        return rule if ignored else ""
            above = os.path.dirname(directory)
            if at_top is not None or above == directory:
                return ""
            directory = above


class Scope:
    """Answers what a backend asks (`watch.backend.Interest`), and judges what it tells."""

    def __init__(
        self,
        rules: Rules,
        include: tuple[Sequence[str], str],
        exclude: tuple[Sequence[str], str],
        environ: Mapping[str, str],
        everything: bool = False,
        disk: Disk | None = None,
    ) -> None:
        """`include`, `exclude`: patterns, and the folder that those with a slash are relative to. `everything`: hear of
        every change, because the reason why it does not count is wanted. `disk`: to look at. Raises UserError for a
        broken pattern."""
        self._disk = disk or Disk()
        self._everything = everything
        self._environments: set[str] = set()
        self._no_packages: dict[str, None] = {}
        folders = [root for root in rules.roots if os.path.isdir(root)]
        self._ignore_files = IgnoreFiles(folders if rules.ignore else (), environ, self._disk)
        rules = rules._replace(include=matcher("--include", *include), exclude=matcher("--ignore", *exclude))
        self._filter = Filter(rules, self, lambda root: root in folders)

    # -- for the backend -----------------------------------------------------------------------------------------------
    def wants_directory(self, path: str) -> bool:
        """Is it watched?"""
        return self._filter.descends(path)

    def wants_file(self, path: str) -> bool:
        """May a change of it matter? Also for the sake of Python's bytecode cache."""
        return self._everything or self._filter.may_count(path) or path.endswith(SOURCES)

    def listed(self, directory: str, names: Collection[str]) -> None:
        """Take in an ignore file, and what makes a directory a virtual environment."""
        if IGNORE_FILE in names and not self._ignore_files.has(directory):
            self._ignore_files.read(directory)
        if "pyvenv.cfg" in names:
            self._environments.add(directory)
        elif self._environments:
            self._environments.discard(directory)

    # -- for the filter ------------------------------------------------------------------------------------------------
    def ignored_by(self, path: str, is_directory: bool, root: str) -> str:
        """See `core.filter.Facts`."""
        return self._ignore_files.ignored_by(path, is_directory, root)

    def is_package(self, directory: str) -> bool:
        """See `core.filter.Facts`. A folder that is none may become one: that is looked at again by `recheck`."""
        if self._disk.exists(os.path.join(directory, "__init__.py")):
            return True
        self._no_packages[directory] = None
        return False

    def is_environment(self, directory: str) -> bool:
        """See `core.filter.Facts`."""
        return directory in self._environments

    # -- for the session -----------------------------------------------------------------------------------------------
    def judge(self, path: str) -> Verdict:
        """Does a change of this file count?"""
        return self._filter.judge(path)

    def take_broken(self) -> list[str]:
        """What is wrong in the ignore files and was not told yet."""
        return self._ignore_files.take_broken()

    @property
    def unsure(self) -> int:
        """How many folders are taken for build output only because they are no packages so far."""
        return len(self._no_packages)

    def recheck(self) -> bool:
        """Look at them again. True if every directory must be judged again."""
        found = [directory for directory in self._no_packages if self.is_package(directory)]
        for directory in found:
            del self._no_packages[directory]
        return bool(found)

    def outline(self) -> list[str]:
        """The folders with an ignore file, for a copy of this that knows others: see `adopt`."""
        return self._ignore_files.folders()

    def adopt(self, outline: Iterable[str]) -> None:
        """Read the ignore files of these folders, and of those that are known."""
        for directory in dict.fromkeys([*outline, *self._ignore_files.folders()]):
            self._ignore_files.read(directory)
        self.recheck()

    def counts(self, path: str) -> bool:
        """The same, without the reason."""
        return self._filter.judge(path).counts

    def reread(self, path: str) -> bool:
        """If this is an ignore file, read it again. True if every directory must be judged again."""
        directory, name = os.path.split(path)
        return name == IGNORE_FILE and self._ignore_files.read(directory)


def matcher(flag: str, lines: Sequence[str], base: str) -> Callable[[str, bool], str] | None:
    """Says by which of the patterns of an option (`flag`) a path is matched; None: there is no pattern. `base`: those
    with a slash are relative to it. Raises UserError for a broken one."""
    patterns = Patterns(lines)
    if not patterns:
        return None
    patterns.compile()
    if patterns.broken:
        raise UserError(f"{flag}: {patterns.broken[0]!r} is no pattern", "it must be one of gitignore(5)")
    prefix = base.rstrip("/") + "/"

    def match(path: str, is_directory: bool) -> str:
        relative = path[len(prefix) :] if path.startswith(prefix) else path.lstrip("/")
        matched, pattern = patterns.match(relative, is_directory)
        return pattern if matched else ""

    return match


def lines_of(path: str) -> list[str] | None:
    """What is in this file; None if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.readlines()
    except OSError:
        return None


class Disk:
    """Where ignore files are read from."""

    def lines(self, path: str) -> list[str] | None:
        """What is in this file; None if it cannot be read."""
        return lines_of(path)

    def exists(self, path: str) -> bool:
        """Is there anything?"""
        return os.path.exists(path)


def _repository(directory: str) -> str | None:
    """The top of the Git work tree that this directory is in."""
    while True:
        if os.path.lexists(os.path.join(directory, ".git")):
            return directory
        above = os.path.dirname(directory)
        if above == directory:
            return None
        directory = above


def _global_excludes(environ: Mapping[str, str]) -> str:
    """`core.excludesFile` of the user's Git configuration, or its default (gitignore(5))."""
    home = environ.get("HOME", "/nonexistent")
    settings = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    for path in (os.path.join(home, ".gitconfig"), os.path.join(settings, "git", "config")):
        section = ""
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                for line in file:
                    line = line.strip()
                    if line.startswith("["):
                        section = line.strip("[] ").lower()
                    key, _, value = line.partition("=")
                    if section == "core" and key.strip().lower() == "excludesfile" and value.strip():
                        return _expanded(value.strip().strip('"'), home)
        except OSError:
            continue
    return os.path.join(settings, "git", "ignore")


def _expanded(path: str, home: str) -> str:
    return os.path.join(home, path[2:]) if path.startswith("~/") else path
