"""The hard cases, one function each: what happens to a tree, and what has to be told of it, by every backend.

The tree is made by `ground`: `a/x.py`, `b/c/y.py` and `top.py`, and beside it a folder `away` with `deep/old.py`.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

AT_FDCWD, AT_SYMLINK_FOLLOW, RENAME_EXCHANGE = -100, 0x400, 2
_libc = ctypes.CDLL(None, use_errno=True)


class Case(NamedTuple):
    """One of them."""

    do: Callable[[Path], object]
    """Given the tree."""
    there: tuple[str, ...]
    """What is told to be there in the end, below the tree."""
    gone: tuple[str, ...]
    """What is told to be gone."""
    passing: tuple[str, ...]
    """What came and went meanwhile: a backend may tell of it or not, as long as the last word is that it is gone."""
    timed: tuple[str, ...]
    """What got another ctime and nothing else: it is told of by polling, which has nothing but times."""
    away: tuple[str, ...]
    """What is as it was, but was away meanwhile: it is told of by all to which the kernel tells."""


CASES: list[Case] = []


def case(
    there: str = "", gone: str = "", passing: str = "", timed: str = "", away: str = ""
) -> Callable[[Callable[[Path], object]], Callable[[Path], object]]:
    """Adds a case. Names are divided by blanks."""

    def add(do: Callable[[Path], object]) -> Callable[[Path], object]:
        CASES.append(Case(do, *(tuple(names.split()) for names in (there, gone, passing, timed, away))))
        return do

    return add


def ground(base: Path) -> Path:
    """The tree, made in this folder."""
    for name in "tree/a/x.py", "tree/b/c/y.py", "tree/top.py", "away/deep/old.py":
        path = base / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"old {name}")
    return base / "tree"


def exchange(one: Path, other: Path) -> None:
    """renameat2(2) with RENAME_EXCHANGE."""
    if _libc.renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def names(folder: str, count: int) -> str:
    """Those of many files."""
    return " ".join(f"{folder}/f{number}.py" for number in range(count))


# -- one file --------------------------------------------------------------------------------------------------------


@case(there="a/x.py")
def written_through_a_mapping(tree: Path) -> None:
    """mmap(2): no write(2) at all."""
    with open(tree / "a" / "x.py", "r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        mapped[:3] = b"NEW"


@case(there="a/x.py")
def truncated_by_its_path(tree: Path) -> None:
    """truncate(2): nothing is opened or closed."""
    os.truncate(tree / "a" / "x.py", 2)


@case(there="a/x.py")
def extended_by_a_hole(tree: Path) -> None:
    """A sparse file, of which no byte was written."""
    os.truncate(tree / "a" / "x.py", 1 << 32)
    os.truncate(tree / "a" / "x.py", 3)


@case(there="a/new.py")
def allocated_and_not_written(tree: Path) -> None:
    """posix_fallocate(3) makes zeros."""
    file = os.open(tree / "a" / "new.py", os.O_WRONLY | os.O_CREAT)
    os.posix_fallocate(file, 0, 4096)
    os.close(file)


@case(there="a/x.py")
def copied_into_by_the_kernel(tree: Path) -> None:
    """copy_file_range(2)."""
    with open(tree.parent / "away" / "deep" / "old.py", "rb") as old, open(tree / "a" / "x.py", "r+b") as new:
        os.copy_file_range(old.fileno(), new.fileno(), 8)


@case(there="a/x.py a/new.py")
def written_and_never_closed(tree: Path) -> None:
    """As a log is. It is told of, if only as unfinished."""
    for name in "x.py", "new.py":
        open_forever(tree / "a" / name)


_open: list[int] = []


def open_forever(path: Path) -> None:
    """Until `close_all`."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(file, b"more")
    _open.append(file)


def close_all() -> None:
    """What was opened for ever."""
    while _open:
        os.close(_open.pop())


@case(there="b/linked.py", timed="a/x.py")
def given_a_second_name(tree: Path) -> None:
    """link(2)."""
    os.link(tree / "a" / "x.py", tree / "b" / "linked.py")


@case(there="b/x.py", gone="a/x.py")
def moved_to_another_folder(tree: Path) -> None:
    """rename(2)."""
    (tree / "a" / "x.py").rename(tree / "b" / "x.py")


