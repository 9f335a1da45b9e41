"""While a server restarts: how many connections are refused or reset, and how long does the slowest answer take?"""

from __future__ import annotations

import random
import re
import shlex
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import peers, servers
from benchmarks.processes import Running
from benchmarks.servers import Server
from benchmarks.tables import Section, median, number, p95, table
from benchmarks.watching import Listener

EDITS = 20
PEER_EDITS = 2
PAUSE = (0.2, 0.4)
"""From the new code's answer to the next edit, seconds."""
PEER_PAUSE = (0.9, 1.1)
"""Some look for the first time half a second after their start, and miss what was edited before."""
FIRST_ANSWER = 10.0
LIMIT = 6.0
"""An edit that no answer shows by then is the last one of its row."""
OWN = "autoreload"
ALWAYS = "autoreload --keep-sockets=always"
BARE = "autoreload --no-keep-sockets --no-check"
"""Nothing of autoreload is in the command's Python."""
UNKEPT = "autoreload --no-keep-sockets"
STARTED = """
import time
FIRST = time.monotonic_ns()
import os, sys
heard = os.open(sys.argv[2], os.O_WRONLY)
os.write(heard, f"{FIRST} {os.getpid()} -\\n".encode())
"""
"""Before the application, where a start is timed."""


@dataclass(frozen=True)
class Tool:
    """One row."""

    name: str
    argv: tuple[str, ...]
    """With {port}."""


@dataclass
class Outcome:
    """Of one server under one tool."""

    asked: int = 0
    refused: int = 0
    reset: int = 0
    """With those that were closed without an answer, or had another one."""
    unanswered: int = 0
    """Within the patience of client.py."""
    slowest: float = float("nan")
    restarts: list[float] = field(default_factory=list)
    """From each save that was seen to the first answer of the new code, seconds."""
    complaint: str = ""

    def is_lossless(self, edits: int) -> bool:
        """Everything was answered, and each edit seen."""
        return (self.refused, self.reset, self.unanswered, len(self.restarts)) == (0, 0, 0, edits)


def measure(scratch: Path, quick: bool, only: Sequence[str] = ()) -> Section:
    """Each server with each tool. `only`: beginnings of names of servers and of tools."""
    installed = peers.prepare_servers()
    edits, peer_edits = (4, 2) if quick else (EDITS, PEER_EDITS)
    wanted = [server for server in servers.ALL if _is_wanted(server.name, only)]
    named = [word for word in only if not any(_is_wanted(server.name, [word]) for server in wanted)]
    section = Section(
        "Requests while a server restarts",
        f"A client opens a connection every 10 ms, asks for the page and reads to the end. Meanwhile the application "
        f"is edited {edits} times under autoreload, {peer_edits} times under the others (each needs its time): "
        f"{PAUSE[0]:g} to {PAUSE[1]:g} s after the new code was seen, under the others {PEER_PAUSE[0]:g} to "
        f"{PEER_PAUSE[1]:g} s. It takes 200 ms to import and 5 ms for an "
        "answer. *Reset*: closed without an answer. *Slowest*: of all answers, in seconds. *Restart*: the median time "
        "from the save to the first answer of the new code, in seconds. Who refuses has no slow answers: compare the "
        "restarts. *Its own*: the server's option for it. hupper is told to watch the file (`-w app.py`), since it "
        f"does not see what a worker process imports. {installed}.",
    )
    chance = random.Random(6)
    for server in wanted or servers.ALL:
        outcomes: dict[str, Outcome] = {}
        for tool in _tools(server):
            if named and not _is_wanted(tool.name, named):
                continue
            aimed = edits if tool.name.startswith(OWN) else peer_edits
            outcomes[tool.name] = _watch(tool, server, scratch / "tree", aimed, chance)
            print(f"    {server.name}: {tool.name}: {_brief(outcomes[tool.name], aimed)}", flush=True)
        _told(section, server, outcomes, edits, peer_edits)
    if not named:
        _startup(section, scratch, 8 if quick else 20, chance)
    return section


