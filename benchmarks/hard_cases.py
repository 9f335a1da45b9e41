"""The hard cases of watching: what is done to a tree, and whether it must restart the command.

Each is a function of a `World`. What it does must be noticed, once for each `yield` and once at its end; or, if it is
marked `vain`, must not.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.watching import Saver

LIMIT_OF_WATCHES = 15
FOLDERS_TOO_MANY = 40


@dataclass
class World:
    """A tree that is watched, and a folder beside it that is not."""

    tree: Path
    outside: Path
    saver: Saver = field(default_factory=Saver)
    undo: list[Callable[[], object]] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """In place, in folders that may have to be made."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.saver.save(path)

    def save_many(self, pattern: str, count: int) -> None:
        """Below the tree; `{}` in the pattern is the number."""
        for number in range(count):
            self.save(self.tree / pattern.format(number))

    def replace(self, path: Path) -> None:
        """As an editor that saves safely: a file beside it, renamed over it."""
        beside = path.with_name(path.name + ".new")
        self.save(beside)
        beside.replace(path)

    def mount(self, *words: str) -> None:
        """mount(8) until the end of the case; the last word is the place."""
        Path(words[-1]).mkdir(parents=True, exist_ok=True)
        run("mount", *words)
        self.undo.append(lambda: run("umount", "-l", words[-1]))


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    name: str
    act: Callable[[World], Any]
    files: tuple[str, ...]
    """What the command reads, below the tree."""
    prepare: Callable[[World], object]
    vain: bool = False
    early: bool = False
    """Act as soon as the command runs, whether or not the tool watches by then."""
    limit: float = 6.0
    """Seconds in which a change must be noticed."""
    python: bool = False
    """The command is a Python program that imports the last file."""
    besides: int = 0
    """Restarts that are right, but need not be."""
    few_watches: bool = False
    """The tool runs with a lowered limit of watches."""


CASES: list[Case] = []


def run(*words: str, folder: Path | None = None) -> None:
    """A program that must succeed."""
    subprocess.run(words, cwd=folder, check=True, capture_output=True, timeout=60)


def case(
    name: str, *files: str, prepare: Callable[[World], object] = lambda world: None, **more: Any
) -> Callable[[Callable[[World], Any]], Callable[[World], Any]]:
    """Adds the function to the cases."""

    def add(act: Callable[[World], Any]) -> Callable[[World], Any]:
        CASES.append(Case(name, act, files or ("pkg/a.py",), prepare, **more))
        return act

    return add


# -- what must be noticed ----------------------------------------------------------------------------------------------
@case("a save in place")
def _(world: World) -> None:
    world.save(world.tree / "pkg/a.py")


@case("an atomic save (a new file renamed over the old one)")
def _(world: World) -> None:
    world.replace(world.tree / "pkg/a.py")


@case("a file in a folder made just now (`mkdir -p a/b`, written at once)", "new/deep/file.py")
def _(world: World) -> None:
    world.save(world.tree / "new/deep/file.py")


@case("a file moved into the tree", "pkg/in.py", prepare=lambda world: world.save(world.outside / "in.py"))
def _(world: World) -> None:
    os.rename(world.outside / "in.py", world.tree / "pkg/in.py")


@case("a file removed")
def _(world: World) -> None:
    (world.tree / "pkg/a.py").unlink()


@case("a folder renamed, then a file saved in it", "pkg/moved/c.py")
def _(world: World) -> Iterator[None]:
    os.rename(world.tree / "pkg/sub", world.tree / "pkg/moved")
    yield
    world.save(world.tree / "pkg/moved/c.py")


@case("the watched folder removed and made again, then a save")
def _(world: World) -> Iterator[None]:
    shutil.rmtree(world.tree)
    yield
    world.save(world.tree / "pkg/a.py")
    yield
    world.save(world.tree / "pkg/a.py")


def _repository(world: World) -> None:
    files = [world.tree / f"pkg/g{number}.py" for number in range(40)]
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    for branch in ("two", "one"):
        for file in files:
            world.save(file)
        if branch == "two":
            run("git", "init", "-q", folder=world.tree)
        run("git", "checkout", "-q", "--orphan", branch, folder=world.tree)
        run("git", "add", "pkg", folder=world.tree)
        run("git", *identity, "commit", "-q", "-m", branch, folder=world.tree)


@case("git checkout of another branch (40 files differ)", "pkg/g0.py", "pkg/g39.py", prepare=_repository)
def _(world: World) -> None:
    run("git", "checkout", "-q", "--force", "two", folder=world.tree)


@case(
    "300 files saved at once",
    "many/f0.py",
    "many/f299.py",
    prepare=lambda world: world.save_many("many/f{}.py", 300),
)
def _(world: World) -> None:
    world.save_many("many/f{}.py", 300)


@case("20,000 files made at once, then a save", limit=20.0)
def _(world: World) -> None:
    (world.tree / "flood").mkdir()
    for number in range(20_000):
        os.close(os.open(world.tree / f"flood/f{number}.py", os.O_CREAT | os.O_WRONLY))
    world.save(world.tree / "pkg/a.py")


@case(
    "a save in the moment the command starts, in a tree of 2,000 folders",
    "big/d1999/file.py",
    early=True,
    prepare=lambda world: world.save_many("big/d{}/file.py", 2000),
)
def _(world: World) -> None:
    world.save(world.tree / "big/d1999/file.py")


