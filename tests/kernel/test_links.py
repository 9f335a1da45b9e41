"""Links: what is behind them is watched as if it stood there, once, and within bounds."""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from autoreload.core.change import Kind
from autoreload.linux.mounts import mounts
from autoreload.watch import linked
from autoreload.watch.fence import Fence
from tests.kernel.linked import BACKENDS, Through
from tests.kernel.mirror import Everything, Writer, maker, quiet_moment, wait_for

Watch = Callable[..., Through]
SCRIPTS = int(os.environ.get("AUTORELOAD_FUZZ_SCRIPTS", "20"))


@pytest.fixture(params=BACKENDS)
def watch(request: pytest.FixtureRequest) -> Iterator[Watch]:
    """Watches these roots with each backend."""
    if "fanotify" in request.param:
        maker("fanotify")
    made: list[Through] = []

    def make(*roots: Path, **options: Any) -> Through:
        made.append(Through(request.param, *roots, **options))
        return made[-1]

    yield make
    for through in made:
        through.close()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A root with a file, and beside it a library with two."""
    for name in "tree/own.py", "lib/a.py", "lib/deep/er/b.py", "other/c.py":
        put(tmp_path / name, "old")
    return tmp_path / "tree"


def put(path: Path, text: str = "new") -> None:
    """Write a file, with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def link(path: Path, target: str | Path) -> Path:
    """Make a link, as `ln -sfn` replaces one: by another name and a rename."""
    new = path.with_name(path.name + ".new")
    new.symlink_to(target)
    new.rename(path)
    return path


def told(through: Through, tree: Path) -> dict[str, str]:
    """What is told meanwhile, below the root; without what a helper link did."""
    top = len(str(tree)) + 1
    return {path[top:]: kind.value for path, kind in through.settle().items() if not path.endswith(".new")}


def there(said: dict[str, str]) -> set[str]:
    """The files that were told to be there."""
    return {path for path, kind in said.items() if kind != "vanished"}


def gone(said: dict[str, str]) -> set[str]:
    """Those that were told to be gone."""
    return {path for path, kind in said.items() if kind == "vanished"}


# -- to folders ------------------------------------------------------------------------------------------------------


def test_a_linked_folder_is_watched_as_if_it_stood_there(watch: Watch, tree: Path) -> None:
    """However deep, old files and new ones, new folders and removed ones."""
    link(tree / "lib", "../lib")
    through = watch(tree)
    lib = tree.parent / "lib"
    put(lib / "a.py")
    put(lib / "deep" / "er" / "b.py")
    put(lib / "new" / "folder" / "n.py")
    said = told(through, tree)
    assert there(said) == {"lib/a.py", "lib/deep/er/b.py", "lib/new/folder/n.py"}
    shutil.rmtree(lib / "deep")
    (lib / "new" / "folder" / "n.py").rename(lib / "new" / "moved.py")
    said = told(through, tree)
    assert (there(said), gone(said)) == ({"lib/new/moved.py"}, {"lib/deep/er/b.py", "lib/new/folder/n.py"})
    assert not through.wrong()


def test_nothing_is_told_of_what_was_there_before(watch: Watch, tree: Path) -> None:
    """A link that is there at the start brings no news."""
    link(tree / "lib", "../lib")
    link(tree / "c.py", "../other/c.py")
    quiet_moment()
    through = watch(tree)
    assert told(through, tree) == {}


def test_a_link_that_is_made_later_brings_its_files_and_takes_them_along(watch: Watch, tree: Path) -> None:
    """And afterwards nobody listens there."""
    through = watch(tree)
    link(tree / "lib", "../lib")
    assert there(told(through, tree)) == {"lib/a.py", "lib/deep/er/b.py"}
    put(tree.parent / "lib" / "a.py")
    assert there(told(through, tree)) == {"lib/a.py"}
    (tree / "lib").unlink()
    assert gone(told(through, tree)) == {"lib/a.py", "lib/deep/er/b.py"}
    put(tree.parent / "lib" / "a.py", "newer")
    assert told(through, tree) == {}


