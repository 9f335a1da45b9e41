"""What the pages of the documentation hold: headings, blocks of code, calls of autoreload, messages, links."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")],
)
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`]+)`")
_MESSAGE = re.compile(r"==> (.+?) <==|`autoreload: (.+?)`")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)]+)\)")


class Block(NamedTuple):
    """A fenced block of code."""

    heading: str
    language: str
    text: str


def shown(page: Path) -> str:
    """Its name, as seen from the checkout."""
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> list[Block]:
    """Its fenced blocks of code, each with the heading it stands under."""
    text = page.read_text()
    headings = [(match.start(), match[1]) for match in _HEADING.finditer(text)]
    return [
        Block(next((name for start, name in reversed(headings) if start < found.start()), ""), found[1], found[2])
        for found in _FENCE.finditer(text)
    ]


def prose(page: Path) -> str:
    """What is outside of its fenced blocks."""
    return _FENCE.sub("", page.read_text())


def calls(page: Path) -> Iterator[list[str]]:
    """The words of every call of autoreload that the page shows, without its name."""
    for block in blocks(page):
        if block.language == "sh":
            for line in block.text.splitlines():
                yield from _in_line(line)
        elif block.language == "json":
            for script in json.loads(block.text).get("scripts", {}).values():
                yield from _in_line(script)
        elif block.language == "dockerfile":
            for words in re.findall(r"^ENTRYPOINT (\[.*\])$", block.text, re.MULTILINE):
                yield json.loads(words)[1:]
        elif block.language == "ini":
            for line in re.findall(r"^ExecStart=(.*)$", block.text, re.MULTILINE):
                yield from _in_line(line)
    for code in _INLINE.findall(prose(page)):
        if re.match(r"autoreload( |$)", code):
            yield shlex.split(code)[1:]
    for line in re.findall(r"^    \$ (autoreload .*)$", prose(page), re.MULTILINE):
        yield shlex.split(line)[1:]


def _in_line(line: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;")
    lexer.whitespace_split = True
    words = list(lexer)
    for number, word in enumerate(words):
        if word.rpartition("/")[2] == "autoreload" and (number == 0 or words[number - 1] not in ("install", "cd")):
            yield words[number + 1 :]
            return
        if "autoreload " in word:  # a line of shell in quotes
            yield from _in_line(word)


def messages(page: Path) -> list[str]:
    """What the page says that autoreload says, without arrows; each up to where it is cut by `...`."""
    found = _MESSAGE.findall(page.read_text())
    return [running or refusing for running, refusing in found if (running or refusing) != "..."]


def links(page: Path) -> list[str]:
    """Where its links lead, but for those that leave the checkout."""
    return [target for target in _LINK.findall(prose(page)) if "://" not in target]


def anchors(page: Path) -> set[str]:
    """What can stand behind the # in a link to it."""
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in _HEADING.findall(prose(page)))
    return {heading.strip().replace(" ", "-") for heading in plain}