@case("a writer that never closes the file")
def _(world: World) -> None:
    descriptor = os.open(world.tree / "pkg/a.py", os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
    world.undo.append(lambda: os.close(descriptor))
    os.write(descriptor, b"endless\n")


@case(
    "two saves of equal size within a second (old bytecode)",
    "pkg/a.py",
    "pkg/mod.py",
    python=True,
    besides=1,
    prepare=lambda world: (world.tree / "pkg/mod.py").write_text("'word-0'\n"),
)
def _(world: World) -> None:
    time.sleep(1.05 - time.time() % 1)
    for word, pause in ("'word-1'", 0.45), ("'word-2'", 0):
        (world.tree / "pkg/mod.py").write_text(word + "\n")
        time.sleep(pause)


def _linked(world: World) -> None:
    world.save(world.outside / "lib/x.py")
    (world.tree / "lib").symlink_to(world.outside / "lib")


@case("a save behind a link to a folder outside", "lib/x.py", prepare=_linked)
def _(world: World) -> None:
    world.save(world.outside / "lib/x.py")


def _swap(link: Path, target: str) -> None:
    beside = link.with_name("swapped")
    beside.symlink_to(target)
    beside.replace(link)


def _releases(world: World) -> None:
    for number in (1, 2):
        world.save(world.outside / f"releases/{number}/app.py")
    (world.tree / "current").symlink_to(world.outside / "releases/1")


@case("a link swapped (`current -> releases/2`)", "current/app.py", prepare=_releases)
def _(world: World) -> None:
    _swap(world.tree / "current", str(world.outside / "releases/2"))


def _config_map(world: World) -> None:
    for number in (1, 2):
        world.save(world.tree / f"conf/..{number}/settings.py")
    (world.tree / "conf/..data").symlink_to("..1")
    (world.tree / "conf/settings.py").symlink_to("..data/settings.py")


@case("a Kubernetes ConfigMap updated (`..data` swapped)", "conf/settings.py", prepare=_config_map)
def _(world: World) -> None:
    _swap(world.tree / "conf/..data", "..2")


def _fuse(world: World) -> None:
    world.save(world.outside / "fuse/x.py")
    (world.tree / "fuse").mkdir()
    run("bindfs", str(world.outside / "fuse"), str(world.tree / "fuse"))
    world.undo.append(lambda: run("fusermount", "-u", "-z", str(world.tree / "fuse")))


@case("a change on the other side of a FUSE mount", "fuse/x.py", prepare=_fuse, limit=10.0)
def _(world: World) -> None:
    world.save(world.outside / "fuse/x.py")


def _tmpfs(world: World) -> None:
    world.mount("-t", "tmpfs", "none", str(world.tree / "tmp"))
    world.save(world.tree / "tmp/x.py")


@case("a save on a tmpfs in the tree", "tmp/x.py", prepare=_tmpfs)
def _(world: World) -> None:
    world.save(world.tree / "tmp/x.py")


def _overlay(world: World) -> None:
    world.mount("-t", "tmpfs", "none", str(world.outside / "layers"))
    for name in ("lower", "upper", "work"):
        (world.outside / "layers" / name).mkdir()
    layers = world.outside / "layers"
    world.save(layers / "lower/d/x.py")
    options = f"lowerdir={layers}/lower,upperdir={layers}/upper,workdir={layers}/work"
    world.mount("-t", "overlay", "none", "-o", options, str(world.tree / "over"))


@case("a save on an overlay in the tree (a file of the lower layer)", "over/d/x.py", prepare=_overlay)
def _(world: World) -> None:
    world.save(world.tree / "over/d/x.py")


def _bound(world: World) -> None:
    world.save(world.outside / "bound/x.py")
    world.mount("--bind", str(world.outside / "bound"), str(world.tree / "bound"))


@case("a save on the other side of a bind mount", "bound/x.py", prepare=_bound)
def _(world: World) -> None:
    world.save(world.outside / "bound/x.py")


@case(
    f"{FOLDERS_TOO_MANY} folders with a limit of {LIMIT_OF_WATCHES} watches, three saves",
    *(f"d{number}/file.py" for number in (0, 20, 39)),
    few_watches=True,
    prepare=lambda world: world.save_many("d{}/file.py", FOLDERS_TOO_MANY),
)
def _(world: World) -> Iterator[None]:
    world.save(world.tree / "d0/file.py")
    yield
    world.save(world.tree / "d20/file.py")
    yield
    world.save(world.tree / "d39/file.py")


# -- what must not restart the command ---------------------------------------------------------------------------------
@case("touch", vain=True)
def _(world: World) -> None:
    run("touch", str(world.tree / "pkg/a.py"))


@case("an identical rewrite", vain=True)
def _(world: World) -> None:
    path = world.tree / "pkg/a.py"
    path.write_bytes(path.read_bytes())


@case("chmod", vain=True)
def _(world: World) -> None:
    (world.tree / "pkg/a.py").chmod(0o600)


@case("a read", vain=True)
def _(world: World) -> None:
    (world.tree / "pkg/a.py").read_bytes()


@case("a file made and removed", vain=True)
def _(world: World) -> None:
    world.save(world.tree / "pkg/brief.py")
    (world.tree / "pkg/brief.py").unlink()


@case("there and back (two saves, the old text in the end)", vain=True)
def _(world: World) -> None:
    path = world.tree / "pkg/a.py"
    before = path.read_bytes()
    world.save(path)
    path.write_bytes(before)


@case("an editor's swap and backup files", vain=True)
def _(world: World) -> None:
    for name in (".a.py.swp", "4913", "a.py~", "#a.py#"):
        (world.tree / "pkg" / name).write_text("x")
    (world.tree / "pkg/4913").unlink()


@case("git commit", vain=True, prepare=_repository)
def _(world: World) -> None:
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    run("git", *identity, "commit", "-q", "--allow-empty", "-m", "x", folder=world.tree)
