"""The command line: from words to what is to be run, watched and said. Heavy imports wait until they are needed, so
that `--help` is instant and the command starts as soon as its words are understood."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from autoreload import __version__, settings
from autoreload.errors import EXIT_FAILED, EXIT_OK, EXIT_USAGE, UserError
from autoreload.job import Job
from autoreload.settings import OPTIONS, Settings

_PATTERNS = ("include", "ignore", "cold")
_ONLY_WARM = ("cold", "warm_memory", "no_use_check")


def main(argv: Sequence[str] | None = None) -> int:
    """The entry point. Returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] in ("-h", "--help"):
        return _print(settings.help_text())
    if words and words[0] == "--version":
        return _print(f"autoreload {__version__}")
    try:
        if not sys.platform.startswith("linux"):
            raise UserError(
                f"autoreload works on Linux only, and this is {sys.platform}",
                "run it in a container or a virtual machine (WSL 2 on Windows)",
            )
        given, rest = parse_words(words)
        if "help" in given:
            return _print(settings.help_text())
        if "version" in given:
            return _print(f"autoreload {__version__}")
        _await_mounts([os.environ.get("PWD", ""), *given.get("watch", ()), *rest[:1]])
        job = understand(given, rest, start_directory(os.environ), os.environ)
        if job is None:
            _complain(settings.SHORT_USAGE)
            return EXIT_USAGE
        from autoreload.startup import run

        return run(job)
    except UserError as error:
        _complain(f"autoreload: {error}")
        return EXIT_USAGE
    except KeyboardInterrupt:
        return EXIT_OK


# -- words -----------------------------------------------------------------------------------------------------------
def parse_words(words: Sequence[str]) -> tuple[dict[str, list[str]], list[str]]:
    """(the options given, with their words; the positionals). Options end at the first positional.

    Raises UserError.
    """
    if words and not words[0].startswith("-"):
        return {}, list(words)  # no option: argparse, which takes 6 ms, has nothing to do
    import argparse

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> None:  # type: ignore[override]
            raise UserError(*_explain_parser(message))

    parser = Parser(prog="autoreload", add_help=False, allow_abbrev=False)
    for option in OPTIONS:
        flags = [option.flag, *([f"-{option.short}"] if option.short else [])]
        if option.parse is None:
            parser.add_argument(*flags, dest=option.name, action="append_const", const="")
        else:
            parser.add_argument(*flags, dest=option.name, action="append")
    parser.add_argument("-h", "--help", action="append_const", const="")
    parser.add_argument("--version", action="append_const", const="")
    parser.add_argument("rest", nargs=argparse.REMAINDER)
    known, unknown = parser.parse_known_args(_with_implied_values(words))
    if unknown:
        raise UserError(f"unknown option {unknown[0]}", _nearest_flag(unknown[0]))
    given = vars(known)
    rest = given.pop("rest")
    if rest[:1] == ["--"]:
        del rest[0]
    elif rest and rest[0].startswith("-") and len(rest[0]) > 1:  # argparse takes `-5` for a number, not for an option
        raise UserError(f"unknown option {rest[0]}", _nearest_flag(rest[0]))
    return {name: words for name, words in given.items() if words is not None}, rest


def _with_implied_values(words: Sequence[str]) -> list[str]:
    """The words, with `--poll` written out: argparse would take the next word for the value of such an option."""
    implied = {option.flag: option.implied for option in OPTIONS if option.implied}
    valued = {option.flag for option in OPTIONS if option.parse is not None and not option.implied}
    letters = {option.short for option in OPTIONS if option.parse is not None and option.short}
    found = list(words)
    at = 0
    while at < len(found) and found[at].startswith("-") and found[at] != "--":
        word = found[at]
        if word in implied:
            found[at] = f"{word}={implied[word]}"
        elif word in valued or (word[1:2] != "-" and _takes_next(word[1:], letters)):
            at += 1
        at += 1
    return found


def _takes_next(cluster: str, letters: set[str]) -> bool:
    """Is the next word the value of the last of these short options (`-pe py`)?"""
    ends = [position for position, letter in enumerate(cluster) if letter in letters]
    return bool(ends) and ends[0] == len(cluster) - 1


def _nearest_flag(word: str) -> str:
    remedy = settings.nearest(word.partition("=")[0], [*(o.flag for o in OPTIONS), "--help", "--version"])
    return (
        remedy if remedy.startswith("did") else "autoreload --help lists them; write -- before a command that begins so"
    )


