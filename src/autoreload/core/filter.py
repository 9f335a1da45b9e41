"""Which files matter: the built-in rules, the extensions, the globs, the ignore files.

Pure: what has to be read from the disk (ignore files, what a folder holds) comes through `Facts`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

BYTECODE_FOLDER = "__pycache__"
"""Ignored even with `--no-ignore`: each start writes to it, and autoreload removes what is stale in it."""
IGNORED_FOLDERS = frozenset(
    # version control
    ".git .hg .svn .bzr .jj .pijul _darcs CVS "
    # Python: bytecode, environments, caches, reports
    ".venv venv .virtualenv .tox .nox .eggs .mypy_cache .ruff_cache .pytest_cache .pytype .pyre "
    ".hypothesis .ipynb_checkpoints htmlcov .pixi __pypackages__ "
    # other languages and tools
    "node_modules bower_components .next .nuxt .parcel-cache .turbo .svelte-kit .gradle .terraform .cache .sass-cache "
    # editors, direnv
    ".idea .vscode .vs .direnv .history "
    # a trash can in the tree
    ".Trash .Trash-1000".split()
)
BUILD_FOLDERS = frozenset(("build", "dist", "target"))
"""Output, unless it is a Python package of that name: losing the edits of a package would be worse than a restart."""
ENVIRONMENT_FOLDERS = frozenset(("bin", "lib", "lib64", "include", "share"))
"""What of a project that is a virtual environment itself (`python -m venv .`) is not the project."""
IGNORED_FOLDER_ENDINGS = (".egg-info", ".dist-info")
IGNORED_ENDINGS = (
    # editors: backups and swap files
    *("~", ".swp", ".swo", ".swx", ".swn", ".bak", ".orig", ".rej", ".tmp", ".temp", ".part", ".crdownload"),
    # runs: logs, sockets, bytecode, databases with their journals
    *(".log", ".pid", ".sock", ".pyc", ".pyo", ".db", ".sqlite", ".sqlite3"),
    *("-journal", "-wal", "-shm"),
)
IGNORED_NAMES = frozenset(
    ("4913", ".DS_Store", "Thumbs.db", ".coverage", "coverage.xml", "junit.xml", "nohup.out", "celerybeat-schedule")
)
"""4913: what Vim creates to see whether it may write into a folder."""
IGNORED_BEGINNINGS = (".#", ".~lock.", ".coverage.", ".goutputstream-", ".nfs", ".fuse_hidden")
PRECIOUS_NAMES = (".env", ".flaskenv")
"""Nearly every .gitignore names them, and everyone wants them to count; also `.env.local` and the like."""
SOURCES = (".py", ".pyw")
"""What Python caches the bytecode of: their changes are of interest even if they do not count."""
PYTHON_EXTENSIONS = (".py", ".toml", ".ini", ".cfg", ".conf", ".yaml", ".yml", ".env")
CODE_EXTENSIONS = frozenset(
    ".py .pyi .pyx .js .mjs .cjs .jsx .ts .tsx .vue .svelte .css .scss .less .html .htm .rb .php .go .rs .c .h .cc "
    ".cpp .hpp .java .kt .scala .cs .swift .ex .exs .erl .lua .pl .sh".split()
)
IGNORE_FILE = ".gitignore"

PathMatch = Callable[[str, bool], str]
"""(absolute path, is it a directory) -> the pattern that matches it, or an empty string."""


class Facts(Protocol):
    """What the filter asks of the disk; answered from memory where the disk was looked at before."""

    def ignored_by(self, path: str, is_directory: bool, root: str) -> str:
        """The rule of an ignore file (`.gitignore:3: *.log`) that ignores this very path; empty if none does.

        A rule that ignores `root` itself, which was asked for by name, says nothing of what is below it.
        """

    def is_package(self, directory: str) -> bool:
        """Does it hold an `__init__.py`?"""

    def is_environment(self, directory: str) -> bool:
        """Is it known to be a virtual environment? That it holds a `pyvenv.cfg` shows only once it is listed."""


class Rules(NamedTuple):
    """What the user asked for."""

    roots: tuple[str, ...]
    """Folders and single files to watch: absolute."""
    suffixes: tuple[str, ...] = ()
    """Endings of the names that matter; empty: every name does."""
    names: tuple[str, ...] = ()
    """Names that matter besides, and what begins with one of them and a dot (`.env`, `.env.local`)."""
    files: tuple[str, ...] = ()
    """Files that no ignore file can take away: those named in the command's own arguments. Absolute."""
    programs: tuple[str, ...] = ()
    """Files that matter whatever their names: the command itself, if it is a script. Absolute."""
    kept: frozenset[str] = frozenset()
    """Suffixes that no ignore file can take away."""
    include: PathMatch | None = None
    exclude: PathMatch | None = None
    ignore: bool = True
    """False: `--no-ignore`."""


class Verdict(NamedTuple):
    """Whether a change counts, and why not."""

    counts: bool
    reason: str = ""


COUNTS = Verdict(True)


