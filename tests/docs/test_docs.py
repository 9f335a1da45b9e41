"""What the documentation says is so: its calls are understood, its messages exist, its generated parts are fresh."""

from __future__ import annotations

import ast
import re
import shutil
import tomllib
from functools import cache
from pathlib import Path

import pytest

import _docs
from autoreload import cli, settings, values
from autoreload.errors import UserError
from tests.docs.pages import PAGES, ROOT, anchors, blocks, calls, links, messages, shown

SOURCES = sorted((ROOT / "src" / "autoreload").rglob("*.py"))
IDS = [shown(page) for page in PAGES]


# -- what is made from the code ----------------------------------------------------------------------------------------
def test_what_is_made_from_the_code_is_fresh(capsys: pytest.CaptureFixture[str]) -> None:
    """`script/docs` has been run since the code it reads was changed."""
    assert _docs.main(["--check"]) == 0, capsys.readouterr().err


def test_what_is_stale_is_named_and_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A page that was edited, one that is missing, one of an option that is no more."""
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copy(ROOT / "README.md", tmp_path)
    monkeypatch.setattr(_docs, "ROOT", tmp_path)
    pages = tmp_path / "docs" / "options"
    (pages / "watch.md").write_text("edited")
    (pages / "signal.md").unlink()
    (pages / "gone.md").write_text("")

    assert _docs.main(["--check"]) == 1
    told = capsys.readouterr().err
    assert all(f"docs/options/{name}.md is stale" in told for name in ("watch", "signal", "gone"))
    assert _docs.main([]) == 0
    assert _docs.main(["--check"]) == 0
    assert not (pages / "gone.md").exists()


@pytest.mark.parametrize("option", settings.OPTIONS, ids=lambda option: str(option.name))
def test_both_examples_of_an_option_say_the_same(option: settings.Option) -> None:
    """On the command line and in pyproject.toml, and it is not the default."""
    example = _docs.EXAMPLES[option.name]
    given, command = cli.parse_words(example.call.split()[1:])
    on_the_line = settings.parse(option, [word.strip("'") for word in given[option.name]], option.flag)
    in_the_file = settings.from_table(tomllib.loads(example.toml), "")[option.name]

    assert on_the_line == in_the_file != option.default
    assert command


# -- calls -------------------------------------------------------------------------------------------------------------
def understand(words: list[str]) -> None:
    """Raise UserError unless these words are a call of autoreload."""
    given, rest = cli.parse_words(words)
    for name, found in given.items():
        if name in settings.BY_NAME:
            settings.parse(settings.BY_NAME[name], found, name)
    if len(rest) == 3 and rest[1].startswith("."):
        values.suffixes(rest[1])
    if words and not rest and not given.keys() & {"help", "version"} and given.keys() - settings.BY_NAME.keys():
        raise UserError("there is no command")


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_call_is_understood(page: Path) -> None:
    """Each call that a page shows has known options with good values."""
    for words in calls(page):
        understand(words)


def test_calls_are_found_wherever_they_stand(tmp_path: Path) -> None:
    """In blocks of shell, JSON, systemd and Docker, behind other commands, in quotes, and in a sentence."""
    (tmp_path / "page.md").write_text(
        "```sh\nautoreload -q make\nsudo -E env autoreload a\nredis & exec autoreload b\ntmux new 'autoreload -- c d'\n"
        'pipx install autoreload-cli\n```\n```json\n{"scripts": {"dev": "autoreload e"}}\n```\n```dockerfile\n'
        'ENTRYPOINT ["autoreload", "f"]\n```\n```ini\nExecStart=%h/bin/autoreload g\n```\nOr `autoreload h`.\n'
    )

    found = list(calls(tmp_path / "page.md"))

    assert [words[-1] for words in found] == ["make", "a", "b", "d", "e", "f", "g", "h"]


def test_a_wrong_call_would_be_found() -> None:
    """An unknown option, and a value that is none."""
    for words in (["--wath", "src", "make"], ["--stop-timeout", "soon", "make"]):
        with pytest.raises(UserError):
            understand(words)


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_table_of_settings_is_understood(page: Path) -> None:
    """Each `[tool.autoreload]` that a page shows."""
    for block in blocks(page):
        if block.language == "toml":
            settings.from_table(tomllib.loads(block.text)["tool"]["autoreload"], shown(page))


# -- messages ----------------------------------------------------------------------------------------------------------
@cache
def templates() -> list[re.Pattern[str]]:
    """Every text in the source that may be (a part of) a message, with anything for its variable parts."""
    found = []
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                parts: list[str | None] = [node.value]
            elif isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else None for part in node.values]  # type: ignore[misc]
            else:
                continue
            if sum(len(part.strip(" ;")) for part in parts if part) >= 9:
                found.append(re.compile("".join(".*?" if part is None else re.escape(part) for part in parts)))
    return found


def is_said(message: str) -> bool:
    """Is each part of it, between semicolons, said by the source? `...` stands for what the page leaves out."""
    if message.endswith("..."):
        message = message.removesuffix("...").rstrip(" ;")
    parts = message.split("; ")
    for end in range(len(parts), 0, -1):
        if any(template.fullmatch("; ".join(parts[:end])) for template in templates()):
            return end == len(parts) or is_said("; ".join(parts[end:]))
    return False


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_message_is_one_of_ours(page: Path) -> None:
    """What a page says that autoreload says, it can say."""
    assert [message for message in messages(page) if not is_said(message)] == []


def test_a_message_that_is_not_ours_would_be_found() -> None:
    """However near it is to one of ours."""
    assert is_said("Modification detected, restart process: models.py")
    assert is_said("Process exited with code 1 after 120 ms; waiting for a change")
    assert not is_said("Modification detected, restarting process: models.py")
    assert not is_said("Cannot stop process 4711 (python): belongs to user root")


# -- links -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_link_leads_somewhere(page: Path) -> None:
    """To a file that is there, and to a heading that is in it."""
    for target in links(page):
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), target
        assert not anchor or anchor in anchors(path), target
