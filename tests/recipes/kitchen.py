"""Where recipes are tried: a project with all that the page speaks of, and stand-ins for other people's programs."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.docs.pages import ROOT, Block, blocks
from tests.support import command_line, end_all, eventually, survivors

PAGE = ROOT / "docs" / "recipes.md"
STAND_IN = Path(__file__).with_name("stand_in.py")
PROGRAMS = "flask uvicorn gunicorn celery trytond trytond-admin make npm node uv sudo redis-server".split()
NOT_PYTHON = ("make", "node", "npm", "redis-server", "sudo")
"""What counts for them by default is another thing."""
SCRIPTS = ("app.py", "server.py", "server.js", "manage.py", "odoo-bin")
PORTS = re.compile(r"\b(5678|6390|8000)\b")
TEST = "import os\nfrom pathlib import Path\n\ndef test_it():\n    with open(os.environ['STAND_IN_LOG'], 'a') as log:\n"
TEST += "        log.write('pytest started\\npytest ended\\n')\n"


def block(heading: str, language: str = "sh") -> Block:
    """The first block in that language under that heading of the page."""
    return next(found for found in blocks(PAGE) if (found.heading, found.language) == (heading, language))


class Kitchen:
    """A scratch project, with its programs and their log beside it."""

    def __init__(self, base: Path, mark: str, real: Sequence[str] = ()) -> None:
        """`real`: programs that no stand-in is to hide."""
        self.mark = mark
        self.project = base / "project"
        self.bin = base / "bin"
        self.log = base / "log"
        self.said = base / "stderr"
        for folder in (
            self.project,
            self.bin,
            self.bin / "inner",
            base / "home",
            self.project / "templates",
            self.project / "debugpy",
        ):
            folder.mkdir()
        for name in (*PROGRAMS, "autoreload", "pytest"):
            if name not in real:
                self._executable(self.bin / name)
        # A link would make Python look for its library beside it.
        self._write(self.bin / "python", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        for name in SCRIPTS:
            self._executable(self.project / name)
        shutil.copy(STAND_IN, self.project / "debugpy" / "__main__.py")
        for name in ("odoo.conf", "trytond.conf", "main.c", "templates/base.html"):
            (self.project / name).write_text("")
        (self.project / "test_it.py").write_text(TEST)
        self.environ = {
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "HOME": str(base / "home"),
            "STAND_IN_LOG": str(self.log),
            "MARK": mark,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "TERM": "xterm",
        }

    def _executable(self, path: Path) -> None:
        if path.name == "autoreload":
            text = f"import sys\nsys.path.insert(0, {str(ROOT / 'src')!r})\nfrom autoreload.cli import main\n"
            self._write(path, f"#!{sys.executable}\n{text}sys.exit(main())\n")
        elif path.name == "pytest":
            self._write(path, f"#!{sys.executable}\nimport sys, pytest\nsys.exit(pytest.main())\n")
        elif path.name in NOT_PYTHON:
            inner = shutil.copy(STAND_IN, path.parent / "inner" / path.name)
            self._write(path, f'#!/bin/sh\nexec "{sys.executable}" -SE "{inner}" "$@"\n')
        else:
            self._write(path, f"#!{sys.executable} -SE\n{STAND_IN.read_text()}")

    def _write(self, path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def logged(self, what: str) -> list[str]:
        """The lines of the log that tell of that: `started`, `ended`."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line for line in lines if line.split()[1] == what]

    def wait_for(self, what: str, number: int) -> list[str]:
        """Until the log tells so often of that."""
        try:
            eventually(lambda: len(self.logged(what)) >= number, within=20.0)
            return self.logged(what)
        except AssertionError:
            log = self.log.read_text() if self.log.exists() else "no log"
            raise AssertionError(f"{what} not {number} times: {log!r}; {self.text()!r}") from None

    def text(self) -> str:
        """All that was written to stderr."""
        return self.said.read_text() if self.said.exists() else ""

    def save(self, name: str) -> None:
        """As an editor without finesse does."""
        with open(self.project / name, "a") as file:
            file.write("\n")

    def clock_ticks(self) -> None:
        """Until a file that is written has a later time than those that are there: make(1) compares them."""
        probe = self.project.parent / "probe"

        def later() -> bool:
            probe.write_text("")
            return all(probe.stat().st_mtime_ns > file.stat().st_mtime_ns for file in self.project.iterdir())

        eventually(later, what="a tick of the clock of files")

    def tool(self) -> int:
        """Pid of autoreload."""
        name = f"{self.bin}/autoreload"
        return eventually(lambda: next((pid for pid in survivors(self.mark) if self._is(pid, name)), 0))

    def _is(self, pid: int, script: str) -> bool:
        return command_line(pid).split()[1:2] == [script]

    def monitoring(self) -> None:
        """Wait until a save would be noticed."""
        eventually(lambda: "Start monitoring" in self.text(), what="monitoring")

    @contextmanager
    def run(self, line: str, *before: str) -> Iterator[subprocess.Popen[bytes]]:
        """This line of shell, as it stands on the page, but for its ports."""
        with open(self.said, "wb") as said:
            process = subprocess.Popen(
                [*before, "/bin/sh", "-c", with_free_ports(line)],
                cwd=self.project,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            end_all(self.mark)
            process.wait()

    def end(self, process: subprocess.Popen[bytes]) -> int:
        """Ask autoreload to end. The exit code of the line."""
        os.kill(self.tool(), signal.SIGTERM)
        return process.wait(20.0)

    def nothing_left(self) -> None:
        """Of all that the line started."""
        eventually(lambda: not survivors(self.mark), what="an empty tree")


def with_free_ports(line: str) -> str:
    """The same, with ports that nobody on this machine has."""

    def free(found: re.Match[str]) -> str:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return str(probe.getsockname()[1])

    return PORTS.sub(free, line)
