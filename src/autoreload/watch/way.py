"""How a path is looked up, name by name, and what links are on the way."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Collection
from typing import NamedTuple

_MAX_LINKS = 40
"""As the kernel: path_resolution(7)."""


class Step(NamedTuple):
    """A name that was looked up on the way to a root."""

    wd: int
    folder: str
    """Without links."""
    name: str
    link: bool


class Way(NamedTuple):
    """How far a lookup came."""

    steps: list[Step]
    end: str | None
    """Where it ended, without links; None: something on the way is missing."""
    whole: bool
    """Every name but the last one at most was found."""
    blocked: str = ""
    """What was not looked up."""


def trace(
    path: str,
    watch: Callable[[str], int],
    may_look: Callable[[str], bool] = lambda path: True,
    fences: Collection[str] = (),
) -> Way:
    """Look `path` up name by name, each after `watch` was called with the directory it is looked up in.

    `may_look`: asked before that; what it denies is taken for missing. What is at one of the `fences` (a file system
    that may hang) is not touched either, but the directory around it is watched.
    """
    steps: list[Step] = []
    todo = path.split("/")[::-1]
    here, links = "", 0
    while todo:
        name = todo.pop()
        if name in ("", "."):
            continue
        if name == "..":
            here = here.rpartition("/")[0]
            continue
        if not may_look(f"{here}/{name}"):
            return Way(steps, None, whole=False, blocked=f"{here}/{name}")
        wd = watch(here or "/")
        if f"{here}/{name}" in fences:
            return Way([*steps, Step(wd, here, name, False)], None, whole=False, blocked=f"{here}/{name}")
        try:
            target = os.readlink(f"{here}/{name}")
        except OSError as error:
            steps.append(Step(wd, here, name, False))
            if error.errno == errno.EINVAL:  # there, and not a link
                here += f"/{name}"
                continue
            return Way(steps, None, whole=not any(todo))
        steps.append(Step(wd, here, name, True))
        links += 1
        if links > _MAX_LINKS:
            return Way(steps, None, whole=False)
        if target.startswith("/"):
            here = ""
        todo += target.split("/")[::-1]
    return Way(steps, here, whole=True)
