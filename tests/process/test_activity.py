"""What the processes below another one do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from autoreload.linux import descendants
from autoreload.process import activity
from tests.support import eventually


@contextmanager
def below(code: str) -> Iterator[int]:
    """A shell with a child that runs this Python code."""
    words = ["sh", "-c", f'"{sys.executable}" -S -E -c "$0"; true', code]
    with subprocess.Popen(words, start_new_session=True) as shell:
        try:
            eventually(lambda: descendants.children(shell.pid))
            yield shell.pid
        finally:
            os.killpg(shell.pid, 9)


def test_a_process_that_waits_uses_nothing() -> None:
    """Its figure stands still."""
    with below("import time; time.sleep(1000)") as shell:
        eventually(lambda: not activity.sample(shell).busy and activity.sample(shell) == activity.sample(shell))
        assert len(activity.sample(shell).used) == 1


def test_a_process_that_computes_is_busy() -> None:
    """Its figure grows."""
    with below("while True: pass") as shell:
        first = eventually(lambda: activity.sample(shell).busy and activity.sample(shell))
        assert eventually(lambda: sum(activity.sample(shell).used.values()) > sum(first.used.values()) + 0.01)


def test_all_below_count() -> None:
    """Not only the children."""
    with below("import subprocess; subprocess.run(['sleep', '1000'])") as shell:
        assert eventually(lambda: len(activity.sample(shell).used) == 2)


def test_where_nobody_knows_it_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hidden /proc."""
    monkeypatch.setattr(descendants, "PROC", "/nonexistent")
    assert activity.sample(os.getpid()).busy
