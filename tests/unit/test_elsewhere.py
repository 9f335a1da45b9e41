"""What is asked of file systems that may not answer, and what is asked here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from autoreload.elsewhere import Elsewhere
from autoreload.warm import disk as warm


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


class Silent:
    """A helper whose file system does not answer, but for what it is told to say."""

    def __init__(self, answers: dict[str, object]) -> None:
        self.answers = answers
        self.asked: list[tuple[object, ...]] = []

    def call(self, service: str, *arguments: object, default: object) -> object:
        """As `Helper.call`."""
        self.asked.append((service, *arguments))
        return self.answers.get(service, default)


@pytest.fixture
def far(tmp_path: Path) -> Path:
    """A folder behind a fence. Nobody may look into it: there is nothing."""
    return tmp_path / "far"


def elsewhere_with(far: Path, helper: Silent | None, monkeypatch: pytest.MonkeyPatch) -> Elsewhere:
    """The disk, and who answers for what is behind the fence."""
    elsewhere = Elsewhere("auto", None)
    elsewhere.aside.points = {str(far)}
    monkeypatch.setattr(elsewhere.aside, "behind", lambda path: helper if path.startswith(str(far)) else None)
    return elsewhere


def test_used_files_that_nobody_answers_for_are_unknown(
    tmp_path: Path, far: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is what no file is; the others are looked at here."""
    near = tmp_path / "m.py"
    near.touch()
    paths = [str(near), str(tmp_path / "gone.py"), str(far / "a.py"), str(far / "b.py")]
    helper = Silent({})

    for whose in (helper, None):
        found = elsewhere_with(far, whose, monkeypatch).signatures(paths)

        assert found[paths[0]] == warm.signatures(paths[:1])[paths[0]] != warm.UNKNOWN
        assert [found[path] for path in paths[1:]] == [None, warm.UNKNOWN, warm.UNKNOWN]
    assert helper.asked == [("signatures", paths[2:])]


def test_used_files_that_somebody_answers_for_are_known(far: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of a file system in one question."""
    paths = [str(far / "x" / "a.py"), str(far / "y" / "b.py")]
    helper = Silent({"signatures": {paths[0]: (1, 2, 3, 4), paths[1]: None}, "head": b"x = 1"})
    elsewhere = elsewhere_with(far, helper, monkeypatch)

    assert elsewhere.signatures(paths) == {paths[0]: (1, 2, 3, 4), paths[1]: None}
    assert elsewhere.head(paths[0], 10) == b"x = 1"
    assert helper.asked == [("signatures", paths), ("head", paths[0], 10)]


def test_what_a_changed_file_holds_is_not_read_where_nobody_should_look(
    far: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is a path followed there."""
    elsewhere = elsewhere_with(far, None, monkeypatch)
    far.mkdir()
    (far / "a.py").write_text("x = 1")
    os.symlink("a.py", far / "link.py")

    assert elsewhere.head(str(far / "a.py"), 10) is None
    assert elsewhere.real(str(far / "link.py")) == str(far / "link.py")
    assert elsewhere.is_beyond(str(far / "a.py"))
