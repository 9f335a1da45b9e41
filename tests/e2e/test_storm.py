"""Random edits, with a command that takes its time to read: in the end it has read what is there."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.tool import Project, autoreload, later
from tests.kernel.mirror import maker
from tests.support import eventually

NAMES = ("app.py", "views.py", "models/partner.py", "models/user.py")
BATCHES = 15
LOADS = """
import json, os, sys, time
log, *names = sys.argv[1:]
texts = {}
for name in names:
    end = time.monotonic() + 0.02
    while time.monotonic() < end:  # it imports
        pass
    try:
        with open(name) as file:
            texts[name] = file.read()
    except OSError:
        texts[name] = None
with open(log, "a") as file:
    file.write(json.dumps({"pid": os.getpid(), "at": 0, "alone": True, "folder": 0, "standard": [], "texts": texts}))
    file.write("\\n")
time.sleep(1000)
"""

Edit = Callable[[Path, random.Random], None]


def save(file: Path, chance: random.Random) -> None:
    """Something else, or by chance the same."""
    file.write_text(chance.choice("abc"))


def save_at_once(file: Path, chance: random.Random) -> None:
    """The same by a rename."""
    new = file.with_suffix(".tmp")
    new.write_text(chance.choice("abc"))
    os.replace(new, file)


def save_again(file: Path, chance: random.Random) -> None:
    """It is empty for a moment."""
    text = file.read_text()
    pause(chance, 0.002)
    file.write_text(text)


def touch(file: Path, chance: random.Random) -> None:
    """Not even that."""
    os.close(os.open(file, os.O_WRONLY))
    os.utime(file)


def there_and_back(file: Path, chance: random.Random) -> None:
    """With a pause that is shorter or longer than the settle."""
    text = file.read_text()
    file.write_text("there")
    pause(chance, 0.03)
    file.write_text(text)


def away_and_back(file: Path, chance: random.Random) -> None:
    """The whole folder; the first file of all has none of its own."""
    if file.parent.name == "models":
        elsewhere = file.parents[2] / "elsewhere"
        os.rename(file.parent, elsewhere)
        pause(chance, 0.03)
        os.rename(elsewhere, file.parent)


def remove_and_make(file: Path, chance: random.Random) -> None:
    """As some editors save; with what was there, or another text."""
    text = chance.choice([file.read_text(), "made"])
    file.unlink()
    pause(chance, 0.15)
    file.write_text(text)


def pause(chance: random.Random, longest: float) -> None:
    """For any time up to that, or none at all."""
    later(chance.choice([0.0, chance.uniform(0.0, longest)]))


def has_read(project: Project, texts: dict[str, str]) -> bool:
    """Was that what the last run read?"""
    return project.runs()[-1].texts == texts


EDITS: tuple[Edit, ...] = (save, save_at_once, save_again, touch, there_and_back, away_and_back, remove_and_make)


@pytest.mark.parametrize("backend", ["inotify", "fanotify"])
def test_in_the_end_the_command_has_read_what_is_there(backend: str, project: Project) -> None:
    """I1, whatever is saved, undone, moved, while the command loads and while it waits."""
    maker(backend)
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)
    files = [project.write(name, "a") for name in NAMES]
    loads = project.base / "loads.py"
    loads.write_text(LOADS)
    command = [sys.executable, "-S", "-E", str(loads), str(project.log), *NAMES]
    with autoreload(project, "--explain", "--backend", backend, "-e", ".py", "--", *command) as tool:
        project.wait_for_start(1)
        for batch in range(BATCHES):
            for _ in range(chance.randint(1, 6)):
                chance.choice(EDITS)(chance.choice(files), chance)
                pause(chance, 0.1)
            there = {name: file.read_text() for name, file in zip(NAMES, files, strict=True)}
            what = f"a run that has read {there} (seed {seed}, batch {batch}):\n{tool.text()}"
            eventually(partial(has_read, project, there), what=what)
            later(chance.uniform(0.0, 0.4))
            assert has_read(project, there), what
        tool.end()
