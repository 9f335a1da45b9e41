"""What holds whatever goes wrong: the terminal is given back, and a lack of descriptors is one line."""

from __future__ import annotations

import errno
import os
from typing import Any
from unittest.mock import Mock

import pytest

import autoreload.session
from autoreload import startup
from autoreload.errors import UserError
from autoreload.job import Job

NO_DESCRIPTOR = OSError(errno.EMFILE, os.strerror(errno.EMFILE))


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> dict[str, Mock]:
    """Stand-ins for all that a run consists of."""
    found = {name: Mock() for name in ("resolve", "Terminal", "Runner")}
    for name, part in found.items():
        monkeypatch.setattr(startup, name, part)
    monkeypatch.setattr(startup, "take", lambda: (Mock(), set()))
    found["Session"] = Mock()
    monkeypatch.setattr(autoreload.session, "Session", found["Session"])
    found["Session"].return_value.run.return_value = 0
    return found


def job() -> Any:
    """Anything that looks like a job."""
    made = Mock(spec=Job)
    made.command, made.directory = ["true"], "/"
    made.settings = Mock(
        quiet=True,
        verbose=False,
        listen=(),
        warm=False,
        overlap=False,
        keep_sockets="auto",
        no_keep_sockets=True,
        show_errors=False,
    )
    return made


def test_the_terminal_is_given_back_whatever_fails_before(parts: dict[str, Mock]) -> None:
    """Even the end of the guard."""
    parts["Runner"].return_value.close.side_effect = ValueError("of the guard")
    with pytest.raises(ValueError, match="of the guard"):
        startup.run(job())
    parts["Terminal"].return_value.restore.assert_called_once_with()


@pytest.mark.parametrize("where", ["Runner", "Session"])
def test_a_lack_of_descriptors_is_for_a_person_to_mend(where: str, parts: dict[str, Mock]) -> None:
    """It is no bug of ours, at the start or later."""
    parts["Runner"].side_effect = NO_DESCRIPTOR if where == "Runner" else None
    parts["Session"].return_value.run.side_effect = NO_DESCRIPTOR
    with pytest.raises(UserError, match="Too many open files; raise `ulimit -n`"):
        startup.run(job())
