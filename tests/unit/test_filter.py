"""What counts and what does not, case by case."""

from __future__ import annotations

from typing import Any

import pytest

from autoreload.core.filter import Filter, Rules

ROOT = "/app"


class Disk:
    """The facts of a made-up disk."""

    def __init__(self, ignored: dict[str, str] | None = None, packages: tuple[str, ...] = ()) -> None:
        self.ignored = ignored or {}
        self.packages = packages
        self.environments: set[str] = set()

    def ignored_by(self, path: str, is_directory: bool, root: str) -> str:
        """The rule given for this path."""
        return self.ignored.get(path + "/" * is_directory, "")

    def is_package(self, directory: str) -> bool:
        """Was it given as a package?"""
        return directory in self.packages

    def is_environment(self, directory: str) -> bool:
        """Was it given as a virtual environment?"""
        return directory in self.environments


def make(disk: Disk | None = None, files: tuple[str, ...] = (), **rules: object) -> Filter:
    """A filter of /app, and of these single files."""
    asked = Rules(roots=(ROOT, *files), **rules)  # type: ignore[arg-type]
    return Filter(asked, disk or Disk(), lambda root: root not in files)


PYTHON: dict[str, Any] = {"suffixes": (".py", ".toml", ".env"), "names": (".env", ".flaskenv")}


@pytest.mark.parametrize(
    "name",
    "a.py pkg/b.py pyproject.toml .env .env.local .flaskenv prod.env Xbuild/a.py core/core.py sub/.hidden/a.py".split(),
)
def test_what_a_python_server_is_made_of_counts(name: str) -> None:
    """Source and configuration restart it."""
    assert make(**PYTHON).judge(f"{ROOT}/{name}").counts


@pytest.mark.parametrize(
    ("name", "because"),
    [
        ("a.txt", "ends with none of"),
        ("apy", "ends with none of"),
        (".a.py.swp", "temporary"),
        (".#a.py", "temporary"),
        ("#a.py#", "temporary"),
        ("a.py~", "temporary"),
        (".git/config.py", "in .git/, a folder that is always ignored"),
        ("x/node_modules/y/a.py", "in x/node_modules/, a folder"),
        ("__pycache__/a.py", "bytecode"),
        ("a.egg-info/x.py", "always ignored"),
        ("build/lib/a.py", "build output"),
    ],
)
def test_what_editors_tools_and_runs_leave_behind_does_not_count(name: str, because: str) -> None:
    """And the reason says which rule it was."""
    verdict = make(**PYTHON).judge(f"{ROOT}/{name}")

    assert not verdict.counts
    assert because in verdict.reason


@pytest.mark.parametrize(
    "name",
    "a.swp a~ 4913 ___jb_tmp___ a.py___jb_old___ .DS_Store x.log x.pid x.sock db.sqlite3 db.sqlite3-wal a.db .coverage "
    ".coverage.host.1 a.tmp a.bak a.orig".split(),
)
def test_without_extensions_everything_but_such_files_counts(name: str) -> None:
    """Any other command is restarted for whatever is not ignored."""
    everything = make()

    assert everything.judge(f"{ROOT}/Makefile").counts
    assert everything.judge(f"{ROOT}/src/main.go").counts
    assert not everything.judge(f"{ROOT}/{name}").counts
    assert make(ignore=False).judge(f"{ROOT}/{name}").counts


def test_an_extension_asked_for_by_name_is_no_junk() -> None:
    """`-e .log` means it."""
    assert make(suffixes=(".log",)).judge(f"{ROOT}/a.log").counts


def test_a_package_named_build_is_no_build_output() -> None:
    """Its edits would be lost."""
    assert make(Disk(packages=("/app/build",)), **PYTHON).judge("/app/build/a.py").counts


def test_a_virtual_environment_of_any_name_is_not_descended_into() -> None:
    """What is below it neither; it shows by its pyvenv.cfg."""
    disk = Disk()
    disk.environments.add("/app/env3")
    filtered = make(disk, **PYTHON)

    assert not filtered.descends("/app/env3/lib")
    assert not filtered.judge("/app/env3/lib/x.py").counts
    assert filtered.descends("/app/env")


