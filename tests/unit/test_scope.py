"""Ignore files as Git reads them, and the disk that the filter asks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from autoreload.core.filter import Rules
from autoreload.errors import UserError
from autoreload.scope import MANY, Patterns, Scope

NOBODY = {"HOME": "/nonexistent"}


def scope(root: Path, environ: Mapping[str, str] = NOBODY, **options: object) -> Scope:
    """The scope of this root for a Python command, having looked at every folder as a backend does."""
    include, exclude = options.pop("include", ()), options.pop("exclude", ())
    rules = Rules((str(root),), (".py",), **options)  # type: ignore[arg-type]
    found = Scope(rules, (include, str(root)), (exclude, str(root)), environ)  # type: ignore[arg-type]
    look(found, root)
    return found


def look(found: Scope, directory: Path) -> None:
    """List a folder and what is wanted below it."""
    entries = sorted(directory.iterdir())
    found.listed(str(directory), [entry.name for entry in entries])
    for entry in entries:
        if entry.is_dir() and found.wants_directory(str(entry)):
            look(found, entry)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository with a few folders, each with a file a.py."""
    for name in (".git/info", "sub/deep", "gen"):
        (tmp_path / name).mkdir(parents=True)
    for folder in (".", "sub", "sub/deep", "gen"):
        (tmp_path / folder / "a.py").touch()
    return tmp_path


def test_nested_ignore_files_the_deepest_decides(tree: Path) -> None:
    """Also by taking back what one above it ignores."""
    (tree / ".gitignore").write_text("# comment\n\n*_local.py\n/gen/\n")
    (tree / "sub" / ".gitignore").write_text("!x_local.py\nb.py\n")
    found = scope(tree)

    assert found.judge(f"{tree}/y_local.py").reason == "ignored by .gitignore:3: *_local.py"
    assert not found.judge(f"{tree}/sub/y_local.py").counts
    assert found.judge(f"{tree}/sub/x_local.py").counts
    assert not found.judge(f"{tree}/sub/deep/b.py").counts
    assert found.judge(f"{tree}/b.py").counts
    assert not found.wants_directory(f"{tree}/gen")


def test_ignore_files_above_the_root_up_to_the_top_of_the_repository(tree: Path) -> None:
    """A root that is a folder of a repository."""
    (tree / ".gitignore").write_text("deep/\nsub/c.py\n")

    found = scope(tree / "sub")
    assert not found.wants_directory(f"{tree}/sub/deep")
    assert not found.judge(f"{tree}/sub/c.py").counts
    assert found.judge(f"{tree}/sub/a.py").counts


def test_the_exclude_file_of_the_repository_and_the_global_one(tree: Path) -> None:
    """.git/info/exclude, core.excludesFile, and its default place."""
    (tree / ".git/info/exclude").write_text("one.py\n")
    home = tree / "home"
    (home / ".config/git").mkdir(parents=True)
    (home / ".config/git/ignore").write_text("two.py\n")
    environ = {"HOME": str(home)}

    found = scope(tree, environ)
    assert not found.judge(f"{tree}/one.py").counts
    assert not found.judge(f"{tree}/sub/two.py").counts

    (home / ".gitconfig").write_text("[user]\n\tname = x\n[core]\n\texcludesFile = ~/mine\n")
    (home / "mine").write_text("three.py\n")
    found = scope(tree, environ)
    assert found.judge(f"{tree}/two.py").counts
    assert not found.judge(f"{tree}/three.py").counts


def test_an_ignore_file_that_changes_is_read_again(tree: Path) -> None:
    """What it ignored starts to count, and the other way round."""
    ignore = tree / ".gitignore"
    ignore.write_text("gen/\n")
    found = scope(tree)
    assert not found.wants_directory(f"{tree}/gen")

    ignore.write_text("sub/\n")
    assert found.reread(str(ignore))
    assert found.wants_directory(f"{tree}/gen")
    assert not found.wants_directory(f"{tree}/sub")

    ignore.unlink()
    assert found.reread(str(ignore))
    assert found.wants_directory(f"{tree}/sub")
    assert not found.reread(str(ignore))
    assert not found.reread(f"{tree}/a.py")


def test_no_ignore_reads_none_of_them(tree: Path) -> None:
    """--no-ignore; --ignore still works."""
    (tree / ".gitignore").write_text("a.py\n")

    found = scope(tree, ignore=False, exclude=("sub/deep/",))
    assert found.judge(f"{tree}/a.py").counts
    assert found.wants_directory(f"{tree}/.git")
    assert not found.wants_directory(f"{tree}/sub/deep")


