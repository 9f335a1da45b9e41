"""Where no link may lead, by made-up tables of mounts; and whose turn it is."""

from __future__ import annotations

import pytest

from autoreload.linux.mounts import parse
from autoreload.watch.fence import Fence
from autoreload.watch.turns import Turns
from autoreload.watch.way import trace

TABLE = parse(
    """1 0 8:1 / / rw - ext4 /dev/sda1 rw
2 1 0:5 / /proc rw - proc proc rw
3 1 0:6 / /dev rw - tmpfs none rw
4 1 0:7 / /mnt/share rw - nfs4 server:/share rw
5 1 0:8 / /mnt/other rw - fuse.sshfs server:/other rw
6 5 0:9 / /mnt/other/disk rw - ext4 /dev/sdb1 rw
7 1 0:10 / /run/user rw - tmpfs none rw
"""
)


def fence(*roots: str) -> Fence:
    """With roots at these paths."""
    made = Fence(lambda: TABLE)
    made.build(roots)
    return made


@pytest.mark.parametrize("path", ["/", "", "/home/me", "/mnt", "/run/user/0", "/mnt/other/disk/x", "/mnt/shared"])
def test_folders_of_files_stand_open(path: str) -> None:
    """On any file system of this machine."""
    assert fence("/home/me").allows(path)


@pytest.mark.parametrize(
    "path", ["/proc", "/proc/1", "/sys/x", "/dev/shm", "/mnt/share", "/mnt/share/x", "/mnt/other/x"]
)
def test_what_may_hang_or_is_no_folder_of_files_does_not(path: str) -> None:
    """Also without /sys in the table."""
    assert not fence("/home/me").allows(path)


def test_where_a_root_is_links_may_lead_as_well() -> None:
    """It is looked at all the same; but not another one of these file systems."""
    made = fence("/mnt/share/project")
    assert made.allows("/mnt/share/lib")
    assert not made.allows("/mnt/other/lib")


def test_a_lookup_stops_at_the_fence(tmp_path: object) -> None:
    """And says where."""
    asked = []

    def may_look(path: str) -> bool:
        asked.append(path)
        return path != f"{tmp_path}/share"

    way = trace(f"{tmp_path}/share/deep/er", lambda folder: 0, may_look)
    assert (way.end, way.blocked) == (None, f"{tmp_path}/share")
    assert asked[-1] == f"{tmp_path}/share"


def test_everybody_has_a_turn() -> None:
    """However much waits before them."""
    turns: Turns[str] = Turns()
    for key, item in (1, "a"), (1, "b"), (1, "c"), (2, "x"), (3, "y"), (3, "z"):
        turns.add(key, item)
    assert [turns.next() for _ in range(6)] == ["a", "x", "y", "b", "z", "c"]
    assert not turns
