"""Before anything is started: does a file system answer that the start has to touch?"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Iterable

from autoreload.linux.mounts import Mount, is_below, mounts
from autoreload.watch.farside import let_go_of_all_but
from autoreload.watch.helper import SILENT
from autoreload.watch.mounted import fences, real_path


def await_answers(
    paths: Iterable[str], tell: Callable[[str, str], None], table: Callable[[], list[Mount]] = mounts
) -> None:
    """Wait until each file system of others that one of these absolute paths leads to has answered.

    `tell` is called with the point and the type of one that does not. KeyboardInterrupt ends the wait at once: who
    hangs is a child.
    """
    fenced = fences(table())
    done: set[str] = set()
    for path in paths if fenced else ():
        while (mount := _mount_on_the_way(path, fenced, done)) is not None:
            done.add(mount.point)
            _await(mount, tell)


def _mount_on_the_way(path: str, fenced: dict[str, Mount], done: set[str]) -> Mount | None:
    """The next one on the way of this path that has not answered yet."""
    points = fenced.keys() - done
    real = real_path(path, points)
    return next((fenced[point] for point in points if is_below(real, point)), None)


def _await(mount: Mount, tell: Callable[[str, str], None]) -> None:
    answer, asked = os.pipe()
    child = os.fork()
    if not child:
        try:
            let_go_of_all_but(asked)
            os.stat(mount.point)
            os.statvfs(
                mount.point
            )  # the attributes of the directory may be remembered, those of the file system are not
        except OSError:
            pass  # this is an answer, too
        finally:
            os._exit(0)
    os.close(asked)
    try:
        if not select.select([answer], [], [], SILENT)[0]:
            tell(mount.point, mount.kind)
            select.select([answer], [], [])
    finally:
        os.close(answer)
        os.kill(child, signal.SIGKILL)
        try:
            os.waitpid(child, os.WNOHANG)
        except ChildProcessError:
            pass
