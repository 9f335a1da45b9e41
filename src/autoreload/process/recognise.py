"""Is it Python that a command runs, and which one? Told from its words and the first bytes of its file, without running
anything.

What to watch by default hangs on it (`-e` overrules that), and whose grammar decides whether a changed file compiles
(`--no-check`). So a guess will do.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence

_INTERPRETER = re.compile(r"(python|pypy)\d*(\.\d+)*[a-z]?")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=")
_SHELLS = ("sh", "bash", "dash", "zsh", "ksh")
_BEFORE_A_COMMAND = frozenset(("!", "do", "elif", "else", "exec", "if", "then", "time", "until", "while", "{"))
_PROJECT_RUNNERS = frozenset(("uv", "poetry", "pipenv", "pdm", "hatch", "rye"))
"""`uv run COMMAND`: runs it in the project's own environment, which may not be on PATH."""
_STARTERS = _PROJECT_RUNNERS | {"npm", "npx", "pnpm", "yarn", "make", "just", "time"}
"""What starts another process, and waits for its end."""
_EXEC = re.compile(r"(^|[\s;&|({])exec\s")
_TAKES_VALUE = {
    "env": ("-u", "-C", "-S", "--unset", "--chdir"),
    "nice": ("-n", "--adjustment"),
    "run": (
        *("-e", "-p", "--env", "--env-file", "--extra", "--group", "--index", "--index-url", "--only-group"),
        *("--package", "--project", "--directory", "--python", "--with", "--with-editable", "--with-requirements"),
    ),
}
"""Options of wrappers that are followed by a word that is not the command."""


UNKNOWN = ""
"""Python, but nobody can tell which one."""


def interpreter(argv: list[str], directory: str, environ: Mapping[str, str]) -> str | None:
    """The path of the Python that runs this command in `directory`; or `UNKNOWN`. None: it is not Python."""
    if not argv:
        return None
    program = os.path.basename(argv[0])
    if program in _WRAPPERS:
        return _WRAPPERS[program](argv, directory, environ)
    if program in _SHELLS:
        return _of_shell(argv, directory, environ)
    if program in _PROJECT_RUNNERS and "run" in argv[1:]:
        return _of_project(_after_options(argv[argv.index("run") + 1 :], "run"), directory, environ)
    path = find(argv[0], directory, environ)
    if _INTERPRETER.fullmatch(program):
        return path or UNKNOWN
    found = _of_script(path, directory, environ) if path else None
    return UNKNOWN if found is None and program.endswith((".py", ".pyw")) else found


def lets_runtime_in(argv: Sequence[str]) -> bool:
    """May Python find our `sitecustomize`? Not with -I, -E or -S, as far as these can be seen."""
    if not _INTERPRETER.fullmatch(os.path.basename(argv[0])):
        return True
    for word in argv[1:]:
        if not word.startswith("-"):
            break
        if not word.startswith("--") and not {"I", "E", "S"}.isdisjoint(re.split("[cmWX]", word)[0]):
            return False
    return True


def runs_shell(argv: Sequence[str], directory: str, environ: Mapping[str, str]) -> bool:
    """Is the command a shell, or a script for one? Not a shim of pyenv and its like, which only looks for Python."""
    if os.path.basename(argv[0]) in _SHELLS:
        return True
    path = find(argv[0], directory, environ) or ""
    words = _head(path)[2:].split(b"\n")[0].split() if has_shebang(path) else []
    named = {os.path.basename(os.fsdecode(word)) for word in words}
    is_python = bool(path) and _of_script(path, directory, environ) is not None
    return not named.isdisjoint(_SHELLS) and not is_python and "/shims/" not in path


def _wrapped(argv: list[str], directory: str, environ: Mapping[str, str]) -> str | None:
    return interpreter(_after_options(argv[1:], os.path.basename(argv[0])), directory, environ)


_WRAPPERS: dict[str, Callable[[list[str], str, Mapping[str, str]], str | None]] = dict.fromkeys(
    ("env", "exec", "nice", "nohup", "setsid", "time"), _wrapped
)


