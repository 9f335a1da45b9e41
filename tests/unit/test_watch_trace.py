"""How the path of a root is looked up."""

from __future__ import annotations

import os
from pathlib import Path

from autoreload.watch.way import Way, trace


def looked_up(path: str, base: Path) -> tuple[Way, list[str]]:
    """The way, from `base` on, and the folders that were watched, in order."""
    watched: list[str] = []

    def watch(folder: str) -> int:
        watched.append(folder)
        return len(watched)

    way = trace(path, watch)
    return way, [folder[len(str(base)) :] for folder in watched if folder.startswith(str(base))]


def test_each_folder_is_watched_before_a_name_is_looked_up_in_it(tmp_path: Path) -> None:
    """From the top down."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    way, watched = looked_up(f"{tmp_path}/a/b", tmp_path)
    assert watched == ["", "/a"]
    assert way.end == f"{tmp_path}/a/b"
    assert way.whole


def test_links_are_followed_wherever_they_lead(tmp_path: Path) -> None:
    """Relative ones, absolute ones, up and down: the end is where the kernel would end."""
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "one").symlink_to("real/../two")
    (tmp_path / "two").symlink_to(tmp_path / "real")
    path = f"{tmp_path}/one//deep/./../deep"
    way, _ = looked_up(path, tmp_path)
    assert way.end == os.path.realpath(path) == f"{tmp_path}/real/deep"
    assert [step.name for step in way.steps if step.link] == ["one", "two"]


def test_a_missing_name_ends_the_way(tmp_path: Path) -> None:
    """It tells how far it came: only the last name is missing, or more."""
    way, watched = looked_up(f"{tmp_path}/no", tmp_path)
    assert (way.end, way.whole, watched) == (None, True, [""])
    way, watched = looked_up(f"{tmp_path}/no/nor", tmp_path)
    assert (way.end, way.whole, watched) == (None, False, [""])


def test_a_circle_of_links_is_missing(tmp_path: Path) -> None:
    """As ELOOP."""
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    way, _ = looked_up(f"{tmp_path}/a/x", tmp_path)
    assert (way.end, way.whole) == (None, False)