def _is_wanted(name: str, only: Sequence[str]) -> bool:
    return not only or any(name.lower().startswith(word.lower()) for word in only)


def _tools(server: Server) -> Iterator[Tool]:
    command = _in_place(server.words)
    own = str(peers.BIN / "autoreload")
    yield Tool(OWN, (own, "--", *command))
    if server.name == "granian":
        yield Tool(ALWAYS, (own, "--keep-sockets=always", "--", *command))
    if server.own:
        yield Tool("its own", _in_place(server.own))
    watchfiles = (str(peers.SERVERS / "bin" / "watchfiles"), "--filter", "python", "--target-type", "command")
    yield Tool("watchfiles", (*watchfiles, shlex.join(command).replace("'{port}'", "{port}"), "."))
    program, *words = server.words.split()
    module = ("app", *words[1:]) if program == "python" else (server.module or program, *words)
    yield Tool("hupper", (*_in_place("hupper -w app.py -m"), *module))


def _in_place(words: str) -> tuple[str, ...]:
    program, *others = words.split()
    return (str(peers.SERVERS / "bin" / program), *others)


# -- edits under load --------------------------------------------------------------------------------------------------
def _watch(tool: Tool, server: Server, tree: Path, edits: int, chance: random.Random) -> Outcome:
    """Edit the application, and count what a client gets."""
    tree.mkdir(exist_ok=True)
    app = tree / "app.py"
    app.write_text(server.source)
    port = _free_port()
    saved: dict[str, float] = {}
    answers = tree.parent / "answers"
    with Running([word.replace("{port}", str(port)) for word in tool.argv], tree, tree.parent / "errors") as running:
        if _first_answer(port, "version-1", FIRST_ANSWER) is None:
            return Outcome(complaint=f"did not answer at its start: {running.complaint()[-150:]!r}")
        time.sleep(1.0)  # until it watches
        # To a file: a full pipe would stop the client, and servers would wait for requests that never come.
        with answers.open("wb") as file:
            argv = [str(peers.PYTHON), str(peers.HERE / "client.py"), str(port)]
            client = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=file)
        for edit in range(2, edits + 2):
            time.sleep(chance.uniform(*(PAUSE if tool.name.startswith(OWN) else PEER_PAUSE)))
            version = f"version-{edit}"
            # Of another size each time: else old bytecode would do for some, which is a question of its own.
            saved[version] = time.monotonic()
            app.write_text(re.sub("version-[0-9]+", version, server.source) + "#" * edit + "\n")
            if _first_answer(port, version, LIMIT) is None:
                break
        time.sleep(PAUSE[1])
        client.communicate()
        return _counted(answers.read_text(), saved, running.complaint())


