"""Who wrote this file: the command's own tree, or a stranger?"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from autoreload.process.family import REMEMBERED, Family
from tests.process.helpers import code, tool, unruly
from tests.support import eventually, survivors

SPAWNS = "import subprocess, sys; subprocess.run(['sleep', '1000'])"


def test_everything_below_the_guard_is_the_family(mark: str) -> None:
    """The command and its child; not the guard, the tool, ourselves, or nobody."""
    with tool(code(SPAWNS), mark) as it:
        pid = it.start()
        child = int(eventually(lambda: Path(f"/proc/{pid}/task/{pid}/children").read_text()))
        family = Family()

        assert family.owns(pid, it.guard, 0.0)
        assert family.owns(child, it.guard, 0.0)
        for stranger in (it.guard, it.process.pid, os.getpid(), os.getppid(), 1, 0):
            assert not family.owns(stranger, it.guard, 0.0)
        assert not family.owns(pid, 0, 0.0)


def test_orphans_are_of_the_family(mark: str, ready: Path) -> None:
    """Also those in a session of their own: the guard inherits them."""
    with tool(unruly("setsid", ready), mark) as it:
        it.start()
        eventually(ready.read_text)
        found = [pid for pid in survivors(mark) if pid not in (it.guard, it.process.pid)]
        family = Family()
        assert found
        assert all(family.owns(pid, it.guard, 0.0) for pid in found)


def test_who_is_gone_was_of_the_family_if_it_was_seen_a_short_time_ago(mark: str) -> None:
    """Else it is a stranger: its change counts. A new tree has new members."""
    with tool(["sleep", "1000"], mark) as it:
        pid = it.start()
        seen, unseen, started_anew = Family(), Family(), Family()
        assert seen.owns(pid, it.guard, 100.0)
        assert started_anew.owns(pid, it.guard, 100.0)
        it.stop()

        started_anew.forget()
        assert seen.owns(pid, it.guard, 100.0 + REMEMBERED - 0.1)
        assert not seen.owns(pid, it.guard, 100.0 + REMEMBERED)
        assert not unseen.owns(pid, it.guard, 100.0)
        assert not started_anew.owns(pid, it.guard, 100.0)


def test_a_stranger_that_is_gone_stays_one(mark: str) -> None:
    """Nothing is remembered of who never was of the family."""
    with tool(["sleep", "1000"], mark) as it:
        it.start()
        family = Family()
        with subprocess.Popen(["sleep", "1000"]) as stranger:
            assert not family.owns(stranger.pid, it.guard, 0.0)
            stranger.kill()
        assert not family.owns(stranger.pid, it.guard, 0.0)
