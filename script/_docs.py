"""Make the documentation that the code already holds: a page for each option, and marked sections of other pages.

A section stands between `<!-- NAME:begin -->` and `<!-- NAME:end -->`, each on a line of its own.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from autoreload import usage as printed
from autoreload.core import filter as rules
from autoreload.core import lifecycle
from autoreload.settings import OPTIONS, Option

ROOT = Path(__file__).parents[1]
GENERATED = "<!-- Made by script/docs from src/autoreload/settings.py: edit that. -->"


class Example(NamedTuple):
    """An option in use, both ways; a test checks that they say the same."""

    call: str
    toml: str


EXAMPLES = {
    "watch": Example("autoreload --watch src --watch ../shared python app.py", 'watch = ["src", "../shared"]'),
    "extensions": Example("autoreload -e .py,.html flask run", 'extensions = [".py", ".html"]'),
    "include": Example("autoreload --include 'templates/**' python app.py", 'include = "templates/**"'),
    "ignore": Example("autoreload -i 'static/**' -i '*_pb2.py' python app.py", 'ignore = ["static/**", "*_pb2.py"]'),
    "no_ignore": Example("autoreload --no-ignore -e .log ./summarise", "no-ignore = true"),
    "signal": Example("autoreload --signal INT python app.py", 'signal = "INT"'),
    "stop_timeout": Example("autoreload --stop-timeout 30s celery -A proj worker", 'stop-timeout = "30s"'),
    "debounce": Example("autoreload --debounce 200ms make", 'debounce = "200ms"'),
    "backend": Example("autoreload --backend fanotify make", 'backend = "fanotify"'),
    "poll": Example("autoreload --poll=2 python app.py", 'poll = "2s"'),
    "warm": Example("autoreload --warm flask --app app run", "warm = true"),
    "cold": Example("autoreload --warm --cold '*.ini' python app.py", 'cold = "*.ini"'),
    "warm_memory": Example("autoreload --warm --warm-memory 500M python app.py", 'warm-memory = "500M"'),
    "no_use_check": Example("autoreload --warm --no-use-check python app.py", "no-use-check = true"),
    "postpone": Example("autoreload -p pytest -q", "postpone = true"),
    "on_exit": Example("autoreload --on-exit restart python worker.py", 'on-exit = "restart"'),
    "no_content_check": Example("autoreload --no-content-check make", "no-content-check = true"),
    "no_check": Example("autoreload --no-check python app.py", "no-check = true"),
    "listen": Example(
        "autoreload --listen 8000 --listen unix:/tmp/app.sock gunicorn app:app",
        'listen = ["8000", "unix:/tmp/app.sock"]',
    ),
    "overlap": Example("autoreload --overlap uvicorn app:app", "overlap = true"),
    "keep_sockets": Example("autoreload --keep-sockets=always node server.js", 'keep-sockets = "always"'),
    "no_keep_sockets": Example("autoreload --no-keep-sockets python app.py", "no-keep-sockets = true"),
    "show_errors": Example("autoreload --show-errors flask run --host 0.0.0.0", "show-errors = true"),
    "clear": Example("autoreload -c pytest -q", "clear = true"),
    "quiet": Example("autoreload -q python app.py", "quiet = true"),
    "verbose": Example("autoreload -v python app.py", "verbose = true"),
    "explain": Example("autoreload --explain python app.py", "explain = true"),
}


def main(arguments: list[str]) -> int:
    """Exit code: 1 if `--check` found something stale."""
    if arguments not in ([], ["--check"]):
        print("usage: script/docs [--check]", file=sys.stderr)
        return 2
    stale = [path for path, text in made().items() if not path.exists() or path.read_text() != text]
    strangers = sorted(set(options_folder().glob("*.md")) - set(made()))
    for path in [*stale, *strangers]:
        shown = path.relative_to(ROOT)
        if arguments:
            print(f"{shown} is stale; run script/docs", file=sys.stderr)
        elif path in strangers:
            path.unlink()
            print(f"removed {shown}")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(made()[path])
            print(f"wrote {shown}")
    return 1 if arguments and (stale or strangers) else 0


def options_folder() -> Path:
    """Where the pages of the options are; nothing else is."""
    return ROOT / "docs" / "options"


def made() -> dict[Path, str]:
    """All that is made, by file."""
    pages = {options_folder() / f"{option.flag[2:]}.md": option_page(option) for option in OPTIONS}
    pages[options_folder() / "README.md"] = option_index()
    for name, sections in SECTIONS.items():
        path = ROOT / name
        text = path.read_text() if path.exists() else ""
        for section, make in sections.items():
            text = with_section(text, section, make())
        pages[path] = text
    return pages


# -- options -----------------------------------------------------------------------------------------------------------
def option_page(option: Option) -> str:
    """The page of one option."""
    example = EXAMPLES[option.name]
    text, default = split_help(option)
    return f"""{GENERATED}

