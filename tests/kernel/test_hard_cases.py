"""The hard cases of `cases.py` over each backend: every change is told, under its path, and no other one is.

`test_file_systems.py` runs this file on other file systems.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoreload.core.change import Kind
from autoreload.watch.polling import PollingBackend
from tests.kernel.cases import CASES, DEPTH, Case, close_all, ground
from tests.kernel.mirror import MAKERS, Maker, Mirror, maker

LAYERED = os.environ.get("AUTORELOAD_LAYERED") == "1"
"""Is what is there at the start to be in the lower layer of an overlay?"""


@pytest.fixture(params=MAKERS)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Maker:
    """Each backend."""
    return maker(request.param, str(tmp_path))


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    """As `cases.py` says, two folders below what the test may do anything with."""
    base = tmp_path / "base"
    base.mkdir()
    if LAYERED:
        for name in "low", "up", "work":
            (tmp_path / name).mkdir()
        ground(tmp_path / "low" / "above")
        layers = f"lowerdir={tmp_path}/low,upperdir={tmp_path}/up,workdir={tmp_path}/work,redirect_dir=on"
        subprocess.run(["mount", "-t", "overlay", "none", "-o", layers, base], check=True)
    else:
        ground(base / "above")
    yield base / "above" / "tree"
    close_all()
    if LAYERED:
        subprocess.run(["umount", base], check=True)
    subprocess.run(["rm", "-rf", *tmp_path.iterdir()], check=True)  # shutil.rmtree cannot go so deep


def told(mirror: Mirror, tree: Path) -> dict[str, bool]:
    """Of each path below the tree: was it told last that it is there?"""
    return {path[len(str(tree)) + 1 :]: kind is not Kind.VANISHED for path, kind in mirror.told.items()}


def check(found: dict[str, bool], case: Case, polled: bool) -> None:
    """Exactly what the case says."""
    expected = dict.fromkeys(case.gone, False) | dict.fromkeys(case.there, True)
    expected |= dict.fromkeys(case.timed if polled else case.away, True)
    allowed = dict.fromkeys(case.passing, False) | expected
    assert {path: there for path, there in found.items() if allowed.get(path) is not there} == {}
    assert expected.keys() - found.keys() == set()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.do.__name__)
def test_all_that_changed_is_told_and_nothing_else(make: Maker, tree: Path, case: Case) -> None:
    """The last word on each file is true; and the tree is watched as it is afterwards."""
    mirror = Mirror(tree, make=make)
    case.do(tree)
    mirror.settle()
    assert not mirror.wrong()
    check(told(mirror, tree), case, polled=make is PollingBackend)
    close_all()
    mirror.settle()
    mirror.told.clear()

    old = list(mirror.disk())[:50]
    new = [f"{folder}/afterwards.py" for folder in {str(tree), *map(os.path.dirname, old)}]
    for path in [*old, *new]:
        Path(path).write_text("afterwards")
    mirror.settle()
    assert not mirror.wrong()
    assert mirror.told.keys() == {*old, *new}
    mirror.close()


def test_a_tree_of_1200_levels_that_is_deleted_is_told_as_gone(make: Maker, tree: Path) -> None:
    """Each of its files."""
    path = str(tree)
    for depth in range(DEPTH):
        path += "/d"
        os.mkdir(path)
        if not depth % 100:
            Path(f"{path}/f.py").write_text("deep")
    mirror = Mirror(tree, make=make)
    deep = {path for path in mirror.files if "/d/" in path}
    subprocess.run(["rm", "-rf", tree / "d"], check=True)
    mirror.settle()
    assert mirror.told == dict.fromkeys(deep, Kind.VANISHED)
    assert not mirror.wrong()
    mirror.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.do.__name__)
def test_a_change_before_the_first_look_is_told_too(make: Maker, tree: Path, case: Case) -> None:
    """Of what vanished then nobody knows the name; what is there is known as it is."""
    mirror = Mirror(tree, make=make, settled=False)
    case.do(tree)
    mirror.settle()
    assert not mirror.wrong()
    mirror.close()
