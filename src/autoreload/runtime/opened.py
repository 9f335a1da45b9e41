"""Which data files the program opens, and what it makes and removes: `open`, its other names, `os.mkdir`, `os.rename`
and the like are replaced by something that takes note.

Not by an audit hook: that is called for everything that happens, a million times in some programs, and cannot be
removed. What replaces a function is no function itself, for that would become a method as an attribute of a class.
"""

from __future__ import annotations

import _io
import builtins
import io
import os
import posix
import sys
from _frozen_importlib_external import source_from_cache

from .builtin import stand_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def _noting(original: Any, look: Callable[[Any, tuple[Any, ...], dict[str, Any]], None]) -> Any:
    ends = sys.is_finalizing  # by then names of the modules may be gone

    def instead(*arguments: Any, **named: Any) -> Any:
        if not ends():
            look(arguments[0] if arguments else named.get("file", named.get("path")), arguments, named)
        return original(*arguments, **named)

    return _as_able(original, stand_in(original, instead))


def _within(folder: Any, file: Any) -> Any:
    """The path of a file that is named from an open folder."""
    try:
        return os.path.join(os.readlink(f"/proc/self/fd/{folder}"), os.fsdecode(file))
    except (OSError, TypeError, ValueError):
        return file  # the function itself will say what is wrong with it


def _source(path: str) -> str:
    """What the bytecode was made from: a change of that is what counts."""
    try:
        return source_from_cache(path)
    except (NotImplementedError, ValueError):
        pass
    folder, cache, name = path.rpartition("/__pycache__/")
    # By whom it was made, only its loader knows (pytest's has names of its own), but from what can be guessed.
    return f"{folder}/{name.partition('.')[0]}.py" if cache else path


def _path(file: Any) -> str:
    """The name of what is opened; empty: it has none."""
    kind = type(file)
    if kind is str:
        return str(file)
    if kind is int or not (kind is bytes or hasattr(kind, "__fspath__")):
        return ""
    try:
        return os.fsdecode(file)
    except Exception:
        return ""  # the function itself will say what is wrong with it


def watch_databases(module: Any, read: Callable[[str, bool], None]) -> None:
    """From now on tell `read` of each file that sqlite opens. `module`: _sqlite3."""

    def opened(file: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        path = _path(file if arguments else named.get("database"))
        if path.startswith("file:"):
            path = path[len("file:") :].partition("?")[0]
            path = path[2:] if path.startswith("///") else path
        if path and path != ":memory:":
            for name in (path, f"{path}-wal"):
                read(name, False)

    module.connect = _noting(module.connect, opened)


def watch(
    read: Callable[[str, bool], None],
    made: Callable[[str], None],
    removed: Callable[[str], None],
    listed: Callable[[str], None],
) -> None:
    """From now on tell `read` of each file that is opened to be read or written over, by the name it is opened by, and
    whether as code; `made` of each file or folder that may be made, `removed` of each that may be removed, and `listed`
    of each folder the names in which are read. The import system lists folders by names of its own."""

    def opened(file: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        mode = arguments[1] if len(arguments) > 1 else named.get("mode", "r")
        # What was written over counts as read: if it changes after a snapshot, only what writes it anew puts it right.
        if type(mode) is not str or "a" not in mode or "+" in mode:
            read_as(file)
        if type(mode) is str and "r" not in mode:
            made_as(file)

    def opened_by_number(file: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        flags = arguments[1] if len(arguments) > 1 else named.get("flags", 0)
        if type(flags) is not int or flags & posix.O_ACCMODE != posix.O_WRONLY or flags & posix.O_TRUNC:
            folder = arguments[3] if len(arguments) > 3 else named.get("dir_fd")
            read_as(file if folder is None else _within(folder, file))
        if type(flags) is int and flags & posix.O_CREAT:
            made_as(file)

    def opened_as_code(file: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        read_as(file, is_code=True)

    def folder_made(file: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        made_as(file)

    def removed_as(file: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        tell_of(removed, file, named.get("dir_fd"))

    def moved(_: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        tell_of(removed, arguments[0] if arguments else named.get("src"), named.get("src_dir_fd"))
        linked(_, arguments, named)

    def linked(_: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        folder = named.get("dst_dir_fd", named.get("dir_fd"))
        tell_of(made, arguments[1] if len(arguments) > 1 else named.get("dst"), folder)

    def tell_of(tell: Callable[[str], None], file: Any, folder: Any) -> None:
        path = _path(file if folder is None else _within(folder, file))
        if path and not path.endswith(".pyc"):  # of which the import system takes care, and we
            tell(path)

    def listed_as(file: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        path = _path("." if file is None else file)
        if path:
            listed(path)

    def read_as(file: Any, is_code: bool = False) -> None:
        path = _path(file)
        if path:
            read(_source(path) if path.endswith(".pyc") else path, is_code)

    def made_as(file: Any) -> None:
        path = _path(file)
        if path:
            made(path)

    replacement = _noting(builtins.open, opened)
    modules: tuple[Any, ...] = (builtins, io, _io)
    for module in modules:
        module.open = replacement
    # pkgutil.get_data and runpy.run_path open a file by this, and so does the import system: here is seen what was
    # imported and failed, and so is no longer among the modules.
    code = _noting(_io.open_code, opened_as_code)
    _io.open_code = code
    io.open_code = code
    os.listdir = _noting(os.listdir, listed_as)
    os.scandir = _noting(os.scandir, listed_as)
    os.open = posix.open = _noting(os.open, opened_by_number)
    os.mkdir = posix.mkdir = _noting(os.mkdir, folder_made)
    os.rename = posix.rename = _noting(os.rename, moved)
    os.replace = posix.replace = _noting(os.replace, moved)
    os.link = posix.link = _noting(os.link, linked)
    os.symlink = posix.symlink = _noting(os.symlink, linked)
    os.remove = posix.remove = _noting(os.remove, removed_as)
    os.unlink = posix.unlink = _noting(os.unlink, removed_as)
    os.rmdir = posix.rmdir = _noting(os.rmdir, removed_as)


def _as_able(function: Any, replacement: Any) -> Any:
    """The replacement, which can do what `os` says of the function."""
    for functions in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
        if function in functions:
            functions.add(replacement)
    return replacement