def test_ignore_files_take_away_files_and_whole_folders() -> None:
    """The folder is not even watched, and the reason names the rule."""
    disk = Disk({"/app/gen/": ".gitignore:1: gen/", "/app/local.py": ".gitignore:2: local.py"})
    filtered = make(disk, **PYTHON)

    assert not filtered.descends("/app/gen")
    assert filtered.judge("/app/gen/a.py").reason == "in gen/, ignored by .gitignore:1: gen/"
    assert filtered.judge("/app/local.py").reason == "ignored by .gitignore:2: local.py"


@pytest.mark.parametrize("name", [".env", ".env.production", ".flaskenv"])
def test_environment_files_count_though_every_gitignore_names_them(name: str) -> None:
    """They configure the server."""
    assert make(Disk({f"/app/{name}": ".gitignore:1: .env*"}), **PYTHON).judge(f"/app/{name}").counts


def test_files_named_in_the_command_and_configuration_of_the_seed_form_beat_ignore_files() -> None:
    """`-c odoo.conf`, and `.conf` in the seed's EXTENSIONS."""
    disk = Disk({"/app/odoo.conf": ".gitignore:1: *.conf", "/app/x.conf": ".gitignore:1: *.conf"})

    named = make(disk, suffixes=(".py", ".conf"))
    assert not named.judge("/app/odoo.conf").counts
    named = Filter(Rules((ROOT,), (".py", ".conf"), files=("/app/odoo.conf",)), disk, lambda root: True)
    assert named.judge("/app/odoo.conf").counts
    assert not named.judge("/app/x.conf").counts
    seed = make(disk, suffixes=(".py", ".conf"), kept=frozenset((".conf",)))
    assert seed.judge("/app/x.conf").counts


def test_a_script_without_an_extension_that_is_the_command_counts() -> None:
    """Its first edit must not be in vain."""
    filtered = make(programs=("/app/serve",), **PYTHON)

    assert filtered.judge("/app/serve").counts
    assert filtered.may_count("/app/serve")
    assert not filtered.judge("/app/other").counts


def matcher(*paths: str):  # type: ignore[no-untyped-def]
    """Matches these paths."""
    return lambda path, is_directory: path if path in paths else ""


def test_include_adds_and_ignore_takes_away() -> None:
    """--ignore wins over everything, --include over extensions and ignore files."""
    disk = Disk({"/app/t.html": ".gitignore:1: *.html"})
    filtered = make(
        disk, include=matcher("/app/t.html", "/app/u.html"), exclude=matcher("/app/u.html", "/app/a.py"), **PYTHON
    )

    assert filtered.judge("/app/t.html").counts
    assert not filtered.judge("/app/u.html").counts
    assert "--ignore" in filtered.judge("/app/a.py").reason


def test_a_path_given_by_name_is_never_ignored() -> None:
    """--watch .venv/lib/mylib, --watch notes.txt: what lies in an ignored folder, what has another extension."""
    rules = Rules((ROOT, "/app/.venv/lib/mylib", "/app/notes.txt"), (".py",))
    filtered = Filter(rules, Disk(), lambda root: not root.endswith(".txt"))

    assert filtered.judge("/app/.venv/lib/mylib/a.py").counts
    assert filtered.descends("/app/.venv/lib/mylib")
    assert not filtered.judge("/app/.venv/lib/other/a.py").counts
    assert filtered.judge("/app/notes.txt").counts
    assert not filtered.judge("/app/.venv/lib/mylib/__pycache__/a.py").counts


def test_what_is_outside_of_the_roots_does_not_count() -> None:
    """A backend may hear of it."""
    assert make(**PYTHON).judge("/elsewhere/a.py").reason == "not below a watched folder"
    assert not make(**PYTHON).judge("/app2/a.py").counts


def test_by_name_alone_nothing_that_counts_is_passed_over() -> None:
    """`may_count` may say yes too often, never no."""
    filtered = make(files=("/app/notes.txt",), include=matcher("/app/x.html"), **PYTHON)

    for name in ("a.py", ".env.local", "notes.txt", "x.html", ".gitignore"):
        assert filtered.may_count(f"/app/{name}")
    assert not filtered.may_count("/app/other.txt")