class Filter:
    """Judges paths by `rules`, with `facts` about the disk. Asking is free of side effects."""

    __slots__ = ("_facts", "_folders", "_junk_endings", "_leading", "_rules", "_single_files")

    def __init__(self, rules: Rules, facts: Facts, is_folder: Callable[[str], bool]) -> None:
        """`is_folder`: was this root a folder when autoreload started (it may be gone later)?"""
        self._rules = rules
        self._facts = facts
        self._single_files = frozenset(root for root in rules.roots if not is_folder(root))
        folders = [root.rstrip("/") + "/" for root in rules.roots if root not in self._single_files]
        self._folders = sorted(folders, key=len, reverse=True)
        self._leading = {path[: end + 1] for path in rules.files for end in _slashes(path, 1)}
        """Folders on the way to the files that no ignore file can take away."""
        self._junk_endings = tuple(end for end in IGNORED_ENDINGS if end not in rules.suffixes)

    # -- asked of everything that is seen, so cheap ------------------------------------------------------------------
    def may_count(self, path: str) -> bool:
        """By its name alone, can a change of this file count, or change what counts? Says yes too often, never no."""
        name = path[path.rfind("/") + 1 :]
        rules = self._rules
        return (
            not rules.suffixes
            or name.endswith(rules.suffixes)
            or self._is_named(name)
            or (rules.ignore and name == IGNORE_FILE)
            or path in self._single_files
            or path in rules.programs
            or (rules.include is not None and bool(rules.include(path, False)))
        )

    def descends(self, directory: str) -> bool:
        """Is this directory watched?"""
        return not self._why_not_descend(directory)

    # -- asked of what changed -----------------------------------------------------------------------------------------
    def judge(self, path: str) -> Verdict:
        """Does a change of this file count?"""
        rules = self._rules
        if path in self._single_files:
            return COUNTS
        reasons = [reason for root in self._folders if path.startswith(root) for reason in [self._why_not(path, root)]]
        if not reasons:
            return Verdict(False, "not below a watched folder")
        if "" in reasons:
            return COUNTS
        if rules.include and rules.include(path, False) and not self._excluded(path, False):
            return COUNTS
        return Verdict(False, reasons[0])

    def _why_not(self, path: str, root: str) -> str:
        for end in _slashes(path, len(root)):
            if reason := self._why_not_descend(path[:end]):
                return f"in {path[len(root) : end]}/, {reason}"
        name = path[path.rfind("/") + 1 :]
        rules = self._rules
        if rules.ignore and self._is_junk(name):
            return "a temporary, backup or output file by its name"
        if pattern := self._excluded(path, False):
            return f"ignored by --ignore {pattern}"
        if path in rules.programs:
            return ""
        if rules.suffixes and not name.endswith(rules.suffixes) and not self._is_named(name):
            return f"its name ends with none of {' '.join(rules.suffixes)}"
        if not rules.ignore or path in rules.files or _is_precious(name) or _suffix(name) in rules.kept:
            return ""
        if rule := self._facts.ignored_by(path, False, root.rstrip("/") or "/"):
            return f"ignored by {rule}"
        return ""

    def _why_not_descend(self, directory: str) -> str:
        """Why this very directory, whatever is above it, is not watched; empty if it is."""
        inside = directory + "/"
        if inside in self._folders:
            return ""
        if pattern := self._excluded(directory, True):
            return f"ignored by --ignore {pattern}"
        name = directory[directory.rfind("/") + 1 :]
        if name == BYTECODE_FOLDER:
            return "a folder of bytecode, which restarts themselves change"
        if not self._rules.ignore:
            return ""
        if name in IGNORED_FOLDERS or name.endswith(IGNORED_FOLDER_ENDINGS):
            return "a folder that is always ignored"
        facts = self._facts
        if name in BUILD_FOLDERS and not facts.is_package(directory):
            return "a folder of build output"
        if facts.is_environment(directory):
            return "a virtual environment"
        parent = directory[: -len(name) - 1]
        if facts.is_environment(parent) and (parent + "/" not in self._folders or name in ENVIRONMENT_FOLDERS):
            return "a virtual environment"
        if inside in self._leading:
            return ""
        for root in self._folders:
            if directory.startswith(root):
                break
        else:
            root = "/"
        if rule := facts.ignored_by(directory, True, root.rstrip("/") or "/"):
            return f"ignored by {rule}"
        return ""

    def _excluded(self, path: str, is_directory: bool) -> str:
        return self._rules.exclude(path, is_directory) if self._rules.exclude else ""

    def _is_named(self, name: str) -> bool:
        return any(name == known or name.startswith(known + ".") for known in self._rules.names)

    def _is_junk(self, name: str) -> bool:
        return (
            name.endswith(self._junk_endings)
            or name in IGNORED_NAMES
            or name.startswith(IGNORED_BEGINNINGS)
            or "___jb_" in name
            or ".log." in name
            or (name.startswith("#") and name.endswith("#"))
        )


def _is_precious(name: str) -> bool:
    return any(name == known or name.startswith(known + ".") for known in PRECIOUS_NAMES)


def _suffix(name: str) -> str:
    dot = name.rfind(".")
    return name[dot:] if dot >= 0 else ""


def _slashes(path: str, start: int) -> list[int]:
    """Where the directories of `path` end, from `start` on, the outermost first."""
    found = []
    end = path.find("/", start)
    while end >= 0:
        found.append(end)
        end = path.find("/", end + 1)
    return found