def _after_options(words: list[str], wrapper: str) -> list[str]:
    """The command behind the options (and assignments) of a wrapper."""
    takes_value = _TAKES_VALUE.get(wrapper, ())
    while words:
        word = words[0]
        if word == "--":
            return words[1:]
        if not word.startswith("-") and not (wrapper == "env" and is_assignment(word)):
            break
        if wrapper == "run" and word in ("-m", "--module", "-s", "--script"):
            return ["python"]  # `uv run -m http.server`
        words = words[2 if word in takes_value else 1 :]
    return words


def _of_shell(argv: list[str], directory: str, environ: Mapping[str, str]) -> str | None:
    for position, word in enumerate(argv[1:], 1):
        if not word.startswith("-"):
            return None
        if not word.startswith("--") and word.endswith("c"):
            string = argv[position + 1] if position + 1 < len(argv) else ""
            found = (interpreter(words, directory, environ) for words in simple_commands(string))
            return next((python for python in found if python is not None), None)
    return None


def _of_project(inner: list[str], directory: str, environ: Mapping[str, str]) -> str | None:
    """Behind `uv run` and the like: what is not on PATH comes from the project's environment, which is one of Python,
    and so does Python itself."""
    if not inner:
        return None
    found = interpreter(inner, directory, environ) if find(inner[0], directory, environ) else UNKNOWN
    return found if found is None else _of_environment(directory)


def _of_environment(directory: str) -> str:
    """The Python of the environment `.venv` in this folder or one above it."""
    while True:
        path = os.path.join(directory, ".venv", "bin", "python")
        if os.access(path, os.X_OK):
            return path
        parent = os.path.dirname(directory)
        if parent == directory:
            return UNKNOWN
        directory = parent


def simple_commands(string: str) -> list[list[str]]:
    """The words of each simple command in a line of shell, roughly; nothing if its quotes are unbalanced."""
    import shlex

    lexer = shlex.shlex(string, posix=True, punctuation_chars="();<>|&\n")
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    try:
        tokens = list(lexer)
    except ValueError:
        return []
    commands: list[list[str]] = [[]]
    redirected = False
    for token in tokens:
        if redirected:
            redirected = False  # the name of a file
        elif token[:1] in ("<", ">"):
            redirected = True
        elif token and token[0] in "();|&\n":
            commands.append([])
        elif commands[-1] or not (token in _BEFORE_A_COMMAND or is_assignment(token)):
            commands[-1].append(token)
    return [command for command in commands if command]


def is_assignment(word: str) -> bool:
    """`NAME=value`, as may stand before a command."""
    return _ASSIGNMENT.match(word) is not None


def forks(argv: Sequence[str]) -> bool:
    """Does this command start another process, rather than become it? Perhaps."""
    program = os.path.basename(argv[0])
    if program not in _SHELLS:
        return program in _STARTERS
    line = argv[2] if len(argv) > 2 and argv[1] == "-c" else ""
    return len(simple_commands(line)) > 1 and _EXEC.search(line) is None


def find(name: str, directory: str, environ: Mapping[str, str]) -> str | None:
    """The executable file that execvp(3) would take for that name; relative ones belong to `directory`."""
    folders = [""] if "/" in name else environ.get("PATH", "/bin:/usr/bin").split(":")
    for folder in folders:
        path = os.path.join(directory, folder, name)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def has_shebang(path: str) -> bool:
    """Does the file say by what it is to be run?"""
    return _head(path).startswith(b"#!")


def _of_script(path: str, directory: str, environ: Mapping[str, str]) -> str | None:
    """By which Python a script says it is to be run; console scripts too, whose path may be too long for `#!`
    (`#!/bin/sh`, `'''exec' ...`)."""
    head = _head(path)
    if not head.startswith(b"#!"):
        return None
    lines = os.fsdecode(head[2:]).split("\n")
    if len(lines) > 1 and lines[1].startswith("'''exec'"):
        commands = simple_commands(lines[1].removeprefix("'''exec'"))
        return commands[0][0] if commands else UNKNOWN
    for word in lines[0].split():
        if _INTERPRETER.fullmatch(os.path.basename(word)):
            return find(word, directory, environ) or UNKNOWN
    return None


def _head(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(512)
    except OSError:
        return b""
