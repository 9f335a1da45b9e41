"""The tools, and how each is told to restart a command when a .py file below the current folder changes."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks import peers

SEEDS = str(peers.HERE / "seeds.py")
LEAST_WATCHFILES = (
    "import sys, watchfiles; "
    "watchfiles.run_process('.', target=sys.argv[1], target_type='command', "
    "watch_filter=watchfiles.PythonFilter(), debounce=1, step=1)"
)
# The list is made by the same process that becomes entr, so that its time counts, as it does for every other tool.
ENTR = 'find . -name "*.py" >"$1"; list=$1; shift; exec entr -n -r "$@" <"$list"'


@dataclass(frozen=True)
class Tool:
    """One row of the tables."""

    name: str
    argv: Callable[[Sequence[str], str], list[str]]
    """From the command, and the path of a file the tool may write beside the tree, to what is to be executed."""
    whole_tree: bool = True
    """False: it watches the one folder `pkg`."""
    is_peer: bool = True
    """False: not something that people start; the aims do not count it."""


def _own(*options: str) -> Callable[[Sequence[str], str], list[str]]:
    return lambda command, _: [str(peers.BIN / "autoreload"), *options, "-e", ".py", "--", *command]


AUTORELOAD = Tool("autoreload", _own(), is_peer=False)
AUTORELOAD_AT_ONCE = Tool("autoreload --debounce 0", _own("--debounce", "0"), is_peer=False)
ENTR_TOOL = Tool("entr -nr", lambda command, beside: ["/bin/sh", "-c", ENTR, "sh", beside, *command])
NODEMON = Tool(
    "nodemon -x",
    lambda command, _: [str(peers.NODEMON), "-q", "-I", "-e", "py", "-w", ".", "-x", shlex.join(command)],
)
WATCHFILES = Tool(
    "watchfiles",
    lambda command, _: [
        *(str(peers.BIN / "watchfiles"), "--filter", "python", "--target-type", "command", shlex.join(command), "."),
    ],
)
WATCHFILES_LEAST = Tool(
    "watchfiles, step and debounce 1 ms (library)",
    lambda command, _: [str(peers.PYTHON), "-c", LEAST_WATCHFILES, shlex.join(command)],
    is_peer=False,
)
WATCHMEDO = Tool(
    "watchmedo auto-restart",
    # Since watchdog 7 a pattern is matched against the whole path (its issue 1212): "*.py" alone would match nothing.
    lambda command, _: [
        *(str(peers.BIN / "watchmedo"), "auto-restart", "-d", ".", "-R", "-p", "*.py;**/*.py", "--", *command),
    ],
)
SEED_NAIVE = Tool(
    "first design: a restart per event",
    lambda command, _: [str(peers.PYTHON), SEEDS, "naive", *command],
    is_peer=False,
)
SEED_POLL = Tool(
    "first design: polling each second",
    lambda command, _: [str(peers.PYTHON), SEEDS, "poll", *command],
    is_peer=False,
)
FLOOR = Tool(
    "floor: C, one folder, no checks",
    lambda command, _: [str(peers.FLOOR), "pkg", *command],
    whole_tree=False,
    is_peer=False,
)
PEERS = (ENTR_TOOL, NODEMON, WATCHFILES, WATCHFILES_LEAST, WATCHMEDO)
_FILES = {
    NODEMON: peers.NODEMON,
    WATCHFILES: peers.BIN / "watchfiles",
    WATCHFILES_LEAST: peers.BIN / "watchfiles",
    WATCHMEDO: peers.BIN / "watchmedo",
    FLOOR: peers.FLOOR,
}


def available(*tools: Tool) -> list[Tool]:
    """Those of them that are installed here."""
    return [
        tool
        for tool in tools
        if (shutil.which("entr") if tool is ENTR_TOOL else tool not in _FILES or _FILES[tool].exists())
    ]