@case(there="a/x.py b/c/y.py")
def exchanged_with_another_file(tree: Path) -> None:
    """Both names stay, with other contents."""
    exchange(tree / "a" / "x.py", tree / "b" / "c" / "y.py")


@case(there="a/old.py")
def given_an_unnamed_file(tree: Path) -> None:
    """O_TMPFILE and linkat(2): complete when it gets its name."""
    file = os.open(tree / "a", os.O_TMPFILE | os.O_WRONLY)
    os.write(file, b"new")
    here = f"/proc/self/fd/{file}".encode()
    assert _libc.linkat(AT_FDCWD, here, AT_FDCWD, os.fsencode(tree / "a" / "old.py"), AT_SYMLINK_FOLLOW) == 0
    os.close(file)


@case(there="a/x.py/inner.py", gone="a/x.py")
def a_folder_in_the_place_of_a_file(tree: Path) -> None:
    """Under its name."""
    (tree / "a" / "x.py").unlink()
    (tree / "a" / "x.py").mkdir()
    (tree / "a" / "x.py" / "inner.py").write_text("new")


@case(there="b/c", gone="b/c/y.py")
def a_file_in_the_place_of_a_folder(tree: Path) -> None:
    """And the other way round."""
    shutil.rmtree(tree / "b" / "c")
    (tree / "b" / "c").write_text("new")


# -- folders that come -----------------------------------------------------------------------------------------------


@case(there="n/e/w/f.py")
def made_with_all_its_folders_at_once(tree: Path) -> None:
    """`mkdir -p`, and a write in the same instant."""
    (tree / "n" / "e" / "w").mkdir(parents=True)
    (tree / "n" / "e" / "w" / "f.py").write_text("new")


@case(there=" ".join(f"n{number}/d/f.py" for number in range(600)))
def six_hundred_files_in_as_many_new_folders(tree: Path) -> None:
    """As unpacking an archive does."""
    for number in range(600):
        (tree / f"n{number}" / "d").mkdir(parents=True)
        (tree / f"n{number}" / "d" / "f.py").write_text(str(number))


@case(there="in/deep/old.py")
def a_folder_moved_in(tree: Path) -> None:
    """However old its files are."""
    (tree.parent / "away").rename(tree / "in")


@case(there="in/deep/old.py")
def a_folder_copied_with_old_times(tree: Path) -> None:
    """`cp -a`: the mtime is that of the source."""
    shutil.copytree(tree.parent / "away", tree / "in", copy_function=shutil.copy2)


# -- folders that go, move, or are replaced --------------------------------------------------------------------------


@case(there="z/c/y.py", gone="b/c/y.py")
def a_folder_renamed(tree: Path) -> None:
    """Its files go with it."""
    (tree / "b").rename(tree / "z")


@case(there="a/z/c/y.py", gone="b/c/y.py", passing="z/c/y.py")
def a_folder_renamed_twice_at_once(tree: Path) -> None:
    """The place in between is gone before anyone looks."""
    (tree / "b").rename(tree / "z")
    (tree / "z").rename(tree / "a" / "z")


@case(gone="b/c/y.py")
def a_folder_moved_out(tree: Path) -> None:
    """What happens to it elsewhere concerns nobody."""
    (tree / "b").rename(tree.parent / "gone")
    (tree.parent / "gone" / "c" / "y.py").write_text("new")


@case(gone="b/c/y.py")
def a_folder_deleted(tree: Path) -> None:
    """`rm -r`."""
    shutil.rmtree(tree / "b")


@case(there="b/c/y.py b/new.py")
def a_folder_deleted_and_made_again(tree: Path) -> None:
    """`rm -r`, `mkdir -p`: the same names, in other folders."""
    shutil.rmtree(tree / "b")
    (tree / "b" / "c").mkdir(parents=True)
    (tree / "b" / "c" / "y.py").write_text("new")
    (tree / "b" / "new.py").write_text("new")


@case(gone="b/c/y.py")
def a_folder_deleted_and_made_again_empty(tree: Path) -> None:
    """What was in it is gone all the same."""
    shutil.rmtree(tree / "b")
    (tree / "b" / "c").mkdir(parents=True)


@case(there="a/deep/old.py", gone="a/x.py")
def a_folder_replaced_by_rename(tree: Path) -> None:
    """The old one out, another one in."""
    (tree / "a").rename(tree.parent / "gone")
    (tree.parent / "away").rename(tree / "a")


