"""The nearest `pyproject.toml` that has a `[tool.autoreload]` table."""

from __future__ import annotations

import os
import stat
from typing import Any, NamedTuple

from autoreload.errors import UserError


class Found(NamedTuple):
    """A `[tool.autoreload]` table and where it stands."""

    table: dict[str, Any]
    directory: str
    shown: str


def find(start: str) -> Found | None:
    """Look in `start` and in the folders above it. A file without that table is passed over.

    Raises UserError for a file that has one and cannot be read as TOML.
    """
    directory = start
    while True:
        path = os.path.join(directory, "pyproject.toml")
        content = _content(path)
        if b"autoreload" in content:  # parsing costs 17 ms, so only where the table may be
            table = _table(content, path)
            if table is not None:
                return Found(table, directory, os.path.relpath(path, start))
        above = os.path.dirname(directory)
        if above == directory:
            return None
        directory = above


def _content(path: str) -> bytes:
    """What is in this file; nothing, if it is none (a pipe would have to be waited for) or cannot be read."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return b""
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def _table(content: bytes, path: str) -> dict[str, Any] | None:
    import tomllib

    try:
        tool = tomllib.loads(content.decode()).get("tool", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is broken: {error}", "mend that line") from None
    table = tool.get("autoreload") if isinstance(tool, dict) else None
    if table is not None and not isinstance(table, dict):
        raise UserError(f"{path}: tool.autoreload is {table!r}", "write it as a table: [tool.autoreload]")
    return table
