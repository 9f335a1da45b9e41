"""What autoreload was asked to do, once the words are understood."""

from __future__ import annotations

from typing import NamedTuple

from autoreload.settings import Settings


class Job(NamedTuple):
    """One command, where it runs, and what is watched for it."""

    command: str | tuple[str, ...]
    """A string, or its words."""
    directory: str
    """Where the command runs: absolute, as its user writes it (links are not resolved)."""
    roots: tuple[str, ...]
    """What is watched: absolute; made of `Settings.watch`."""
    shown_root: str
    """The same as the user named it."""
    seed_form: bool
    include_base: str
    """The folder that patterns of `--include` with a slash are relative to."""
    ignore_base: str
    """The same of `--ignore`."""
    cold_base: str
    """The same of `--cold`."""
    settings: Settings
