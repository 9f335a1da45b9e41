"""Which data files the program opens, and what it makes: `open`, its other names and `os.mkdir` are replaced by
something that takes note.

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


def watch(read: Callable[[str], None], made: Callable[[str], None]) -> None:
    """From now on tell `read` of each file that is opened to be read, by the name it is opened by, and `made` of each
    file or folder that may be made."""

    def opened(file: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        mode = arguments[1] if len(arguments) > 1 else named.get("mode", "r")
        if type(mode) is not str or "r" in mode or "+" in mode:
            read_as(file)
        if type(mode) is str and "r" not in mode:
            made_as(file)

    def opened_by_number(file: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        flags = arguments[1] if len(arguments) > 1 else named.get("flags", 0)
        if type(flags) is not int or flags & posix.O_ACCMODE != posix.O_WRONLY:
            read_as(file)
        if type(flags) is int and flags & posix.O_CREAT:
            made_as(file)

    def opened_as_code(file: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        read_as(file)

    def folder_made(file: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        made_as(file)

    def read_as(file: Any) -> None:
        path = _path(file)
        if path:
            read(_source(path) if path.endswith(".pyc") else path)

    def made_as(file: Any) -> None:
        path = _path(file)
        if path:
            made(path)

    if not getattr(sys.flags, "warn_default_encoding", 0):  # whose warnings name the caller of `open`
        replacement = _noting(builtins.open, opened)
        modules: tuple[Any, ...] = (builtins, io, _io)
        for module in modules:
            module.open = replacement
    # pkgutil.get_data and runpy.run_path open a file by this, and so does the import system: here is seen what was
    # imported and failed, and so is no longer among the modules.
    code = _noting(_io.open_code, opened_as_code)
    _io.open_code = code
    io.open_code = code
    os.open = posix.open = _noting(os.open, opened_by_number)
    os.mkdir = posix.mkdir = _noting(os.mkdir, folder_made)


def _as_able(function: Any, replacement: Any) -> Any:
    """The replacement, which can do what `os` says of the function."""
    for functions in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
        if function in functions:
            functions.add(replacement)
    return replacement
