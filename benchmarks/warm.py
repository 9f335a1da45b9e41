"""From a save to the new code answering over HTTP: warm and cold, beside what people use otherwise."""

from __future__ import annotations

import http.client
import random
import shlex
import shutil
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import applications, peers
from benchmarks.applications import KINDS, Application
from benchmarks.processes import Running, descendants, usage
from benchmarks.tables import Section, median, number, table

FIRST_ANSWER = 60.0
LIMIT = 20.0
PATCHED = 6.0
"""A tool that changes the living program is not waited for as long."""
SAVES = 3
"""Of each file, one after the other; the first one tells more of the tool than of the file."""
WARM = "autoreload --warm"
COLD = "autoreload"
PAUSE = (0.3, 0.7)
"""Until the next save, seconds."""
_ASKING = 0.004


@dataclass(frozen=True)
class Tool:
    """One row."""

    name: str
    argv: tuple[str, ...]
    patches: bool = False
    is_own: bool = False


@dataclass
class Seen:
    """Of one tool with one application."""

    firsts: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    laters: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    wrong: dict[str, str] = field(default_factory=dict)
    """By kind, what was answered instead."""
    pss: list[float] = field(default_factory=list)
    warm: int = 0
    """Restarts that it called warm."""
    failed: str = ""


def measure(scratch: Path, quick: bool, only: Sequence[str] = ()) -> Section:
    """Each application with each tool, in turns. `only`: beginnings of names of applications and of tools."""
    left_out = peers.prepare_applications()
    wanted = [application for application in applications.APPLICATIONS if _is_wanted(application.name, only)]
    chosen = wanted or list(applications.APPLICATIONS)
    named = [word for word in only if not any(_is_wanted(application.name, [word]) for application in wanted)]
    rounds = 1 if quick else 2
    chance = random.Random(8)
    section = Section(
        "Warm restarts: from a save to the new code answering",
        f"A text is edited in one file, and the page that shows it asked for every {_ASKING * 1000:.0f} ms until it "
        "does: seconds from just before the save. *Leaf*: a view that one module imports. *Middle*: models that many "
        "import. *Settings*. *Entry*: the file that brings all together (in Django, the URL configuration). Each file "
        f"is saved {SAVES} times in a row, {PAUSE[0]:g} to {PAUSE[1]:g} s after the answer; its first save is told "
        f"apart, since --warm does not know before that it is being edited. The rows of autoreload: {rounds} rounds, "
        "in turns with the others, which have one. A cell has the median, in brackets the least, and the ratio of the "
        f"median to a cold restart by autoreload. Memory: PSS of all that the tool started, itself included, after "
        f"the last edit. Given up after {LIMIT:g} s; a tool that changes the living program after {PATCHED:g} s. "
        f"Python {_python()}.",
    )
    section.findings += left_out
    for application in chosen:
        rows = [tool for tool in _tools(application) if not named or _is_wanted(tool.name, named)]
        seen = {tool: Seen() for tool in rows}
        for turn in range(rounds):
            for tool in chance.sample(rows, len(rows)):
                if tool.is_own or turn == 0:
                    _one_round(seen[tool], tool, application, scratch, chance)
                    print(f"    {application.name}: {tool.name}: {_brief(seen[tool])}", flush=True)
        _tables(section, application, seen)
    return section


def _is_wanted(name: str, only: Sequence[str]) -> bool:
    return not only or any(name.lower().startswith(word.lower()) for word in only)


def _python() -> str:
    return peers.output(str(applications.PYTHON), "--version").split()[-1]


def _tools(application: Application) -> Iterator[Tool]:
    autoreload = str(peers.BIN / "autoreload")
    command = application.command
    yield Tool(WARM, (autoreload, "--warm", "-v", "--explain", "--", *command), is_own=True)
    yield Tool(COLD, (autoreload, "--", *command), is_own=True)
    yield Tool(application.own_name, application.own)
    watchfiles = (str(peers.BIN / "watchfiles"), "--filter", "python", "--target-type", "command")
    yield Tool("watchfiles", (*watchfiles, shlex.join(command).replace("'{port}'", "{port}"), "."))
    if application.hmr and Path(application.hmr[0]).exists():
        yield Tool("uvicorn-hmr", application.hmr, patches=True)
    jurigged = (str(applications.PYTHON), "-m", "jurigged", "-w", ".", *application.jurigged)
    yield Tool("jurigged", jurigged, patches=True)