# `{usage(option)}`

{_plain(text[0].upper() + text[1:])}.

| | |
|---|---|
| on the command line | {on_the_line(option)} |
| in `pyproject.toml` | `{option.flag[2:]}`: {toml_type(option)} |
| default | {default} |
| given again | {given_again(option)} |

{_paragraphs(option.page)}

## Example

```sh
{example.call}
```

or, in `pyproject.toml`:

```toml
[tool.autoreload]
{example.toml}
```

[All options](README.md)
"""


def option_index() -> str:
    """The table of all options, and what is true of each of them."""
    rows = "\n".join(
        f"| [`{_cell(usage(option))}`]({option.flag[2:]}.md) | {f'`-{option.short}`' if option.short else ''} "
        f"| {_plain(split_help(option)[0])} | {split_help(option)[1]} |"
        for option in OPTIONS
    )
    return f"""{GENERATED}

# Options

```text
{printed.USAGE}
```

| option | short | what it is for | default |
|---|---|---|---|
{rows}

`--version` prints the version, `-h` and `--help` all of this in short.

- Options end at the first word that is not one: what follows is the command and its own options. `--` ends them too.
- `TIME` is `500ms`, `2s`, `1.5m` or a bare number of seconds. `GLOB` is a pattern as in `.gitignore`; quote it, so that
  the shell leaves it alone.
- Each name, without its dashes in front, is a key of `[tool.autoreload]` in `pyproject.toml`; the nearest file above
  the present folder that has this table is taken. With `command` in it, `autoreload` alone is enough; the command then
  runs in the folder of that file. Paths after `watch` there are relative to it. What is given on the command line wins.

```toml
[tool.autoreload]
command = "python app.py"
extensions = [".py", ".html"]
stop-timeout = "10s"
```
"""


def usage(option: Option) -> str:
    """`--signal NAME`."""
    return printed.usage(option)


def on_the_line(option: Option) -> str:
    """The long and the short form."""
    short = f"`{f'-{option.short} {option.metavar}'.rstrip()}`, " if option.short else ""
    return _cell(short + f"`{usage(option)}`")


def split_help(option: Option) -> tuple[str, str]:
    """(what it is for, its default) in words; the table of options tells of the default inside of the help."""
    found = re.fullmatch(r"(.*?)(?: \[default: (.*)\])?", option.help, re.DOTALL)
    assert found
    default = found[2] or {(): "none", False: "off"}[option.default]
    return found[1], default


def toml_type(option: Option) -> str:
    """What stands behind the = sign."""
    if option.parse is None:
        return "`true` or `false`"
    number = " or a number" * (option.metavar == "TIME") + ", or `true`" * bool(option.implied)
    return "text, or a list of it" if option.repeatable else "text" + number


def given_again(option: Option) -> str:
    """What a second one on the command line does."""
    if option.parse is None:
        return "changes nothing"
    return "adds to the first" if option.repeatable else "the last one counts"


# -- sections ----------------------------------------------------------------------------------------------------------
def with_section(text: str, name: str, content: str) -> str:
    """The text, with that content between the marks of the section."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    before, found, rest = text.partition(begin + "\n")
    _, also, after = rest.partition(end)
    if not found or not also:
        raise SystemExit(f"there is no section {name} to write")
    return f"{before}{begin}\n{content.strip()}\n{end}{after}"


