"""What to run: from the words of the command line, or one string, to something that can be executed."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from autoreload.errors import UserError
from autoreload.process import recognise

_SHELL_SYNTAX = frozenset("|&;<>()$`*?[]#~{}!\n\\")
"""What means something to sh(1) outside quotes. In some places some of them do not, but sh gets it right anyway."""
_IN_DOUBLE_QUOTES = frozenset("$`\\")
_ONLY_THE_SHELL_HAS = frozenset(
    ". : alias bg break case cd command continue do done elif else esac eval exec exit export fc fg fi for function "
    "getopts hash if in jobs local read readonly return select set shift source then time times trap type ulimit umask "
    "unalias unset until wait while".split()
)
"""Special built-ins and keywords, and built-ins that mean something only in a shell."""


class Command(NamedTuple):
    """What to run, resolved once: each start executes the same."""

    argv: tuple[str, ...]
    """To be executed as it is, by execvp(3)'s rules."""
    directory: str
    """Entered by this path before each start."""
    shown: str
    """As a person typed it."""
    is_python: bool
    """Python runs it, as far as can be told without running it: what to watch by default depends on it."""
    interpreter: str = ""
    """The path of that Python; empty if nobody can tell."""


def resolve(words: Sequence[str] | str, directory: str, environ: Mapping[str, str]) -> Command:
    """The command given as `words`, or as one string; it will run in `directory` (absolute) with `environ`.

    A string is what a person would type to a shell. Words are executed as they are, but for a single one that holds
    blanks or shell syntax and is no file: that is a string in the other form of the call. UserError if it is empty, or
    has unbalanced quotes or a NUL.
    """
    if "\0" in "".join(words):
        raise UserError("the command has a NUL character, which no program can be given", "take it out")
    if not isinstance(words, str) and len(words) == 1 and _is_string(words[0], directory):
        words = words[0]
    if isinstance(words, str):
        shown = words.strip()
        if not shown:
            raise _empty()
        if _needs_shell(shown):
            argv = ["/bin/sh", "-c", shown]
        else:
            argv = _split(shown)
    else:
        argv = list(words)
        shown = " ".join(map(_quoted, argv))
    if not argv or not argv[0]:
        raise _empty()
    argv = _with_interpreter(argv, directory, environ)
    python = recognise.interpreter(argv, directory, environ)
    return Command(tuple(argv), directory, shown, python is not None, python or "")


def _empty() -> UserError:
    return UserError("the command is empty", "give the program to run, and its arguments")


def _is_string(word: str, directory: str) -> bool:
    blank_or_syntax = any(character.isspace() or character in _SHELL_SYNTAX for character in word)
    return blank_or_syntax and not os.path.exists(os.path.join(directory, word))


def _needs_shell(string: str) -> bool:
    """Does it mean more to a shell than words with quotes? UserError for a quote that is never closed."""
    quote = ""
    for character in string:
        if quote:
            if character == quote:
                quote = ""
            elif quote == '"' and character in _IN_DOUBLE_QUOTES:
                return True
        elif character in "'\"":
            quote = character
        elif character in _SHELL_SYNTAX:
            return True
    if quote:
        raise UserError(f"the command has a {quote} that is never closed: {string}", "close it")
    first = _split(string)[0]
    return first in _ONLY_THE_SHELL_HAS or recognise.is_assignment(first)


def _split(string: str) -> list[str]:
    if "'" not in string and '"' not in string:
        return [word for word in re.split(r"[ \t\r\n]+", string) if word]
    import shlex  # it costs more than all the rest of this

    return shlex.split(string)


def _quoted(word: str) -> str:
    if word and all(character.isalnum() or character in "-_./=:,+@%" for character in word):
        return word
    import shlex

    return shlex.quote(word)


def _with_interpreter(argv: list[str], directory: str, environ: Mapping[str, str]) -> list[str]:
    """`app.py ...` as Python is to run it; any other command as it is."""
    script = argv[0]
    path = os.path.join(directory, script)
    if not script.endswith(".py") or not os.path.isfile(path):
        return argv
    if os.access(path, os.X_OK) and recognise.has_shebang(path):
        # As a shell would, but for the current directory, which is on nobody's PATH.
        if "/" in script or recognise.find(script, directory, environ):
            return argv
        return [f"./{script}", *argv[1:]]
    # Executable without `#!`, execvp(3) would let sh(1) run it: its `import` is a program that takes screenshots.
    return [_python(directory, environ), *argv]


def _python(directory: str, environ: Mapping[str, str]) -> str:
    """The interpreter of the active environment, or else of PATH."""
    active = environ.get("VIRTUAL_ENV", "")
    if active and os.access(python := os.path.join(active, "bin", "python"), os.X_OK):
        return python
    return "python" if recognise.find("python", directory, environ) else "python3"
