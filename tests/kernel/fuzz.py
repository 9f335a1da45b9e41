"""Random scripts that two processes carry out on a tree at the same time, while a backend watches."""

from __future__ import annotations

import ctypes
import os
import random
import shutil
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from autoreload.watch.inotify import InotifyBackend
from autoreload.watch.polling import PollingBackend
from tests.kernel.mirror import Maker, Mirror, Writer

AT_FDCWD, RENAME_EXCHANGE = -100, 2
OPERATIONS = 150
_libc = ctypes.CDLL(None, use_errno=True)


def exchange(one: str, other: str) -> None:
    """renameat2(2) with RENAME_EXCHANGE; errors are ignored."""
    _libc.renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE)


def script(seed: int, tree: str, outside: str, count: int, flood: bool = False, links: bool = True) -> None:
    """`count` random operations in `tree`, and moves from and to `outside`. `links`: some, which a mirror takes for
    files; who follows them has a mirror and scripts of its own, in linked.py."""
    rng = random.Random(seed)
    for number in range(count):
        try:
            _operation(rng, tree, outside, number, links)
            if flood and rng.random() < 0.03:
                _flood(tree)
        except OSError:
            pass
        if rng.random() < 0.02:
            time.sleep(rng.random() * 0.004)


def _operation(rng: random.Random, tree: str, outside: str, number: int, links: bool) -> None:
    def some_folder() -> str:
        return tree + "".join("/" + rng.choice("abc") for _ in range(rng.randrange(4)))

    what, one, other = rng.random(), some_folder(), some_folder()
    text = f"{number} {rng.random()}"
    file, name = f"{one}/f{rng.randrange(3)}", rng.choice("abc")
    if what < 0.25:
        os.makedirs(f"{one}/{name}", exist_ok=True)
    elif what < 0.50:
        os.makedirs(one, exist_ok=True)
        with open(file, "w") as out:
            out.write(text)
            if rng.random() < 0.2:
                out.flush()
                time.sleep(0.0005)
                out.write("more")
    elif what < 0.56:
        Path(f"{file}.tmp").write_text(text)
        os.replace(f"{file}.tmp", file)
    elif what < 0.70:
        os.rename(f"{one}/{name}", f"{other}/{rng.choice('abc')}")
    elif what < 0.76:
        exchange(f"{one}/{name}", f"{other}/{rng.choice('abc')}")
    elif what < 0.79:
        os.rename(file, f"{other}/f{rng.randrange(3)}")
    elif what < 0.81:
        exchange(file, f"{other}/f{rng.randrange(3)}")
    elif what < 0.84:
        shutil.rmtree(f"{one}/{name}")
    elif what < 0.88:
        os.unlink(file)
    elif what < 0.92:
        os.rename(f"{one}/{name}", f"{outside}/{rng.randrange(4)}")
    elif what < 0.96:
        os.rename(f"{outside}/{rng.randrange(4)}", f"{other}/{name}")
    elif what < 0.98 and links:
        os.symlink(name, f"{one}/l{rng.randrange(3)}")
    else:  # a write by one of two names is told for that one only, so the other must not stay
        only = f"{one}/only{os.getpid()}"
        Path(only).write_text(text)
        os.link(only, f"{other}/h{rng.randrange(3)}")
        os.unlink(only)


def _flood(tree: str) -> None:
    """Thousands of events that say nothing, and that the queue cannot merge."""
    for _ in range(4000):
        for name in "xy":
            os.close(os.open(f"{tree}/{name}", os.O_WRONLY | os.O_CREAT))


class Outcome(NamedTuple):
    """What went wrong with one script, and what it took."""

    seed: int
    wrong: list[str]
    unwatched: list[str]
    leaked: int
    changes: int
    synthesized: int
    overflows: int

    @property
    def bad(self) -> bool:
        """Was anything missed?"""
        return bool(self.wrong or self.unwatched or self.leaked)


def run(
    seed: int, make: Maker = InotifyBackend, flood: bool = False, settled: bool = True, links: bool = True
) -> Outcome:
    """Two processes with a script each, on one tree, and a mirror that is told of it."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as base:
        tree, outside = f"{base}/tree", f"{base}/out"
        os.mkdir(tree)
        os.mkdir(outside)
        script(-seed, tree, outside, 40, links=links)
        mirror = Mirror(tree, make=make, settled=settled)
        writers = [
            Writer(lambda k=k: script(seed * 10 + k, tree, outside, OPERATIONS, flood, links))  # type: ignore[misc]
            for k in range(2)
        ]
        pause = rng.choice([0, 0, 0.0005, 0.003, 0.02])
        try:
            while any(not writer.done() for writer in writers):
                mirror.look() if make is PollingBackend else mirror.read()
                time.sleep(rng.random() * (0.3 if flood else pause))
        finally:
            for writer in writers:
                writer.stop()
        mirror.settle()
        by_watches = isinstance(mirror.backend, InotifyBackend)
        outcome = Outcome(
            seed,
            [f"{path}: {mirror.why(path)}" for path in sorted(mirror.wrong())],
            sorted(mirror.unwatched()) if by_watches else [],
            mirror.leaked() if by_watches else 0,
            len(mirror.all),
            sum(change.synthesized for change in mirror.all),
            getattr(mirror.backend, "overflows", 0),
        )
        mirror.close()
    return outcome
