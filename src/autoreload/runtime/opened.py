"""Which data files the program opens: `open` and its other names are replaced by something that takes note.

Not by an audit hook: that is called for everything that happens, a million times in some programs, and cannot be
removed.
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


def _source(path: str) -> str:
    """What the bytecode was made from: a change of that is what counts."""
    try:
        return source_from_cache(path)
    except (NotImplementedError, ValueError):
        return path


def _noting(original: Any, look: Callable[[tuple[Any, ...], dict[str, Any]], None]) -> Any:
    ends = sys.is_finalizing  # by then names of the modules may be gone

    def instead(*arguments: Any, **named: Any) -> Any:
        if not ends():
            look(arguments, named)
        return original(*arguments, **named)

    return stand_in(original, instead)


def watch(note: Callable[[str], None]) -> None:
    """From now on tell `note` of each file that is opened to be read, by the name it is opened by."""

    def path_of(arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        file: Any = arguments[0] if arguments else named.get("file", named.get("path"))
        kind = type(file)
        if kind is not str:
            if kind is int or not (kind is bytes or hasattr(kind, "__fspath__")):
                return
            try:
                file = os.fsdecode(file)
            except Exception:
                return  # the function itself will say what is wrong with it
        note(_source(file) if file.endswith(".pyc") else file)

    def opened(arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        mode = arguments[1] if len(arguments) > 1 else named.get("mode", "r")
        if type(mode) is not str or "r" in mode or "+" in mode:
            path_of(arguments, named)

    def opened_by_number(arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        flags = arguments[1] if len(arguments) > 1 else named.get("flags", 0)
        if type(flags) is not int or flags & posix.O_ACCMODE != posix.O_WRONLY:
            path_of(arguments, named)

    def opened_as_code(arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        path_of(arguments, named)

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
    low = _noting(os.open, opened_by_number)
    for functions in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
        if os.open in functions:
            functions.add(low)
    os.open = low
    posix.open = low