def test_patterns_of_options_are_those_of_gitignore(tree: Path) -> None:
    """Without a slash at any depth, with one from the start directory."""
    found = scope(tree, include=("Makefile", "sub/*.html"), exclude=("*_pb2.py", "/gen"))

    assert found.judge(f"{tree}/sub/deep/Makefile").counts
    assert found.judge(f"{tree}/sub/x.html").counts
    assert not found.judge(f"{tree}/x.html").counts
    assert found.judge(f"{tree}/sub/x_pb2.py").reason == "ignored by --ignore *_pb2.py"
    assert not found.wants_directory(f"{tree}/gen")
    assert found.wants_directory(f"{tree}/sub/gen")


@pytest.mark.parametrize("pattern", ["sub", "/sub", "sub/", "/sub/**"])
def test_a_root_asked_for_by_name_is_watched_whatever_ignores_it(tree: Path, pattern: str) -> None:
    """--watch sub, with sub/ in .gitignore; other rules go on to work in it."""
    (tree / ".gitignore").write_text(f"{pattern}\nb.py\n")
    rules = Rules((str(tree), f"{tree}/sub"), (".py",))
    found = Scope(rules, ((), str(tree)), ((), str(tree)), NOBODY)
    look(found, tree / "sub")

    assert found.judge(f"{tree}/sub/a.py").counts
    assert not found.judge(f"{tree}/sub/b.py").counts


def test_a_folder_of_build_output_may_become_a_package(tree: Path) -> None:
    """It is looked at again, though it is not watched."""
    (tree / "sub/build").mkdir()
    found = scope(tree)
    assert not found.wants_directory(f"{tree}/sub/build")
    assert found.unsure
    assert not found.recheck()

    (tree / "sub/build/__init__.py").touch()
    assert found.recheck()
    assert found.wants_directory(f"{tree}/sub/build")
    assert not found.unsure


def test_a_line_that_is_no_pattern_is_passed_over_and_told_of_once(tree: Path) -> None:
    """The others of the file work; in an option it is an error."""
    (tree / ".gitignore").write_text("gen/\n!\nb.py\n")
    found = scope(tree)

    assert not found.judge(f"{tree}/b.py").counts
    assert found.take_broken() == [".gitignore:2: ! is no pattern"]
    assert found.take_broken() == []
    with pytest.raises(UserError, match="--ignore: '!' is no pattern"):
        scope(tree, exclude=("!",))


def test_a_project_that_is_a_virtual_environment_itself_is_watched(tree: Path) -> None:
    """`python -m venv .`: all but the folders of the environment."""
    (tree / "pyvenv.cfg").touch()
    (tree / "lib/python3").mkdir(parents=True)
    found = scope(tree)

    assert found.judge(f"{tree}/sub/a.py").counts
    assert not found.wants_directory(f"{tree}/lib")


def test_a_configuration_file_named_in_the_command_counts_in_an_ignored_folder(tree: Path) -> None:
    """`-c local/app.conf`, with local/ in .gitignore; nothing else in there does."""
    (tree / ".gitignore").write_text("/local/\n")
    (tree / "local").mkdir()
    found = scope(tree, files=(f"{tree}/local/app.py",))

    assert found.wants_directory(f"{tree}/local")
    assert found.judge(f"{tree}/local/app.py").counts
    assert not found.judge(f"{tree}/local/other.py").counts


def test_a_virtual_environment_is_known_by_its_marker(tree: Path) -> None:
    """Whatever its name."""
    (tree / "python3/lib").mkdir(parents=True)
    (tree / "python3/pyvenv.cfg").touch()

    found = scope(tree)
    assert not found.wants_directory(f"{tree}/python3/lib")
    assert not found.judge(f"{tree}/python3/lib/a.py").counts


def test_names_that_are_not_utf8_are_matched_too(tree: Path) -> None:
    """They come as surrogates."""
    (tree / ".gitignore").write_bytes(b"caf\xe9.py\n")
    found = scope(tree)

    assert not found.judge(f"{tree}/caf\udce9.py").counts
    assert found.judge(f"{tree}/caf\udcea.py").counts


@pytest.mark.parametrize("is_directory", [True, False], ids=["folders", "files"])
def test_the_answer_is_the_same_however_often_it_was_asked_for(is_directory: bool) -> None:
    """After many questions all patterns are tried at once, as most paths are matched by none."""
    lines = ["# a comment", "", "*.log", "/build/", "!keep.log", "docs/**/out", "a b/", "[xy]?", "/top", "**/tail/*"]
    paths = [
        *("x.log", "sub/keep.log", "build", "sub/build", "build/x", "docs/out", "docs/a/b/out", "a b", "x1", "xyz"),
        *("top", "sub/top", "tail", "tail/x", "sub/tail/x/y", "other", "two\nlines.log", "nothing/at/all.py"),
    ]
    for some in (lines, [*lines, "**"], ["!"], ["/"]):
        fresh = {path: Patterns(some).match(path, is_directory) for path in paths}
        tired = Patterns(some)
        for _ in range(MANY):
            tired.match("other", is_directory)
        assert {path: tired.match(path, is_directory) for path in paths} == fresh
