"""What `--help` and a call without a command print, made from the table of options."""

from __future__ import annotations

from autoreload.settings import OPTIONS, Option

USAGE = """\
usage: autoreload [OPTIONS] [--] COMMAND [ARG...]
       autoreload [OPTIONS] PATH EXTENSIONS 'COMMAND'"""
EXAMPLES = """\
  autoreload python app.py                      restart when a .py or configuration file changes
  autoreload . .py,.xml,.conf './server -c x'   PATH, EXTENSIONS and COMMAND, in one string
  autoreload -e .py,.html -- flask run -p 8000  choose what matters; -- ends the options"""
SHORT_USAGE = f"""\
{USAGE}

{EXAMPLES}

More: autoreload --help"""


def help_text() -> str:
    """What `--help` prints."""
    rows = [(_left(option), option.help) for option in OPTIONS]
    rows += [("    --version", "print the version"), ("-h, --help", "print this")]
    lines = [
        "autoreload runs a command and restarts it when a file that matters changes.",
        "",
        EXAMPLES,
        "",
        USAGE,
        "",
    ]
    for left, text in rows:
        lines += _row(left, text)
    lines += [
        "",
        "TIME is 500ms, 2s or a number of seconds. GLOB is a pattern as in .gitignore.",
        "The same names in [tool.autoreload] of pyproject.toml set defaults; `command` there makes",
        "`autoreload` alone enough. Ctrl-C ends autoreload and all that the command started.",
    ]
    return "\n".join(lines)


def usage(option: Option) -> str:
    """The flag and its value."""
    if option.implied:
        return f"{option.flag}[={option.metavar}]"
    return f"{option.flag} {option.metavar}" if option.metavar else option.flag


def _left(option: Option) -> str:
    short = f"-{option.short}, " if option.short else "    "
    return f"{short}{usage(option)}"


def _row(left: str, text: str, column: int = 26, width: int = 100) -> list[str]:
    lines, line = [], f"  {left}"
    if len(line) > column - 2:
        lines.append(line)
        line = ""
    line = line.ljust(column)
    for word in text.split():
        if len(line) + len(word) >= width and line.strip():
            lines.append(line.rstrip())
            line = " " * column
        line += word + " "
    return [*lines, line.rstrip()]
