"""What is asked of file systems that may not answer, and what is asked here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from autoreload.elsewhere import Elsewhere


def test_thousands_of_changed_sources_are_told_apart_folder_by_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a path leads costs a system call for each name in it: a checkout would wait for minutes."""
    far = tmp_path / "far"
    for folder in ("near", "far"):
        (tmp_path / folder).mkdir()
    sources = [tmp_path / "near" / f"m{number}.py" for number in range(300)]
    for source in sources:
        source.touch()
    os.symlink(far / "x.py", tmp_path / "near" / "link.py")
    sources += [tmp_path / "near" / "link.py", far / "m.py"]
    elsewhere = Elsewhere("auto", None)
    elsewhere.aside.points = {str(far)}
    asked: list[str] = []
    is_beyond = elsewhere.aside.is_beyond

    def ask(path: str) -> bool:
        asked.append(path)
        return is_beyond(path)

    monkeypatch.setattr(elsewhere.aside, "is_beyond", ask)

    near, beyond = elsewhere._told_apart(map(str, sources))

    assert beyond == [str(tmp_path / "near" / "link.py"), str(far / "m.py")]
    assert near == [str(source) for source in sources[:300]]
    assert len(asked) == 3