def _counted(output: str, saved: dict[str, float], complaint: str) -> Outcome:
    outcome = Outcome(complaint=complaint)
    took: list[float] = []
    first: dict[str, float] = {}
    for line in output.splitlines():
        began, seconds, end = line.split()
        outcome.asked += 1
        if end.startswith("version-"):
            took.append(float(seconds))
            at = float(began) + float(seconds)
            first[end] = min(at, first.get(end, at))
        elif end == "refused":
            outcome.refused += 1
        elif end == "none":
            outcome.unanswered += 1
        else:
            outcome.reset += 1
    outcome.slowest = max(took, default=float("nan"))
    outcome.restarts = [first[version] - at for version, at in saved.items() if version in first]
    return outcome


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _first_answer(port: int, version: str, within: float, pause: float = 0.03) -> float | None:
    """Ask until this version answers. When it did, monotonic seconds; None: not in time."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        heard = b""
        try:
            with socket.create_connection(("127.0.0.1", port), within) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                while part := client.recv(1 << 16):
                    heard += part
        except OSError:
            pass
        if heard.endswith(version.encode()):
            return time.monotonic()
        time.sleep(pause)
    return None


# -- start-up ----------------------------------------------------------------------------------------------------------
def _startup(section: Section, scratch: Path, runs: int, chance: random.Random) -> None:
    """What the part that autoreload has in the command's Python costs at a start: with it and without, in turns."""
    tree = scratch / "starts-of"
    tree.mkdir()
    (tree / "app.py").write_text(STARTED + servers.PLAIN.replace("time.sleep(0.2)\n", ""))
    listener = Listener(scratch / "starts")
    options = (BARE, UNKEPT, OWN)
    firsts: dict[str, list[float]] = {name: [] for name in options}
    answers: dict[str, list[float]] = {name: [] for name in options}
    python = str(peers.SERVERS / "bin" / "python")
    for run in range(runs + 1):
        for name in chance.sample(options, len(options)):
            port = _free_port()
            listener.clear()
            program = [str(peers.BIN / "autoreload"), *name.split()[1:]]
            command = [python, "app.py", str(port), str(listener.path)]
            with Running([*program, "--", *command], tree, scratch / "errors") as running:
                start = listener.wait(lambda start: True, FIRST_ANSWER)
                answered = _first_answer(port, "version-1", FIRST_ANSWER, 0.001)
                if run and start and answered:  # the first one fills the caches
                    firsts[name].append((start.at - running.started) / 1e6)
                    answers[name].append(answered * 1000 - running.started / 1e6)
    listener.close()
    rows = [
        (name, median(firsts[name]), p95(firsts[name]), median(answers[name]), p95(answers[name])) for name in options
    ]
    head = (f"{runs} starts each, in turns", "exec to first instruction ms", "p95", "exec to first answer ms", "p95")
    section.tables.append(table(head, rows))
    for what, times in (("first instruction", firsts), ("first answer", answers)):
        cost = median(times[OWN]) - median(times[BARE])
        section.aim(f"under 5 ms of start-up for it, to the {what} of the command; {number(cost)} ms", cost < 5)


# -- words -------------------------------------------------------------------------------------------------------------
def _told(section: Section, server: Server, outcomes: dict[str, Outcome], edits: int, peer_edits: int) -> None:
    rows: list[Sequence[str | float]] = []
    for name, outcome in outcomes.items():
        aimed = edits if name.startswith(OWN) else peer_edits
        if not outcome.asked:
            rows.append((name, outcome.complaint, *[""] * 7))
            continue
        restart = median(outcome.restarts)
        counts = (outcome.asked, outcome.refused, outcome.reset, outcome.unanswered)
        seen = f"{len(outcome.restarts)} of {aimed}"
        rows.append((name, seen, *counts, outcome.slowest, restart, outcome.slowest / restart))
    head = (server.name, "edits seen", "asked", "refused", "reset", "no answer", "slowest", "restart", "ratio")
    section.tables.append(table(head, rows))
    kept = outcomes.get(ALWAYS, outcomes.get(OWN))
    if kept is not None:
        option = ", --keep-sockets=always" if ALWAYS in outcomes else ""
        lost = f"{kept.refused} refused, {kept.reset} reset, {kept.unanswered} without an answer"
        section.aim(f"{server.name}{option}: nothing lost; {lost}", kept.is_lossless(edits))
        ratio = kept.slowest / median(kept.restarts)
        section.aim(f"{server.name}{option}: the slowest answer within 1.5 restarts; {number(ratio)}", ratio <= 1.5)


def _brief(outcome: Outcome, edits: int) -> str:
    """For those who wait."""
    if not outcome.asked:
        return outcome.complaint
    lost = f"{outcome.refused} refused, {outcome.reset} reset, {outcome.unanswered} without an answer"
    slow = f"slowest {number(outcome.slowest)} s, restart {number(median(outcome.restarts))} s"
    return f"{len(outcome.restarts)} of {edits} edits, {outcome.asked} asked, {lost}, {slow}"