def test_a_link_in_a_folder_that_is_moved_is_followed_there(watch: Watch, tree: Path) -> None:
    """The paths of its files change with it."""
    (tree / "in").mkdir()
    link(tree / "in" / "lib", tree.parent / "lib")
    through = watch(tree)
    (tree / "in").rename(tree / "out")
    said = told(through, tree)
    assert there(said) == {"out/lib/a.py", "out/lib/deep/er/b.py"}
    assert gone(said) - {"in/lib", "out/lib"} == {"in/lib/a.py", "in/lib/deep/er/b.py"}
    put(tree.parent / "lib" / "a.py")
    assert there(told(through, tree)) == {"out/lib/a.py"}


def test_links_behind_links_are_followed(watch: Watch, tree: Path) -> None:
    """To folders and to files."""
    link(tree / "lib", "../lib")
    link(tree.parent / "lib" / "deep" / "other", tree.parent / "other")
    put(tree.parent / "single.py", "old")
    link(tree.parent / "lib" / "one.py", "../single.py")
    through = watch(tree)
    put(tree.parent / "other" / "c.py")
    put(tree.parent / "single.py")
    assert there(told(through, tree)) == {"lib/deep/other/c.py", "lib/one.py"}
    (tree / "lib").unlink()
    told(through, tree)
    put(tree.parent / "other" / "c.py", "newer")
    assert told(through, tree) == {}


def test_a_link_within_what_is_behind_a_link_doubles_nothing(watch: Watch, tree: Path) -> None:
    """What it leads to has a path without it."""
    link(tree.parent / "lib" / "a", "deep/er")
    link(tree.parent / "lib" / "up", ".")
    link(tree / "lib", "../lib")
    through = watch(tree)
    put(tree.parent / "lib" / "deep" / "er" / "b.py")
    assert told(through, tree).keys() == {"lib/deep/er/b.py"}


@pytest.mark.parametrize("target", [".", "..", "../..", "../own"], ids=["itself", "root", "above the root", "nowhere"])
def test_loops_end_and_everything_is_told_once(watch: Watch, tree: Path, target: str) -> None:
    """`a/loop -> ..`"""
    put(tree / "a" / "f.py", "old")
    link(tree / "a" / "loop", target)
    through = watch(tree)
    put(tree / "a" / "f.py")
    assert there(told(through, tree)) == {"a/f.py"}
    assert not through.wrong()


def test_a_link_to_a_folder_of_the_root_doubles_nothing(watch: Watch, tree: Path) -> None:
    """Nor does one to a folder of another root."""
    put(tree / "a" / "f.py", "old")
    link(tree / "b", "a")
    link(tree / "lib", "../lib")
    through = watch(tree, tree.parent / "lib")
    put(tree / "a" / "f.py")
    put(tree.parent / "lib" / "a.py")
    assert set(through.settle()) == {f"{tree}/a/f.py", f"{tree.parent}/lib/a.py"}


def test_of_two_links_to_one_folder_one_tells_and_the_other_one_takes_over(watch: Watch, tree: Path) -> None:
    """When the first one is removed."""
    link(tree / "one", "../lib")
    link(tree / "two", "../lib")
    through = watch(tree)
    put(tree.parent / "lib" / "a.py")
    assert told(through, tree).keys() == {"one/a.py"}
    (tree / "one").unlink()
    assert gone(told(through, tree)) == {"one/a.py", "one/deep/er/b.py"}
    put(tree.parent / "lib" / "a.py", "newer")
    assert told(through, tree).keys() == {"two/a.py"}


def test_of_a_folder_and_one_in_it_each_is_told_by_its_link(watch: Watch, tree: Path) -> None:
    """Whichever link was there first; and when the inner one goes, the outer one tells of all."""
    link(tree / "outer", "../lib")
    through = watch(tree)
    link(tree / "inner", "../lib/deep")
    told(through, tree)
    put(tree.parent / "lib" / "deep" / "er" / "b.py")
    put(tree.parent / "lib" / "a.py")
    assert told(through, tree).keys() == {"inner/er/b.py", "outer/a.py"}
    (tree / "inner").unlink()
    told(through, tree)
    put(tree.parent / "lib" / "deep" / "er" / "b.py", "newer")
    assert told(through, tree).keys() == {"outer/deep/er/b.py"}
    assert not through.wrong()


