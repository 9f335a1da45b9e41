"""Scenarios with mounts, run in a mount namespace of their own. Prints what was found, as JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.kernel.mirror import MAKERS, Mirror


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


if __name__ == "__main__":
    name, _, backend = sys.argv[1].partition("_")
    base = Path(sys.argv[2])
    json.dump(
        unmount(base) if name == "unmount" else {"twice": twice, "circle": circle}[name](base, backend), sys.stdout
    )
