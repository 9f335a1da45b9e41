"""By which paths files can be reached: a module may be imported by any of them, and its bytecode be in any."""

from __future__ import annotations

from pathlib import Path

from autoreload.watch.backend import Root
from autoreload.watch.links import Link, Links
from tests.kernel.mirror import Everything


def links(tree: Path, **found: str) -> Links:
    """Links in a tree, each with the path without links that it leads to."""
    it = Links([Root(str(tree))], Everything())
    for name, real in found.items():
        link = it.links[f"{tree}/{name}"] = Link(f"{tree}/{name}", nested=False)
        link.real = real
    return it


def test_a_file_has_the_paths_of_all_links_above_it(tmp_path: Path) -> None:
    """Those to its folder, to one further up, to itself, to everything; not those to what is only named alike."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    file = f"{tmp_path}/a/b/m.py"
    found = links(
        tmp_path, deep=f"{tmp_path}/a/b", twin=f"{tmp_path}/a/b", up=f"{tmp_path}/a", alike=f"{tmp_path}/a/bb",
        single=file, all="",
    )  # fmt: skip
    behind = {f"{tmp_path}/{path}" for path in ("deep/m.py", "twin/m.py", "up/b/m.py", "single")}
    assert found.names([file]) == {file, f"{tmp_path}/all{file}", *behind}
    assert found.names([f"{tmp_path}/c.py"]) == {f"{tmp_path}/c.py", f"{tmp_path}/all{tmp_path}/c.py"}


def test_a_path_through_a_link_has_the_real_one_and_those_of_other_links(tmp_path: Path) -> None:
    """Whichever of them was told of."""
    (tmp_path / "a").mkdir()
    (tmp_path / "one").symlink_to("a")
    found = links(tmp_path, one=f"{tmp_path}/a", two=f"{tmp_path}/a")
    assert found.names([f"{tmp_path}/one/m.py"]) == {f"{tmp_path}/{name}/m.py" for name in ("a", "one", "two")}
    assert links(tmp_path).names(["/x"]) == {"/x"}
