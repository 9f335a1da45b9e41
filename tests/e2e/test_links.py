"""What is behind links restarts the command as if it stood there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.e2e.tool import PYTHON, Project, autoreload, later
from tests.support import eventually

BACKENDS = ("auto", "polling")


@pytest.fixture(params=BACKENDS)
def words(request: pytest.FixtureRequest) -> list[str]:
    """Options for each backend."""
    return ["-v", "--backend", request.param, *(["--poll=0.1"] if request.param == "polling" else [])]


def link(path: Path, target: str) -> None:
    """`ln -sfn` and `mv -T`."""
    os.symlink(target, f"{path}.new")
    os.rename(f"{path}.new", path)


def release(base: Path, name: str, text: str) -> None:
    """A release of two files."""
    (base / name / "app").mkdir(parents=True)
    (base / name / "app" / "main.py").write_text(text)
    (base / name / "app" / "same.py").write_text("same")


@pytest.mark.parametrize("where", [".", ".."], ids=["releases in the root", "releases beside it"])
def test_a_deployment_is_one_restart_and_one_without_a_change_is_none(
    project: Project, words: list[str], where: str
) -> None:
    """`current -> releases/42`"""
    releases = project.tree / where / "releases"
    release(releases, "41", "one")
    release(releases, "42", "two")
    release(releases, "43", "two")
    link(project.tree / "current", f"{where}/releases/41")
    project.write("cookie.py", "old")
    command = project.stamp("current/app/main.py", "cookie.py")
    with autoreload(project, *words, "-e", ".py", "--", *command) as tool:
        project.wait_for_start(1)
        tool.expect("the content of [0-9]+ files is known")
        link(project.tree / "current", f"{where}/releases/42")
        project.wait_for_text("current/app/main.py", "two")
        tool.expect("the content of [0-9]+ files is known")
        link(project.tree / "current", f"{where}/releases/43")
        later(0.5)
        project.write("cookie.py", "new")
        project.wait_for_text("cookie.py", "new")
        tool.expect("the content of [0-9]+ files is known")
        (releases / "43" / "app" / "main.py").write_text("three")
        project.wait_for_text("current/app/main.py", "three")
        assert [run.texts["cookie.py"] for run in project.runs()].count("old") == 2, tool.text()
        tool.end()


@pytest.mark.parametrize("mounted", [".", "../etc"], ids=["in the root", "behind a link"])
def test_a_config_map_is_noticed_again_and_again(project: Project, words: list[str], mounted: str) -> None:
    """`config.yaml -> ..data/config.yaml`, and `..data` is swapped."""
    folder = project.tree / mounted
    folder.mkdir(exist_ok=True)

    def update(number: int) -> None:
        (folder / f"..2026_{number}").mkdir()
        (folder / f"..2026_{number}" / "config.yaml").write_text(f"version {number}")
        link(folder / "..data", f"..2026_{number}")
        if number > 1:
            shutil.rmtree(folder / f"..2026_{number - 1}")

    update(1)
    (folder / "config.yaml").symlink_to("..data/config.yaml")
    if mounted != ".":
        link(project.tree / "config.yaml", f"{mounted}/config.yaml")
    with autoreload(project, *words, "-e", ".yaml", "--", *project.stamp("config.yaml")) as tool:
        project.wait_for_start(1)
        tool.expect("the content of [0-9]+ files is known")
        for number in 2, 3, 4:
            update(number)
            project.wait_for_text("config.yaml", f"version {number}")
        tool.end()


def test_links_to_files_and_folders_outside(project: Project, words: list[str]) -> None:
    """A shared module, a shared folder, and a loop."""
    shared = project.base / "shared"
    (shared / "lib").mkdir(parents=True)
    (shared / "settings.py").write_text("old")
    (shared / "lib" / "util.py").write_text("old")
    link(project.tree / "settings.py", "../shared/settings.py")
    link(project.tree / "lib", "../shared/lib")
    link(project.tree / "loop", ".")
    with autoreload(project, *words, "--", *project.stamp("settings.py", "lib/util.py")) as tool:
        project.wait_for_start(1)
        tool.expect("the content of 2 files is known")
        (shared / "settings.py").write_text("new")
        project.wait_for_text("settings.py", "new")
        tool.expect("the content of 2 files is known")
        (shared / "lib" / "util.py").write_text("new")
        project.wait_for_text("lib/util.py", "new")
        assert set(tool.restarts()) == {"settings.py", "lib/util.py"}
        tool.end()


def test_a_link_to_too_much_is_one_line_and_changes_count_as_before(project: Project) -> None:
    """Ten thousand folders of it are watched; what is in the root, and behind a link to little, all the same."""
    for number in range(101):
        for inner in range(101):
            os.makedirs(project.base / "huge" / str(number) / str(inner))
    (project.base / "lib").mkdir()
    (project.base / "lib" / "util.py").write_text("old")
    link(project.tree / "huge", "../huge")
    link(project.tree / "lib", "../lib")
    project.write("app.py", "old")
    with autoreload(project, "-e", ".py", "--", *project.stamp("app.py", "lib/util.py")) as tool:
        project.wait_for_start(1)
        tool.expect("more than 10000 folders are behind links, most of them behind .*/huge: .*--ignore huge", within=60)
        project.write("app.py", "new")
        project.wait_for_text("app.py", "new")
        (project.base / "lib" / "util.py").write_text("new")
        project.wait_for_text("lib/util.py", "new")
        assert tool.text().count("behind links") == 1
        tool.end()


def test_a_module_that_is_a_link_to_another_folder_is_not_stale(project: Project) -> None:
    """Python's cached bytecode of it has the name and the folder of the link; the change, those of the file."""
    out = project.base / "out"
    project.write("real/code.py", "X = 1")
    project.write("pkg/__init__.py")
    link(project.tree / "pkg" / "mod.py", "../real/code.py")
    project.write("main.py", f"import sys, pkg.mod\nopen({str(out)!r}, 'a').write(f'{{pkg.mod.X}} ')\n")
    environ: dict[str, str | None] = {"PYTHONDONTWRITEBYTECODE": None}
    with autoreload(project, "-e", ".py", "--", *PYTHON, "main.py", environ=environ) as tool:
        expected = ""
        for number in range(1, 8):
            expected += f"{number} "
            eventually(lambda: out.exists() and out.read_text() == expected, what=f"{expected}: {tool.text()}")  # noqa: B023
            tool.expect("Process exited")
            os.utime(project.tree / "real" / "code.py", (1, 1))
            with open(project.tree / "real" / "code.py", "w") as file:
                file.write(f"X = {number + 1}")
            os.utime(project.tree / "real" / "code.py", (1, 1))
        tool.end()