# -- one round ---------------------------------------------------------------------------------------------------------
def _one_round(seen: Seen, tool: Tool, application: Application, scratch: Path, chance: random.Random) -> None:
    """A fresh tree, all kinds in turn."""
    tree = _fresh(application, scratch)
    port = _free_port()
    argv = [word.replace("{port}", str(port)) for word in tool.argv]
    errors = scratch / "errors"
    with Running(argv, tree, errors) as running:
        page = Page(port, application.path)
        if page.wait({kind: applications.text(kind, 0) for kind in KINDS}, FIRST_ANSWER) is None:
            seen.failed = f"did not answer at its start: {(page.last or running.complaint())[-120:]!r}"
            return
        time.sleep(1.0)  # until it watches
        shown = {kind: applications.text(kind, 0) for kind in KINDS}
        for kind in KINDS:
            for version in range(1, SAVES + 1):
                time.sleep(chance.uniform(*PAUSE))
                before = time.monotonic()
                applications.save(tree, application, kind, version)
                wanted = {kind: applications.text(kind, version)}
                answered = page.wait(wanted, PATCHED if tool.patches else LIMIT)
                if answered is None:
                    seen.wrong[kind] = "old code" if page.last else "no answer"
                    break
                (seen.laters if version > 1 else seen.firsts)[kind].append(answered - before)
                shown |= wanted
        if page.wait(shown, 1.0) is None:
            seen.wrong["in the end"] = page.last[:80] or "no answer"
        seen.pss.append(usage([running.process.pid, *descendants(running.process.pid)]).pss)
    seen.warm += errors.read_text(errors="replace").count("Warm restart")


def _fresh(application: Application, scratch: Path) -> Path:
    """Made once, then copied."""
    master, tree = scratch / "masters" / application.name, scratch / "tree"
    if not master.exists():
        application.make(master)
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(master, tree, ignore=shutil.ignore_patterns("__pycache__"))
    return tree


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Page:
    """What the application says of itself."""

    def __init__(self, port: int, path: str) -> None:
        self._port = port
        self._path = path
        self.last = ""
        """The last answer; empty: there was none lately."""

    def wait(self, wanted: dict[str, str], limit: float) -> float | None:
        """Ask until it shows these texts. When the answer came, monotonic seconds; None: not in time."""
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            self.last = self._ask()
            at = time.monotonic()
            shown = dict(zip(KINDS, self.last.split("|"), strict=False))
            if all(shown.get(kind) == text for kind, text in wanted.items()):
                return at
            time.sleep(_ASKING)
        return None

    def _ask(self) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=3)
        try:
            connection.request("GET", self._path)
            response = connection.getresponse()
            body = response.read().decode(errors="replace")
            return body if response.status == 200 else ""
        except (OSError, http.client.HTTPException):
            return ""
        finally:
            connection.close()


# -- words -------------------------------------------------------------------------------------------------------------
def _tables(section: Section, application: Application, seen: dict[Tool, Seen]) -> None:
    cold = next((got for tool, got in seen.items() if tool.name == COLD), Seen())
    rows: list[Sequence[str | float]] = []
    firsts: list[Sequence[str | float]] = []
    for tool, got in seen.items():
        if got.failed:
            rows.append((tool.name, got.failed, *[""] * len(KINDS)))
            continue
        cells = [_cell(got, got.laters[kind], cold.laters[kind], kind) for kind in KINDS]
        rows.append((tool.name, *cells, median(got.pss)))
        firsts.append((tool.name, *(_cell(got, got.firsts[kind], cold.firsts[kind], kind) for kind in KINDS)))
    about = f"### {application.name}: {application.about}"
    section.tables.append(about)
    section.tables.append(table(("later saves of a file, s", *KINDS, "PSS MB"), rows))
    section.tables.append(table(("its first save, s", *KINDS), firsts))
    warm = next((got for tool, got in seen.items() if tool.name == WARM), None)
    if warm is None or warm.failed or cold.failed or not cold.pss:
        return
    section.findings.append(f"{application.name}: {warm.warm} of {_saves(warm)} restarts of `--warm` were warm.")
    for kind in ("leaf", "entry"):
        ratio = median(warm.laters[kind]) / median(cold.laters[kind])
        section.aim(f"{application.name}, {kind}: a tenth of cold; {ratio:.2f}", ratio <= 0.1)
    ratio = median(warm.laters["settings"]) / median(cold.laters["settings"])
    section.aim(f"{application.name}, settings: no slower than cold; {ratio:.2f}", ratio <= 1.0)
    ratio = median(warm.pss) / median(cold.pss)
    section.aim(f"{application.name}: memory under twice that of cold; {ratio:.2f}", ratio < 2.0)


def _cell(got: Seen, values: list[float], cold: list[float], kind: str) -> str:
    said = got.wrong.get(kind, "")
    if not values:
        return said or "-"
    figures = f"{number(median(values))} ({number(min(values))})"
    figures += f" x{number(median(values) / median(cold))}" if cold else ""
    return f"{figures}, then {said}" if said else figures


def _saves(got: Seen) -> int:
    return sum(map(len, [*got.firsts.values(), *got.laters.values()])) + len(got.wrong)


def _brief(got: Seen) -> str:
    """For those who wait."""
    middles = (f"{kind} {number(median(got.laters[kind]))}" for kind in KINDS)
    return got.failed or ", ".join([*middles, *(f"{kind}: {said}" for kind, said in got.wrong.items())])