def test_what_is_ignored_at_the_path_of_the_link_is_not_followed(watch: Watch, tree: Path) -> None:
    """`node_modules -> ...`"""
    link(tree / "node_modules", "../lib")
    link(tree / "lib", "../lib/deep")
    through = watch(tree, interest=Everything(lambda path: path.endswith("/node_modules")))
    put(tree.parent / "lib" / "a.py")
    put(tree.parent / "lib" / "deep" / "er" / "b.py")
    assert told(through, tree).keys() == {"lib/er/b.py"}


def test_what_is_ignored_at_its_own_path_is_told_by_that_of_the_link(watch: Watch, tree: Path) -> None:
    """It is in the root, but nobody looks there."""
    put(tree / "ignored" / "sub" / "f.py", "old")
    link(tree / "seen", "ignored/sub")
    through = watch(tree, interest=Everything(lambda path: path.endswith("/ignored")))
    put(tree / "ignored" / "sub" / "f.py")
    assert told(through, tree).keys() == {"seen/f.py"}


def test_a_link_replaced_by_a_folder_and_the_other_way_round(watch: Watch, tree: Path) -> None:
    """What is there last is what is known."""
    link(tree / "x", "../lib")
    through = watch(tree)
    (tree / "x").unlink()
    put(tree / "x" / "a.py", "in a folder")
    through.settle()
    assert through.told[f"{tree}/x/a.py"] is not Kind.VANISHED
    assert not through.wrong()
    put(tree / "x" / "a.py", "still")
    assert there(told(through, tree)) == {"x/a.py"}
    shutil.rmtree(tree / "x")
    link(tree / "x", "../lib")
    through.settle()
    assert not through.wrong()
    put(tree.parent / "lib" / "a.py")
    assert there(told(through, tree)) == {"x/a.py"}


def test_a_file_replaced_by_a_link_to_a_folder(watch: Watch, tree: Path) -> None:
    """The file is gone."""
    put(tree / "x", "file")
    through = watch(tree)
    link(tree / "x", "../lib")
    through.settle()
    assert through.told[f"{tree}/x"] is Kind.VANISHED
    assert not through.wrong()


# -- swaps -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def releases(tmp_path: Path) -> Path:
    """Two of them, with a file that both have alike."""
    for release in "41", "42":
        put(tmp_path / "releases" / release / "app" / "both.py", release)
        put(tmp_path / "releases" / release / "app" / "same.py", "same")
        put(tmp_path / "releases" / release / f"only{release}.py", release)
    return tmp_path / "releases"


def by_rename(path: Path, target: str) -> None:
    """`mv -T`"""
    link(path, target)


def by_unlink(path: Path, target: str) -> None:
    """`ln -sfn` of old."""
    path.unlink()
    path.symlink_to(target)


@pytest.mark.parametrize("swap", [by_rename, by_unlink])
def test_a_swapped_link_leads_to_another_release(
    watch: Watch, tree: Path, releases: Path, swap: Callable[[Path, str], None]
) -> None:
    """What both have is told as well, so that it is looked at; then the new one is watched, and the old one not."""
    link(tree / "current", "../releases/41")
    through = watch(tree)
    swap(tree / "current", "../releases/42")
    said = told(through, tree)
    assert {"current/app/both.py", "current/only42.py"} <= there(said)
    assert gone(said) - {"current"} == {"current/only41.py"}
    assert not through.wrong()
    put(releases / "42" / "app" / "both.py")
    assert there(told(through, tree)) == {"current/app/both.py"}
    put(releases / "41" / "app" / "both.py")
    assert told(through, tree) == {}


