"""Scenarios with mounts, run in a mount namespace of their own. Prints what was found, as JSON."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

from autoreload.linux.mounts import Mount, mounts
from autoreload.watch.backend import Backend, Interest, Root
from autoreload.watch.combined import CombinedBackend
from autoreload.watch.mounted import Mounted
from tests.kernel.mirror import MAKERS, Mirror, quiet_moment


def mount(*words: str) -> None:
    """mount(8)"""
    subprocess.run(["mount", *words], check=True)


def told(mirror: Mirror) -> list[str]:
    """The paths that are told of by now, below the root."""
    return sorted({path for _, path in mirror.kinds(mirror.settle())})


def twice(base: Path, backend: str) -> dict[str, Any]:
    """A folder of the tree is also another one of it."""
    tree = base / "tree"
    (tree / "one" / "x").mkdir(parents=True)
    (tree / "two").mkdir()
    mount("--bind", str(tree / "one"), str(tree / "two"))
    mirror = Mirror(tree, make=MAKERS[backend])
    (tree / "two" / "x" / "f").write_text("1")
    paths = told(mirror)
    (tree / "one" / "x").rename(base / "x")
    mirror.settle()
    (base / "x" / "g").write_text("2")
    (base / "x").rename(tree / "one" / "y")
    mirror.settle()
    return {"paths": paths, "wrong": sorted(mirror.wrong())}


def circle(base: Path, backend: str) -> dict[str, Any]:
    """The root is also a folder in it."""
    tree = base / "tree"
    (tree / "self").mkdir(parents=True)
    mount("--bind", str(tree), str(tree / "self"))
    mirror = Mirror(tree, make=MAKERS[backend])
    (tree / "f").write_text("1")
    return {"paths": told(mirror)}


def unmount(base: Path) -> dict[str, Any]:
    """A file system in the tree goes."""
    tree = base / "tree"
    (tree / "m").mkdir(parents=True)
    mount("-t", "tmpfs", "none", str(tree / "m"))
    (tree / "m" / "t").mkdir()
    (tree / "m" / "t" / "f").write_text("1")
    mirror = Mirror(tree)
    subprocess.run(["umount", str(tree / "m")], check=True)
    vanished = told(mirror)
    (tree / "m" / "after").write_text("1")
    return {"vanished": vanished, "paths": told(mirror), "unwatched": sorted(mirror.unwatched())}


def settled(mirror: Mirror) -> list[str]:
    """As `told`, of a backend with a part that polls, by a clock that is ahead."""
    before = len(mirror.all)
    quiet_moment()
    for _ in range(3):
        mirror.clock += 1000
        while True:
            mirror._take(mirror.backend.read(mirror.clock))
            if (mirror.backend.deadline() or 1.0) > 0.0:
                break
    return [f"{kind} {path}" for kind, path in mirror.kinds(mirror.all[before:])]


def combined(tree: Path, backend: str, kinds: dict[str, str] | None = None) -> Mirror:
    """A mirror that a combined backend tells; the mounts with these sources are of other types than they say."""

    def table() -> list[Mount]:
        return [mount._replace(kind=(kinds or {}).get(mount.source, mount.kind)) for mount in mounts()]

    def make(roots: list[Root], interest: Interest, since: int) -> Backend:
        return CombinedBackend(roots, interest, since, backend, mounted=Mounted(roots, table))

    mirror = Mirror(tree, make=make, settled=False)
    settled(mirror)
    return mirror


def arrive(base: Path, backend: str) -> dict[str, Any]:
    """A file system is mounted in the tree, filled from before, changed, and goes again."""
    tree = base / "tree"
    (tree / "d" / "m").mkdir(parents=True)
    (base / "other").mkdir()
    mount("-t", "tmpfs", "none", str(base / "other"))
    (base / "other" / "old").write_text("1")
    mirror = combined(tree, backend)
    mount("--bind", str(base / "other"), str(tree / "d" / "m"))
    woken = bool(select.select([mirror.backend.fileno()], [], [], 5)[0])
    arrived = settled(mirror)
    (tree / "d" / "m" / "new").write_text("2")
    changed = settled(mirror)
    held = subprocess.run(["umount", str(tree / "d" / "m")], check=False).returncode
    gone = settled(mirror)
    (tree / "d" / "m" / "after").write_text("3")
    return {
        "woken": woken,
        "arrived": arrived,
        "changed": changed,
        "held": held,
        "gone": gone,
        "after": settled(mirror),
    }


def covered(base: Path, backend: str) -> dict[str, Any]:
    """A file system is mounted over the root itself, changed, and goes again."""
    tree = base / "tree"
    tree.mkdir()
    (tree / "below").write_text("1")
    mirror = combined(tree, backend)
    mount("-t", "tmpfs", "none", str(tree))
    (tree / "above").write_text("1")
    arrived = settled(mirror)
    (tree / "above").write_text("2")
    changed = settled(mirror)
    held = subprocess.run(["umount", str(tree)], check=False).returncode
    gone = settled(mirror)
    (tree / "below").write_text("2")
    return {"arrived": arrived, "changed": changed, "held": held, "gone": gone, "after": settled(mirror)}


def otherside(base: Path, backend: str) -> dict[str, Any]:
    """What is mounted in the tree is changed from both sides. An overlay that says it is NFS, and its lower layer."""
    tree, lower = base / "tree", base / "lower"
    for folder in tree / "m", lower / "d", base / "upper", base / "work":
        folder.mkdir(parents=True)
    (lower / "d" / "f").write_text("1")
    layers = f"lowerdir={lower},upperdir={base / 'upper'},workdir={base / 'work'}"
    mount("-t", "overlay", "server:/share", "-o", layers, str(tree / "m"))
    mirror = combined(tree, backend, {"server:/share": "nfs4"})
    notices = [notice.what for notice in mirror.backend.notices()]
    (lower / "d" / "f").write_text("22")
    there = settled(mirror)
    (tree / "m" / "here").write_text("3")
    (tree / "m" / "new").mkdir()
    (tree / "m" / "new" / "f").write_text("3")
    (tree / "beside").write_text("3")
    first = [f"{kind} {path}" for kind, path in mirror.kinds(mirror.read())]
    return {"there": there, "here": first, "again": settled(mirror), "notices": notices}


def switch(base: Path, backend: str) -> dict[str, Any]:
    """The limit of watches is reached, so `backend` takes over, which does not cover an overlay in the tree."""
    tree, lower = base / "tree", base / "lower"
    for folder in tree / "m", lower / "d", base / "upper", base / "work":
        folder.mkdir(parents=True)
    (lower / "d" / "f").write_text("1")
    layers = f"lowerdir={lower},upperdir={base / 'upper'},workdir={base / 'work'}"
    mount("-t", "overlay", "disk", "-o", layers, str(tree / "m"))
    mirror = combined(tree, "auto", {"disk": "ext4"})
    combination = mirror.backend
    assert isinstance(combination, CombinedBackend)
    assert combination._inotify is not None
    combination._inotify._forest.limited = 1
    settled(mirror)
    assert combination._fanotify is not None, backend
    (tree / "m" / "d" / "f").write_text("22")
    return {"changed": settled(mirror)}


def layered(base: Path, backend: str) -> dict[str, Any]:
    """An overlay whose layers are within reach, changed through it and behind its back."""
    tree, lower, upper = base / "tree", base / "lower", base / "upper"
    for folder in tree, lower / "d", upper, base / "work":
        folder.mkdir(parents=True)
    for name in "copied", "below", "above":
        (lower / "d" / name).write_text("1")
    mount("-t", "overlay", "none", "-o", f"lowerdir={lower},upperdir={upper},workdir={base / 'work'}", str(tree))
    mirror = combined(tree, backend)
    told: dict[str, Any] = {}
    (tree / "d" / "copied").write_text("22")
    told["first"] = sorted({f"{kind} {path}" for kind, path in mirror.kinds(mirror.read())})
    settled(mirror)
    (tree / "d" / "copied").write_text("333")
    told["again"] = sorted({f"{kind} {path}" for kind, path in mirror.kinds(mirror.read())})
    settled(mirror)
    (lower / "d" / "below").write_text("22")
    told["lower"] = settled(mirror)
    (upper / "d" / "copied").write_text("4444")
    (upper / "d" / "new").write_text("1")
    told["upper"] = sorted(settled(mirror))
    return told


if __name__ == "__main__":
    name, _, backend = sys.argv[1].partition("_")
    base = Path(sys.argv[2])
    found = (twice, circle, arrive, covered, otherside, layered, switch)
    scenarios = {scenario.__name__: scenario for scenario in found}
    json.dump(unmount(base) if name == "unmount" else scenarios[name](base, backend), sys.stdout)
