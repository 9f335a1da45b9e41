"""Scenarios that run in a process of their own, from which something was taken. Prints what was found, as JSON."""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from autoreload.watch.backend import Backend, Judge, Root
from autoreload.watch.choose import open_backend
from autoreload.watch.combined import CombinedBackend
from autoreload.watch.fanotify import FanotifyBackend
from autoreload.watch.inotify import InotifyBackend
from autoreload.watch.linked import LinkedBackend
from tests.kernel import fuzz
from tests.kernel.mirror import Everything, Mirror, Writer, now_ns, quiet_moment


def limit(what: str, value: int) -> None:
    """Of this user namespace."""
    Path(f"/proc/sys/user/max_inotify_{what}").write_text(str(value))


class Patient(Mirror):
    """Settles a backend of which a part polls: by a clock that is ahead, until both parts have looked at all."""

    def settle(self) -> list[Any]:
        """Everything that happened before is told."""
        before = len(self.all)
        quiet_moment()
        for _ in range(3):
            self.clock += 1000
            while True:
                self._take(self.backend.read(self.clock))
                if (self.backend.deadline() or 1.0) > 0.0:
                    break
        return self.all[before:]


def change_everything(tree: Path) -> None:
    """A new text for all, two files gone, two new, one folder gone, one new."""
    for number, file in enumerate(sorted(tree.rglob("f.py"))):
        if number % 20 == 1:
            file.unlink()
        elif number % 20 == 2:
            shutil.rmtree(file.parent)
        elif number % 20 == 3:
            (file.parent / "deep" / "er").mkdir(parents=True)
            (file.parent / "deep" / "er" / "new.py").write_text("new")
        if number % 20 not in (1, 2):
            file.write_text("new")


def check(tree: Path, make: Callable[[list[Root], Judge, int], Backend] = open_backend) -> dict[str, Any]:
    """Change everything below `tree`; what was missed?"""
    mirror = Patient(tree, make=make)
    notices = mirror.backend.notices()
    before = set(mirror.files)
    change_everything(tree)
    mirror.settle()
    changed = before | set(mirror.disk())
    return {
        "wrong": sorted(mirror.wrong()),
        "silent": sorted(changed - mirror.told.keys()),
        "notices": notices + mirror.backend.notices(),
    }


def plain(tree: Path) -> dict[str, Any]:
    """Nothing else is taken away."""
    return check(tree)


def watches(tree: Path) -> dict[str, Any]:
    """Forty watches for 71 directories and those above them."""
    limit("watches", 40)
    return check(tree)


def nothing(tree: Path) -> dict[str, Any]:
    """No watches at all."""
    limit("watches", 0)
    return check(tree)


def moves(tree: Path) -> dict[str, Any]:
    """Too few watches, and directories that move about."""
    limit("watches", 40)
    mirror = Patient(tree, make=open_backend)
    wrong: list[str] = []

    def settle() -> None:
        mirror.settle()
        wrong.extend(sorted(mirror.wrong()))

    shutil.copytree(tree / "t1", tree / "t1" / "copy")
    settle()
    for number in range(10):
        (tree / f"t{number}").rename(tree / f"u{number}")
    settle()
    for number in range(5):
        shutil.rmtree(tree / f"u{number}")
    settle()
    limit("watches", 1000)
    for number in range(5, 10):
        (tree / f"u{number}").rename(tree / f"v{number}")
    settle()
    change_everything(tree)
    settle()
    assert isinstance(mirror.backend, LinkedBackend)
    main = mirror.backend._main
    assert isinstance(main, CombinedBackend)
    assert main._inotify is not None
    return {"wrong": wrong, "watched": len(main._inotify._forest.nodes)}


def fuzzed(tree: Path) -> dict[str, Any]:
    """Random scripts of two writers, while watches come and go."""
    limit("watches", 9)
    wrong: list[str] = []
    for seed in range(1, 11):
        base = tree / str(seed)
        for name in "tree", "out":
            (base / name).mkdir(parents=True)
        places = f"{base}/tree", f"{base}/out"
        fuzz.script(-seed, *places, 40, links=False)
        mirror = Patient(places[0], make=open_backend)
        work = [Writer(partial(fuzz.script, 10 * seed + k, *places, fuzz.OPERATIONS, links=False)) for k in range(2)]
        try:
            while any(not writer.done() for writer in work):
                mirror.clock += 0.5
                mirror._take(mirror.backend.read(mirror.clock))
        finally:
            for writer in work:
                writer.stop()
        mirror.settle()
        wrong += [f"{seed}: {mirror.why(path)}" for path in mirror.wrong()]
        mirror.close()
    return {"wrong": wrong}


def instances(tree: Path) -> dict[str, Any]:
    """One instance, which someone else has."""
    limit("instances", 1)
    other = InotifyBackend([], Everything(), now_ns())
    found = check(tree)
    other.close()
    return found


def descriptors(tree: Path) -> dict[str, Any]:
    """No descriptor left while the backend is made."""

    def starve(roots: list[Root], interest: Judge, since: int) -> Backend:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free(), hard))
        try:
            return open_backend(roots, interest, since)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    return check(tree, starve)


def starved(tree: Path) -> dict[str, Any]:
    """No descriptor left while a new directory is looked at."""
    mirror = Patient(tree, make=InotifyBackend)
    (tree / "new" / "deep").mkdir(parents=True)
    (tree / "new" / "deep" / "f.py").write_text("new")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free(), hard))
    told = mirror.backend.read(time.monotonic())
    deadline = mirror.backend.deadline()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert not told
    mirror.settle()
    return {"wrong": sorted(mirror.wrong()), "deadline": deadline}


def handles(tree: Path) -> dict[str, Any]:
    """No descriptor left while fanotify tells of directories that are to be looked up by their handles."""
    mirror = Mirror(tree, make=FanotifyBackend)
    for file in tree.rglob("f.py"):
        file.write_text("new")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free(), hard))
    told = mirror.backend.read(time.monotonic())
    deadline = mirror.backend.deadline()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert not told
    mirror.settle()
    return {"silent": sorted(set(mirror.disk()) - mirror.told.keys()), "deadline": deadline}


def lowest_free() -> int:
    """A limit of descriptors that leaves none."""
    free = os.open("/", os.O_PATH)
    os.close(free)
    return free


if __name__ == "__main__":
    scenarios = (plain, watches, nothing, moves, fuzzed, instances, descriptors, starved, handles)
    scenario = {function.__name__: function for function in scenarios}[sys.argv[1]]
    result = scenario(Path(sys.argv[2]))
    json.dump({**result, "notices": [(n.what, n.remedy) for n in result.get("notices", [])]}, sys.stdout)