def _explain_parser(message: str) -> tuple[str, str]:
    """What argparse says, in our words."""
    import re

    if match := re.match(r"argument (?:-\w/)?(?:[\w-]+/)?(--[\w-]+)(?:/-\w)?: expected one argument", message):
        option = next(o for o in OPTIONS if o.flag == match[1])
        return f"{match[1]} lacks its value", f"write {option.flag} {option.metavar}"
    if match := re.match(r"argument (?:-\w/)?(--[\w-]+)(?:/-\w)?: ignored explicit argument (.*)", message):
        return f"{match[1]} takes no value, but was given {match[2]}", f"write {match[1]} alone"
    return message, "see autoreload --help"


# -- what they mean --------------------------------------------------------------------------------------------------
def understand(
    given: Mapping[str, list[str]], rest: Sequence[str], here: str, environ: Mapping[str, str]
) -> Job | None:
    """The job, from the options and positionals of the line and from pyproject.toml; None: there is no command.

    `here`: the start directory. Raises UserError.
    """
    from autoreload import config

    found = config.find(here)
    values = dict(settings.from_table(found.table, found.shown)) if found else {}
    configured_names = set(values)
    configured = values.pop("command", None)
    if found and "watch" in values:
        values["watch"] = tuple(os.path.join(found.directory, path) for path in values["watch"])
    on_line = {
        name: settings.parse(settings.BY_NAME[name], words, settings.BY_NAME[name].flag)
        for name, words in given.items()
    }
    _reject_conflicts(on_line)
    if "quiet" in on_line:
        values["verbose"] = values["explain"] = False
    elif "verbose" in on_line or "explain" in on_line:
        values["quiet"] = False
    values |= on_line

    directory = here
    command: str | tuple[str, ...]
    seed = _seed_form(rest, environ)
    if seed:
        path, extensions, command = seed
        if "extensions" in on_line:
            raise UserError(f"both --extensions and EXTENSIONS ({rest[1]}) are given", "leave one of them out")
        values["extensions"] = extensions
        values["watch"] = (path, *(on_line.get("watch", ())))
    elif rest:
        command = tuple(rest)
        _reject_directory(rest[0], environ)
    elif configured is not None and found:
        command = configured if isinstance(configured, str) else tuple(configured)
        directory = found.directory
    elif "extensions" in on_line or "watch" in on_line or found:
        raise UserError("there is no command to run", "write it after the options: autoreload [OPTIONS] COMMAND")
    else:
        return None
    _choose_polling(values, on_line)
    _reject_conflicts({name: value for name, value in values.items() if value})
    chosen = Settings(**values)
    for name in _ONLY_WARM:
        if name in on_line and not chosen.warm:
            raise UserError(
                f"{settings.BY_NAME[name].flag} means nothing without --warm", "add --warm, or leave it out"
            )
    shown = " ".join(chosen.watch) or os.path.relpath(directory, here)
    if "watch" not in on_line:
        _await_mounts(chosen.watch, here)
    roots = tuple(_checked_root(path, here) for path in chosen.watch) or (_implied_root(directory, environ),)
    include_base, ignore_base, cold_base = (
        found.directory if found and name in configured_names - on_line.keys() else here for name in _PATTERNS
    )
    return Job(command, directory, roots, shown, bool(seed), include_base, ignore_base, cold_base, chosen)


def _await_mounts(paths: Sequence[str], here: str = "") -> None:
    """Wait until the file systems of others answer that hold the present directory, or one of these paths below
    `here`."""
    from autoreload.linux.mounts import mounts
    from autoreload.watch.mounted import fences

    table = mounts()
    if not fences(table):
        return
    from autoreload.watch.probe import await_answers

    try:
        here = here or os.getcwd()
    except OSError:
        here = "/"
    await_answers([here, *(os.path.join(here, path) for path in paths)], _tell_waiting, lambda: table)


def _tell_waiting(point: str, kind: str) -> None:
    _complain(f"autoreload: {point} ({kind}) does not answer: waiting for it; type Ctrl-C to give up")


def start_directory(environ: Mapping[str, str]) -> str:
    """The present directory by the path its user came by (`$PWD`), so that a link on the way is followed anew at each
    start; else by its real path. Raises UserError if it is gone."""
    try:
        here = os.stat(".")
        logical = environ.get("PWD", "")
        if logical.startswith("/"):
            there = os.stat(logical)
            if (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino):
                return os.path.normpath(logical) if ".." not in logical.split("/") else logical
    except OSError:
        pass
    try:
        return os.getcwd()
    except OSError as error:
        raise UserError("the present directory is gone", "cd to one that exists") from error


