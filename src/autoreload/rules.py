"""What counts, from the options and the kind of the command."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from autoreload.core.filter import CODE_EXTENSIONS, PRECIOUS_NAMES, PYTHON_EXTENSIONS, Rules

if TYPE_CHECKING:
    from autoreload.job import Job
    from autoreload.process.command import Command


def rules_for(job: Job, command: Command) -> Rules:
    """The rules of this job; the patterns are added by the scope."""
    suffixes = job.settings.extensions
    names: tuple[str, ...] = ()
    if suffixes is None:
        suffixes = PYTHON_EXTENSIONS if command.is_python else ()
        names = PRECIOUS_NAMES if command.is_python else ()
    kept = frozenset(suffix for suffix in suffixes if job.seed_form and suffix not in CODE_EXTENSIONS)
    return Rules(
        roots=job.roots,
        suffixes=suffixes,
        names=names,
        files=_named_files(command),
        programs=_programs(command) if job.settings.extensions is None else (),
        kept=kept,
        ignore=not job.settings.no_ignore,
    )


def _programs(command: Command) -> tuple[str, ...]:
    """The scripts without an extension among the words of the command: `./serve`, `python serve`."""
    paths = (os.path.normpath(os.path.join(command.directory, word)) for word in command.argv if "\0" not in word)
    return tuple(path for path in paths if not os.path.splitext(path)[1] and _is_script(path))


def _is_script(path: str) -> bool:
    try:
        if not os.path.isfile(path):
            return False
        with open(path, "rb") as file:
            return file.read(2) == b"#!"
    except OSError:
        return False


def _named_files(command: Command) -> tuple[str, ...]:
    """The files that the command's own arguments name (`-c odoo.conf`, `--config=app.toml`)."""
    words = [part for word in command.argv[1:] for part in (word, word.partition("=")[2]) if part]
    paths = (os.path.normpath(os.path.join(command.directory, word)) for word in words if "\0" not in word)
    return tuple(path for path in paths if os.path.isfile(path))