@case(there="empty/deep/old.py")
def a_folder_moved_onto_an_empty_one(tree: Path) -> None:
    """rename(2) removes the empty one without a word."""
    (tree / "empty").mkdir()
    (tree.parent / "away").rename(tree / "empty")


@case(there="a/c/y.py b/x.py", gone="a/x.py b/c/y.py")
def two_folders_exchanged(tree: Path) -> None:
    """Neither is ever missing."""
    exchange(tree / "a", tree / "b")


@case(there="a/deep/old.py", gone="a/x.py")
def a_folder_exchanged_with_one_outside(tree: Path) -> None:
    """One comes, the other one goes."""
    exchange(tree / "a", tree.parent / "away")


@case(there="a", gone="a/x.py top.py", passing="top.py/x.py")
def a_folder_exchanged_with_a_file(tree: Path) -> None:
    """And then deleted under its new name."""
    exchange(tree / "a", tree / "top.py")
    shutil.rmtree(tree / "top.py")


@case(there="b/a/x.py", gone="a/x.py")
def a_folder_moved_into_another(tree: Path) -> None:
    """Deeper than before."""
    (tree / "a").rename(tree / "b" / "a")


# -- the root --------------------------------------------------------------------------------------------------------


@case(there="a/x.py", gone="b/c/y.py top.py")
def the_root_deleted_and_made_again(tree: Path) -> None:
    """With one of its files."""
    shutil.rmtree(tree)
    (tree / "a").mkdir(parents=True)
    (tree / "a" / "x.py").write_text("new")


@case(there="deep/old.py", gone="a/x.py b/c/y.py top.py")
def the_root_replaced_by_rename(tree: Path) -> None:
    """As a deployment does."""
    tree.rename(tree.parent / "former")
    (tree.parent / "away").rename(tree)


@case(there="deep/old.py", gone="a/x.py b/c/y.py top.py")
def the_root_exchanged(tree: Path) -> None:
    """It is never missing."""
    exchange(tree, tree.parent / "away")


@case(there="a/new.py", away="a/x.py b/c/y.py top.py")
def a_folder_above_the_root_moved_away_and_back(tree: Path) -> None:
    """And one file made before it was back."""
    above, aside = tree.parent, tree.parent.with_name("aside")
    above.rename(aside)
    (aside / "tree" / "a" / "new.py").write_text("new")
    aside.rename(above)


# -- names and depths ------------------------------------------------------------------------------------------------

ODD = [
    b"new\nline.py",
    b"in\xffvalid.py",
    b"-rf",
    b"back\\012slash.py",
    b" blank ",
    b"*?[a].py",
    b"\xe2\x80\xae.py",
    b"\x01\x1b[31m.py",
    b"x" * 252 + b".py",
]
"""Names that are not as names are."""


def odd_names(tree: Path) -> None:
    """Files, and folders with a file."""
    for name in ODD:
        (tree / os.fsdecode(name)).write_text("new")
        (tree / "b" / os.fsdecode(name)).mkdir()
        (tree / "b" / os.fsdecode(name) / os.fsdecode(name)).write_text("new")


_TOLD = [os.fsdecode(name) for name in ODD]
CASES.append(Case(odd_names, (*_TOLD, *(f"b/{name}/{name}" for name in _TOLD)), (), (), (), ()))

DEPTH = 1200


@case(there=f"{'d/' * DEPTH}f.py")
def a_tree_of_1200_levels(tree: Path) -> None:
    """As a loop gone wild leaves it."""
    for depth in range(DEPTH):
        os.mkdir(f"{tree}/{'d/' * (depth + 1)}")
    Path(f"{tree}/{'d/' * DEPTH}f.py").write_text("new")


@case(there="a/after.py")
def a_path_longer_than_any_path_may_be(tree: Path) -> None:
    """Nobody can name what is below PATH_MAX; the rest is told all the same."""
    here = os.open(tree, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("l" * 250, dir_fd=here)
        there = os.open("l" * 250, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = there
    os.close(os.open("unnamed.py", os.O_WRONLY | os.O_CREAT, dir_fd=here))
    os.close(here)
    (tree / "a" / "after.py").write_text("new")