def _seed_form(rest: Sequence[str], environ: Mapping[str, str]) -> tuple[str, tuple[str, ...], str] | None:
    """(PATH, EXTENSIONS, COMMAND), if these words are that form of the call. Raises UserError for one gone wrong."""
    if len(rest) == 2 and _is_suffix_list(rest[0]) and not os.path.lexists(rest[0]):
        raise UserError(f"PATH is missing before {rest[0]}", f"write: autoreload . {rest[0]} {_quote(rest[1])}")
    if len(rest) == 3 and _is_suffix_list(rest[0]) and not os.path.lexists(rest[0]) and os.path.isdir(rest[1]):
        words = f"{_quote(rest[1])} {rest[0]} {_quote(rest[2])}"
        raise UserError("PATH comes before EXTENSIONS", f"write: autoreload {words}")
    if len(rest) == 3 and os.path.isdir(rest[0]) and not _is_command(rest[0], environ) and "," in rest[1]:
        dotted = ",".join(item if _is_suffix_list(item) else f".{item}" for item in rest[1].split(",") if item.strip())
        if not _is_suffix_list(rest[1]) and _is_suffix_list(dotted):
            words = f"{_quote(rest[0])} {dotted} {_quote(rest[2])}"
            raise UserError(f"EXTENSIONS {rest[1]!r} lacks its dots", f"write: autoreload {words}")
    if len(rest) != 3 or not _is_suffix_list(rest[1]):
        return None
    path, extensions, command = rest
    if not os.path.isdir(path):
        if _is_command(path, environ) or (os.path.exists(path) and os.path.exists(extensions)):
            return None  # `app.py .env production`
        kind = "is a file, not a directory" if os.path.exists(path) else "does not exist"
        raise UserError(f"PATH {_quote(path)} {kind}", "name the directory to watch, such as .")
    if not command.strip():
        raise UserError("COMMAND is empty", f"write what to run: autoreload {path} {extensions} 'python app.py'")
    return path, settings.parse(settings.BY_NAME["extensions"], [extensions], "EXTENSIONS"), command


def _is_suffix_list(word: str) -> bool:
    items = [item.strip() for item in word.split(",") if item.strip()]
    return bool(items) and all(len(item) > 1 and item[0] in "._*" and "/" not in item for item in items)


def _is_command(word: str, environ: Mapping[str, str]) -> bool:
    import shutil

    return shutil.which(word, path=environ.get("PATH")) is not None


def _reject_conflicts(given: Mapping[str, object]) -> None:
    if "quiet" in given and ("verbose" in given or "explain" in given):
        other = "--verbose" if "verbose" in given else "--explain"
        raise UserError(f"--quiet and {other} contradict each other", "leave one of them out")


def _choose_polling(values: dict[str, object], on_line: Mapping[str, object]) -> None:
    """`--poll` is `--backend polling`; of these two the one on the line wins over the one of the file."""
    if "poll" in on_line and on_line.get("backend", "auto") not in ("auto", "polling"):
        raise UserError(f"--poll and --backend {on_line['backend']} contradict each other", "leave one of them out")
    if "poll" in on_line or ("poll" in values and "backend" not in on_line):
        values["backend"] = "polling"


def _reject_directory(word: str, environ: Mapping[str, str]) -> None:
    if os.path.isdir(word) and not _is_command(word, environ):
        raise UserError(
            f"{_quote(word)} is a directory, not a command",
            f"write: autoreload {_quote(word)} .py 'COMMAND', or autoreload --watch {_quote(word)} COMMAND",
        )


def _checked_root(path: str, here: str) -> str:
    root = os.path.join(here, path)
    try:
        os.stat(root)
    except OSError as error:
        raise UserError(f"cannot watch {_quote(path)}: {error.strerror}", "name a folder or file that exists") from None
    if os.path.isdir(root) and not os.access(root, os.R_OK | os.X_OK):
        raise UserError(f"cannot watch {_quote(path)}: it may not be read", "change its mode, or name another folder")
    return os.path.normpath(root) if ".." not in path.split("/") else os.path.abspath(os.path.realpath(root))


def _implied_root(directory: str, environ: Mapping[str, str]) -> str:
    real = os.path.realpath(directory)
    home = environ.get("HOME")
    for place, name in (("/", "the root directory"), (home and os.path.realpath(home), "your home directory")):
        if place and real == place:
            raise UserError(
                f"{directory} is {name}, which is a lot to watch",
                "cd to the project, or name what to watch: autoreload --watch PATH COMMAND",
            )
    return directory


def _quote(word: str) -> str:
    import shlex

    return shlex.quote(word)


def _print(text: str) -> int:
    try:
        print(text, flush=True)
    except BrokenPipeError:  # `autoreload --help | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except OSError as error:  # a full disk
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nothing is left to be flushed at the exit
        _complain(f"autoreload: cannot write to standard output: {error.strerror}")
        return EXIT_FAILED
    return EXIT_OK


def _complain(text: str) -> None:
    if sys.stderr is None:  # closed: print() would take standard output
        return
    try:
        print(text.encode("utf-8", "backslashreplace").decode(), file=sys.stderr, flush=True)
    except OSError:
        pass
