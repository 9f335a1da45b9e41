"""The processes below another one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from autoreload.linux import descendants
from tests.support import eventually

NESTED = "import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', 'input()'])"


@pytest.mark.parametrize("has_lists", [True, False])
def test_all_that_is_below_is_found(has_lists: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Children and theirs, by the kernel's lists of children or, where it has none, by looking at everybody."""
    if not has_lists:

        def none(pid: int | str) -> list[int]:
            raise PermissionError

        monkeypatch.setattr(descendants, "children", none)
    with subprocess.Popen([sys.executable, "-S", "-c", NESTED], stdin=subprocess.PIPE) as process:
        (below,) = eventually(lambda: descendants.under(process.pid))
        found = descendants.under(os.getpid())
        assert {process.pid, below} <= set(found)
        assert os.getpid() not in found
        assert process.stdin
        process.stdin.close()
    assert descendants.under(process.pid) == []
    assert descendants.under(0) == []