def lifecycle_table() -> str:
    """Which input is heard in which state, and by what."""
    states = [state for state in lifecycle.State if any(key[0] is state for key in lifecycle._TABLE)]
    inputs = list(dict.fromkeys(happened for _, happened in lifecycle._TABLE))
    lines = [
        "| | " + " | ".join(state.name.lower().replace("_", " ") for state in states) + " |",
        "|---|" + "---|" * len(states),
    ]
    for happened in inputs:
        handlers = [lifecycle._TABLE.get((state, happened)) for state in states]
        cells = [f"`{handler.__name__[1:]}`" if handler else "" for handler in handlers]
        lines.append(f"| {happened.__name__}: {_sentence(happened)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _sentence(documented: type) -> str:
    first = (documented.__doc__ or "").strip().split("\n")[0].rstrip(".")
    return first[0].lower() + first[1:] if not first.startswith("autoreload") else first


def ignored() -> str:
    """The built-in list of what is ignored."""
    names = sorted(rules.IGNORED_NAMES, key=str.lower)
    return "\n".join(
        _wrapped(line)
        for line in [
            f"- Folders named {_words(sorted(rules.IGNORED_FOLDERS, key=str.lower))}.",
            f"- Folders whose name ends with {_words(rules.IGNORED_FOLDER_ENDINGS)}.",
            f"- Folders named {_words(sorted(rules.BUILD_FOLDERS))}, unless there is an `__init__.py` in them.",
            f"- `{rules.BYTECODE_FOLDER}`, even with `--no-ignore`.",
            "- Virtual environments by any name: what is below a folder with a `pyvenv.cfg` in it.",
            f"- Files whose name ends with {_words(rules.IGNORED_ENDINGS)}, unless that very ending was asked for.",
            f"- Files named {_words(names)}.",
            f"- Files whose name begins with {_words(rules.IGNORED_BEGINNINGS)}, or holds `___jb_`, or stands between "
            "two `#`.",
        ]
    )


def python_extensions() -> str:
    """What counts for a Python command."""
    return (
        _wrapped(f"- Endings {_words(rules.PYTHON_EXTENSIONS)}.")
        + "\n"
        + _wrapped(
            f"- Files named {_words(rules.PRECIOUS_NAMES)}, or one of these with more behind a dot (`.env.local`)."
        )
    )


def code_extensions() -> str:
    """What an ignore file can take away from the short form of the call."""
    return _wrapped(_words(sorted(rules.CODE_EXTENSIONS)), indent="")


def benchmarks() -> str:
    """What docs/benchmarks.md wants to have in the README: its section `readme`."""
    present = (ROOT / "README.md").read_text().partition("<!-- benchmarks:begin -->")[2]
    path = ROOT / "docs" / "benchmarks.md"
    measured = path.read_text() if path.exists() else ""
    _, found, rest = measured.partition("<!-- readme:begin -->\n")
    return (rest if found else present).partition("<!-- readme:end -->" if found else "<!-- benchmarks:end -->")[0]


def _words(words: Iterable[str]) -> str:
    return " ".join(f"`{word}`" for word in words)


def _wrapped(text: str, indent: str = "  ") -> str:
    return textwrap.fill(text, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _paragraphs(text: str) -> str:
    """The same, however its lines are broken in the source."""
    return "\n\n".join(_wrapped(" ".join(part.split()), indent="") for part in text.strip().split("\n\n"))


def _plain(text: str) -> str:
    """Text in which a star is a star."""
    return text.replace("*", "\\*")


def _cell(text: str) -> str:
    """Text for a cell of a table."""
    return text.replace("|", "\\|")


SECTIONS: dict[str, dict[str, Callable[[], str]]] = {
    "README.md": {"benchmarks": benchmarks},
    "docs/how-it-works.md": {"lifecycle": lifecycle_table},
    "docs/what-counts.md": {
        "python-extensions": python_extensions,
        "ignored": ignored,
        "code-extensions": code_extensions,
    },
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
