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

# A loop around a program that prints the name of each file that changed, as people write it.
LOOP = """
"$@" & pid=$!
trap 'kill $pid; exit' TERM
while read -r line; do
    case $line in *.py) kill $pid; wait $pid; "$@" & pid=$! ;; esac
done <"$names"
"""
INOTIFYWAIT = (
    'names=$1.names; tree=$2; shift 2; rm -f "$names"; mkfifo "$names"; '
    "inotifywait -q -m -r -e close_write,moved_to,moved_from,delete,create --format %w%f"
    ' "$tree" >"$names" &' + LOOP
)
WATCHMAN = (
    'names=$1.names; tree=$(realpath "$2"); state=$1.state; wait=$3; shift 3; export WATCHMAN_SOCK=$state.socket; '
    'rm -f "$names" "$state"*; mkfifo "$names"; '
    'watchman -f -U "$WATCHMAN_SOCK" --statefile="$state" --logfile="$state.log" --pidfile="$state.pid" & '
    'until watchman -U "$WATCHMAN_SOCK" --no-spawn version; do sleep .02; done; '
    '"$wait" -m 0 -p "**/*.py" -- "$tree" >"$names" &' + LOOP
)
"""The daemon is started anew, as its start is what counts; it holds the whole tree."""
WATCHMAN_WAIT = str(peers.BIN / "watchman-wait")


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
AUTORELOAD_UNCOMPARED = Tool("autoreload --no-content-check", _own("--no-content-check"), is_peer=False)
AUTORELOAD_FANOTIFY = Tool("autoreload --backend fanotify", _own("--backend", "fanotify"), is_peer=False)
AUTORELOAD_POLLING = Tool("autoreload --poll", _own("--poll"), is_peer=False)
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
INOTIFYWAIT_LOOP = Tool(
    "inotifywait, in a loop", lambda command, beside: ["/bin/bash", "-c", INOTIFYWAIT, "sh", beside, ".", *command]
)
WATCHMAN_LOOP = Tool(
    "watchman-wait, in a loop",
    lambda command, beside: ["/bin/bash", "-c", WATCHMAN, "sh", beside, ".", WATCHMAN_WAIT, *command],
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
WATCHERS = (INOTIFYWAIT_LOOP, WATCHMAN_LOOP)
"""Programs that tell of changes and restart nothing; people put a loop around them."""
PEERS = (ENTR_TOOL, NODEMON, WATCHFILES, WATCHFILES_LEAST, WATCHMEDO)
_PROGRAMS = {ENTR_TOOL: "entr", INOTIFYWAIT_LOOP: "inotifywait", WATCHMAN_LOOP: "watchman"}
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
        if (shutil.which(_PROGRAMS[tool]) if tool in _PROGRAMS else tool not in _FILES or _FILES[tool].exists())
    ]