def test_the_link_that_is_made_for_a_swap_is_not_told_of(
    watch: Watch, tree: Path, releases: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`ln -sfn` makes one with a name that nobody knows, and renames it."""
    monkeypatch.setattr(linked, "PASSING", 0.5)
    link(tree / "current", "../releases/41")
    through = watch(tree)
    (tree / "CuFSCN0m").symlink_to("../releases/42")
    for _ in range(5):
        through.read()
    (tree / "CuFSCN0m").rename(tree / "current")
    said = told(through, tree)
    assert "current/only42.py" in there(said)
    assert not [path for path in said if path.startswith("CuFSCN0m/")]


@pytest.mark.parametrize("swap", [by_rename, by_unlink])
def test_a_link_swapped_between_folders_of_the_root_tells_what_differs(
    watch: Watch, tree: Path, swap: Callable[[Path, str], None]
) -> None:
    """All files are known by their own paths; but what is seen through the link is another thing now."""
    put(tree / "releases" / "41" / "same.py", "same")
    put(tree / "releases" / "42" / "same.py", "same")
    put(tree / "releases" / "43" / "same.py", "not the same")
    link(tree / "current", "releases/41")
    through = watch(tree)
    swap(tree / "current", "releases/42")
    assert told(through, tree) == {}
    swap(tree / "current", "releases/43")
    assert told(through, tree) == {"current/same.py": "appeared"}
    (tree / "current").unlink()
    assert told(through, tree) == {"current/same.py": "vanished"}


def config_map(folder: Path, number: int, text: str) -> None:
    """What a kubelet does for a new version."""
    put(folder / f"..2026_{number}" / "config.yaml", text)
    link(folder / "..data", f"..2026_{number}")
    if not (folder / "config.yaml").is_symlink():
        (folder / "config.yaml").symlink_to("..data/config.yaml")
    if (folder / f"..2026_{number - 1}").exists():
        shutil.rmtree(folder / f"..2026_{number - 1}")


@pytest.mark.parametrize("where", ["in the root", "behind a link to the folder", "behind a link to the file"])
def test_a_config_map_is_told_by_the_path_that_users_see(watch: Watch, tree: Path, where: str) -> None:
    """`config.yaml -> ..data/config.yaml`, `..data -> ..2026_1`: the link in the middle is swapped, again and again."""
    folder = tree / "conf" if where == "in the root" else tree.parent / "conf"
    config_map(folder, 1, "1")
    seen = tree / "conf" / "config.yaml"
    if where == "behind a link to the folder":
        link(tree / "conf", "../conf")
    elif where == "behind a link to the file":
        seen = link(tree / "config.yaml", "../conf/config.yaml")
    through = watch(tree)
    for number in 2, 3:
        config_map(folder, number, str(number))
        assert through.settle().get(str(seen)) is Kind.APPEARED
        assert not through.wrong()


def test_a_chain_of_links_is_followed_wherever_it_is_swapped(watch: Watch, tree: Path, releases: Path) -> None:
    """The link in the middle lies outside of the root."""
    link(releases.parent / "current", "releases/41")
    link(tree / "app", "../current/app")
    through = watch(tree)
    link(releases.parent / "current", "releases/42")
    assert "app/both.py" in there(told(through, tree))
    put(releases / "42" / "app" / "both.py")
    assert there(told(through, tree)) == {"app/both.py"}
    assert not through.wrong()


@pytest.mark.parametrize("target", ["later", "later/er/still"])
@pytest.mark.parametrize("single", [True, False], ids=["a file", "a folder"])
def test_a_link_that_leads_nowhere_is_awaited(watch: Watch, tree: Path, single: bool, target: str) -> None:
    """Until what it leads to appears; and again when that was removed."""
    link(tree / "l.py", f"../{target}")
    through = watch(tree)
    end = tree.parent / target
    for text in "once", "again":
        put(end if single else end / "f.py", text)
        name = "l.py" if single else "l.py/f.py"
        assert name in there(told(through, tree))
        assert not through.wrong()
        shutil.rmtree(tree.parent / "later") if (tree.parent / "later").is_dir() else end.unlink()
        assert name in gone(told(through, tree))


def test_when_a_root_comes_to_be_elsewhere_links_are_judged_anew(watch: Watch, tree: Path, releases: Path) -> None:
    """What was in a root has no path of its own any more."""
    link(tree / "app", "../releases/41/app")
    link(tree.parent / "current", "releases/41")
    through = watch(tree, tree.parent / "current")
    link(tree.parent / "current", "releases/42")
    through.settle()
    put(releases / "41" / "app" / "both.py")
    assert there(told(through, tree)) == {"app/both.py"}
    assert not through.wrong()


# -- to files --------------------------------------------------------------------------------------------------------


def in_place(path: Path, text: str) -> None:
    """As most programs write."""
    path.write_text(text)


def atomic(path: Path, text: str) -> None:
    """As many editors save."""
    path.with_name("temporary").write_text(text)
    path.with_name("temporary").rename(path)


@pytest.mark.parametrize("save", [in_place, atomic])
def test_a_save_of_what_a_link_leads_to_is_told_by_the_path_of_the_link(
    watch: Watch, tree: Path, save: Callable[[Path, str], None]
) -> None:
    """`settings.py -> ../shared/settings.py`; and nothing else of that folder."""
    put(tree.parent / "shared" / "settings.py", "old")
    link(tree / "settings.py", "../shared/settings.py")
    through = watch(tree)
    for text in "new", "newer":
        save(tree.parent / "shared" / "settings.py", text)
        put(tree.parent / "shared" / "else.py", text)
        assert there(told(through, tree)) == {"settings.py"}
        assert not through.wrong()


def test_a_link_to_a_file_of_the_root_doubles_nothing(watch: Watch, tree: Path) -> None:
    """It has a path."""
    link(tree / "l.py", "own.py")
    through = watch(tree)
    put(tree / "own.py")
    assert told(through, tree).keys() == {"own.py"}


def test_a_link_to_a_file_that_is_swapped_is_told(watch: Watch, tree: Path) -> None:
    """Then the new one is what is watched."""
    link(tree / "l.py", "../lib/a.py")
    through = watch(tree)
    link(tree / "l.py", "../other/c.py")
    assert there(told(through, tree)) == {"l.py"}
    put(tree.parent / "other" / "c.py")
    assert there(told(through, tree)) == {"l.py"}
    put(tree.parent / "lib" / "a.py")
    assert told(through, tree) == {}


def test_a_target_that_becomes_a_link_itself_is_followed(watch: Watch, tree: Path) -> None:
    """A file that was put elsewhere."""
    link(tree / "l.py", "../lib/a.py")
    through = watch(tree)
    link(tree.parent / "lib" / "a.py", "../other/c.py")
    assert there(told(through, tree)) == {"l.py"}
    put(tree.parent / "other" / "c.py")
    assert there(told(through, tree)) == {"l.py"}


# -- bounds ----------------------------------------------------------------------------------------------------------


def test_above_the_bound_one_line_says_so_and_small_neighbours_get_their_share(watch: Watch, tree: Path) -> None:
    """The root stays precise, and so does what is behind a link to little."""
    for number in range(60):
        put(tree.parent / "huge" / f"{number % 6}" / f"{number}" / "f.py", "old")
    link(tree / "a", "../huge")
    link(tree / "z", "../lib")
    through = watch(tree, most=40)
    lines = [notice.what for notice in through.backend.notices() if not notice.detail]
    assert lines == [f"more than 40 folders are behind links, most of them behind {tree}/a: the rest is not watched"]
    put(tree.parent / "lib" / "deep" / "er" / "b.py")
    put(tree / "own.py")
    for number in range(60):
        put(tree.parent / "huge" / f"{number % 6}" / f"{number}" / "f.py")
    said = told(through, tree).keys()
    assert {"own.py", "z/deep/er/b.py"} <= said
    assert 20 <= len(said) <= 40
    assert through.backend.notices() == []


def test_when_there_is_room_again_the_rest_is_watched(watch: Watch, tree: Path) -> None:
    """After the link to too much was removed."""
    for number in range(30):
        put(tree.parent / "huge" / f"{number}" / "f.py", "old")
        put(tree.parent / "large" / f"{number}" / "f.py", "old")
    link(tree / "a", "../huge")
    link(tree / "b", "../large")
    through = watch(tree, most=40)
    (tree / "a").unlink()
    through.settle()
    for number in range(30):
        put(tree.parent / "large" / f"{number}" / "f.py")
    assert len(told(through, tree)) == 30


def test_a_link_to_everything_is_followed_as_far_as_the_bound_allows(watch: Watch, tree: Path) -> None:
    """Without what is no folder of files; and the root is told of once."""
    link(tree / "a", "/")
    link(tree / "processes", "/proc")
    link(tree / "lib", "../lib")
    quiet_moment()
    through = watch(tree, most=3000, reads=False)
    links = through.backend.links
    assert links.follows(f"{tree}/a/usr")
    assert links.follows(f"{tree}/lib/deep/er")
    assert not any(links.follows(f"{tree}/{path}") for path in ("a/proc", "a/sys", "a/dev", "processes"))
    notices = [notice for notice in through.backend.notices() if not notice.detail]
    assert len(notices) == 1
    put(tree / "own.py")
    put(tree.parent / "lib" / "a.py")
    assert {"own.py", "lib/a.py"} <= told(through, tree).keys()


def test_where_the_kernel_does_not_tell_what_is_behind_links_is_polled(tree: Path) -> None:
    """As the root is that is on the same file system."""
    link(tree / "lib", "../lib")
    table = [mount._replace(kind="nfs4") for mount in mounts()]
    through = Through("inotify", tree, fence=Fence(lambda: table))
    polling = through.backend._polling
    assert polling is not None
    assert polling.directories == 3
    put(tree.parent / "lib" / "deep" / "er" / "b.py")

    def noticed() -> bool:
        through.read()
        return f"{tree}/lib/deep/er/b.py" in through.told

    wait_for(noticed, "the next look")
    through.close()


# -- anything --------------------------------------------------------------------------------------------------------


def fumble(rng: random.Random, base: Path, count: int, folders: bool = True) -> None:
    """Random operations on two trees full of links into each other. `folders`: they are moved and removed as well."""
    names = "abc"

    def folder() -> Path:
        return base / rng.choice(["tree", "tree", "out"]) / "/".join(rng.choice(names) for _ in range(rng.randrange(3)))

    for number in range(count):
        one, other = folder(), folder()
        name = rng.choice(names)
        ways: list[Callable[[], object]] = [
            lambda one=one, number=number: put(one / f"f{rng.randrange(3)}", f"{number} {rng.random()}"),  # type: ignore[misc]
            lambda one=one, number=number: put(one / f"f{rng.randrange(3)}", f"{number} {rng.random()}"),  # type: ignore[misc]
            lambda one=one, other=other: link(one / rng.choice("lmabc"), other),  # type: ignore[misc]
            lambda one=one, other=other: link(one / rng.choice("lm"), os.path.relpath(other, one)),  # type: ignore[misc]
            lambda one=one, other=other: link(one / f"f{rng.randrange(3)}", other / f"f{rng.randrange(3)}"),  # type: ignore[misc]
            lambda one=one: (one / rng.choice("lm")).unlink(),  # type: ignore[misc]
            lambda one=one, other=other, name=name: (one / name).rename(other / rng.choice(names)),  # type: ignore[misc]
            lambda one=one, name=name: shutil.rmtree(one / name),  # type: ignore[misc]
        ]
        try:
            rng.choice(ways if folders else ways[:6])()
        except (OSError, shutil.Error):
            pass
        if rng.random() < 0.05:
            time.sleep(rng.random() * 0.004)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_whatever_happens_to_links_nothing_is_lost(watch: Watch, tmp_path: Path) -> None:
    """In the end everything that can be reached is known, as it is."""
    for seed in range(SCRIPTS):
        base = tmp_path / str(seed) / "links" / "that lead up" / "do not lead out"
        for name in "tree", "out":
            (base / name).mkdir(parents=True)
        fumble(random.Random(-seed - 1), base, 40)
        through = watch(base / "tree")
        if through.backend.fileno() < 0:  # what happens while it looks is seen by the next look, so at rest
            for part in range(8):
                fumble(random.Random(8 * seed + part), base, 10)
                through.settle()
                assert not through.wrong(), (seed, part)
            continue
        # Where a folder was replaced by a link, fanotify does not always find out which files are gone.
        work = partial(fumble, random.Random(seed), base, 80, folders="fanotify" not in through.name)
        writer = Writer(work)
        while not writer.done():
            through.read()
            time.sleep(0.0005)
        through.settle()
        assert not through.wrong(), seed
