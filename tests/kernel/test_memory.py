"""What memory is free, and what a process takes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from autoreload.linux import memory


def test_the_memory_of_a_process() -> None:
    """It grows with what it writes to; of one that is not there nobody knows."""
    before = memory.proportional(os.getpid())
    filled = bytearray(b"x") * (32 << 20)
    after = memory.proportional(os.getpid())

    assert before is not None
    assert after is not None
    assert after - before > 30 << 20
    assert len(filled) == 32 << 20
    assert memory.proportional(1 << 22) is None


def test_what_is_free_is_no_more_than_the_machine_has() -> None:
    """And something is."""
    free = memory.free()

    assert free is not None
    assert 0 < free <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize(
    ("line", "folder", "names"),
    [
        ("0::/a/b\n", "a", ("memory.max", "memory.current", "inactive_file")),
        ("4:cpu,memory:/a/b\n", "memory/a", ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")),
    ],
)
def test_a_control_group_above_may_leave_less(
    line: str, folder: str, names: tuple[str, str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of both versions. What is cached of files and not in use is as good as free."""
    group = tmp_path / folder
    (group / "b").mkdir(parents=True)
    (group / names[0]).write_text("5000\n")
    (group / names[1]).write_text("3000\n")
    (group / "memory.stat").write_text(f"anon 1\n{names[2]} 1000\n")
    (group / "b" / names[0]).write_text("max\n" if line.startswith("0") else "9223372036854771712\n")
    (group / "b" / names[1]).write_text("3000\n")
    text = memory._text
    monkeypatch.setattr(memory, "_CGROUPS", str(tmp_path))
    monkeypatch.setattr(memory, "_text", lambda path: line if path == "/proc/self/cgroup" else text(path))

    assert memory.free() == 3000
