"""Each recipe works as the page says it: its lines are run as they stand there."""

from __future__ import annotations

import configparser
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.docs.pages import blocks
from tests.recipes.kitchen import PAGE, Kitchen, block
from tests.support import eventually, survivors

pytestmark = pytest.mark.slow

LINES = [
    (found.heading, line)
    for found in blocks(PAGE)
    if found.language == "sh"
    for line in found.text.splitlines()
    if not line.startswith("tmux")
]
SAVED = {
    "Django": "templates/base.html",
    "make": "main.c",
    "Odoo": "odoo.conf",
    "Tryton": "trytond.conf",
}
"""What is saved to see a restart: what the recipe makes a point of, else app.py."""
NAMESPACE = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child")
Make = Callable[..., Kitchen]


@pytest.fixture
def kitchen(tmp_path: Path) -> Make:
    """Makes one."""
    return lambda *real: Kitchen(tmp_path, f"recipe-{uuid.uuid4()}", real)


@pytest.mark.parametrize(("heading", "line"), LINES, ids=[f"{heading}: {line}" for heading, line in LINES])
def test_a_recipe_starts_restarts_and_ends(kitchen: Make, heading: str, line: str) -> None:
    """It starts, a save restarts it, every end is by its own will, and nothing is left."""
    it = kitchen()
    each = 2 if "&& exec" in line else 1
    background = ["redis-server"] if line.startswith("redis-server") else []
    first = 0 if " -p " in line else each
    with it.run(line) as process:
        it.monitoring()
        it.wait_for("started", first + len(background))
        if heading == "make":
            it.wait_for("ended", 1)

        it.save(SAVED.get(heading, "app.py"))

        started = it.wait_for("started", first + each + len(background))
        code = it.end(process)
        left = [pid for pid in survivors(it.mark) if "redis-server" in Path(f"/proc/{pid}/cmdline").read_text()]
        assert len(left) == len(background)
        for pid in left:
            os.kill(pid, signal.SIGTERM)
        it.nothing_left()

    assert code == 0
    ended = it.logged("ended")
    assert sorted(entry.split()[0] for entry in ended) == sorted(entry.split()[0] for entry in started)
    assert "Cannot" not in it.text()


def test_every_recipe_is_tried() -> None:
    """There is no block on the page that no test reads."""
    languages = {found.language for found in blocks(PAGE)}
    assert languages == {"sh", "json", "dockerfile", "ini"}
    assert len(LINES) >= 15


@pytest.mark.parametrize(
    "real", [[], *([["make"]] if shutil.which("make") else [])], ids=lambda real: "real" if real else "stand-in"
)
def test_what_make_builds_is_no_reason_to_build(kitchen: Make, real: list[str]) -> None:
    """The recipe names its output: one save is one build."""
    it = kitchen(*real)
    recipe = 'app: main.c\n\techo make started >> "$$STAND_IN_LOG"\n\techo > main.o\n\techo > app\n'
    (it.project / "Makefile").write_text(recipe)
    with it.run(block("make").text.strip()) as process:
        it.wait_for("started", 1)
        for number in range(2, 5):
            eventually(lambda number=number: it.text().count("exited with code 0") >= number - 1)  # type: ignore[misc]
            it.clock_ticks()
            it.save("main.c")
            it.wait_for("started", number)
        it.end(process)

    assert it.text().count("Modification detected") == it.text().count("process: main.c") == 3


def test_the_adapter_of_a_debugger_gives_its_port_back(kitchen: Make) -> None:
    """It has left its parent, and still the next one gets the port."""
    it = kitchen()
    with it.run(block("Debuggers").text.strip()) as process:
        for number in (1, 2, 3):
            it.wait_for("started", number)
            it.save("app.py")
        it.wait_for("started", 4)
        assert it.end(process) == 0
        it.nothing_left()


@pytest.mark.needs("setsid")
@pytest.mark.parametrize(
    "real", [[], *([["npm", "node"]] if shutil.which("npm") else [])], ids=lambda real: "real" if real else "stand-in"
)
def test_ctrl_c_under_npm_is_one_ctrl_c(kitchen: Make, real: list[str]) -> None:
    """It comes from the terminal and from npm, and the server, which takes its time, still ends by itself."""
    it = kitchen(*real)
    (it.project / "package.json").write_text(block("npm, Node.js", "json").text)
    if real:
        (it.project / "server.js").write_text(SERVER_JS)
    keyboard, terminal = os.openpty()
    runner = ["setsid", "--ctty", "--wait", sys.executable, "-c", DEFAULT_SIGINT, "npm", "run", "dev"]
    process = subprocess.Popen(runner, cwd=it.project, env=it.environ, stdin=terminal, stdout=terminal, stderr=terminal)
    try:
        os.close(terminal)
        it.wait_for("started", 1)
        it.save("server.js")
        it.wait_for("started", 2)
        os.write(keyboard, b"\x03")
        ended = it.wait_for("ended", 2)
        it.nothing_left()
    finally:
        for pid in survivors(it.mark):
            os.kill(pid, signal.SIGKILL)
        os.close(keyboard)
        process.wait()

    assert [entry.split()[-1] for entry in ended] == ["SIGTERM", "SIGINT"]


DEFAULT_SIGINT = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execvp(sys.argv[1], sys.argv[1:])"
)
SERVER_JS = """\
const log = (...words) => require("fs").appendFileSync(process.env.STAND_IN_LOG, words.join(" ") + "\\n");
let asked = false;
for (const name of ["SIGINT", "SIGTERM"])
    process.on(name, () => {
        if (asked) process.exit(1);
        asked = true;
        setTimeout(() => { log("node", "ended", name); process.exit(0); }, 300);
    });
setInterval(() => {}, 1000);
log("node", "started");
"""


@pytest.mark.needs("tmux")
def test_a_closed_tmux_session_ends_the_command(kitchen: Make) -> None:
    """The session of the recipe is killed: nothing is left."""
    it = kitchen()
    it.environ["TMUX_TMPDIR"] = str(it.project.parent)
    server = ["tmux", "-f", "/dev/null", "-L", "s"]
    words = shlex.split(block("tmux").text)
    try:
        subprocess.run([*server, *words[1:]], cwd=it.project, env=it.environ, check=True)
        it.wait_for("started", 1)
        it.save("app.py")
        it.wait_for("started", 2)
        subprocess.run([*server, "kill-session", "-t", "dev"], env=it.environ, check=True)
        it.nothing_left()
    finally:
        subprocess.run([*server, "kill-server"], env=it.environ, capture_output=True)
    assert len(it.logged("ended")) == 2  # a hangup is told to the leader of the session alone, and passed on


@pytest.mark.skipif(
    shutil.which("unshare") is None or subprocess.run([*NAMESPACE, "true"], capture_output=True).returncode != 0,
    reason="needs a user namespace and a PID namespace (unshare)",
)
def test_the_entry_point_of_a_container_is_pid_1(kitchen: Make) -> None:
    """As PID 1, asked to end as by `docker stop`, it ends all and exits with 0."""
    it = kitchen()
    found = next(line for line in block("Docker", "dockerfile").text.splitlines() if line.startswith("ENTRYPOINT"))
    words = json.loads(found.removeprefix("ENTRYPOINT"))
    with it.run(f"exec {shlex.join(words)}", *NAMESPACE) as process:
        it.wait_for("started", 1)
        status = Path(f"/proc/{it.tool()}/status").read_text()
        assert next(line for line in status.splitlines() if line.startswith("NSpid")).split()[-1] == "1"

        it.save("app.py")
        it.wait_for("started", 2)
        assert it.end(process) == 0
        it.nothing_left()
    assert [entry.split()[-1] for entry in it.logged("ended")] == ["SIGTERM", "SIGTERM"]


def test_the_unit_of_systemd_is_sound(kitchen: Make) -> None:
    """It has what the page explains, systemd (where it is there) has no complaint, and its command line works."""
    it = kitchen()
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    text = block("systemd", "ini").text
    unit.read_string(text)
    service = unit["Service"]
    assert service["KillMode"] == "mixed"
    assert float(service["TimeoutStopSec"]) > 5.0

    command = service["ExecStart"].replace("%h/.local/bin", str(it.bin))
    if shutil.which("systemd-analyze"):
        file = it.project / "app.service"
        file.write_text(text.replace(service["ExecStart"], command).replace("%h/app", str(it.project)))
        call = ["systemd-analyze", "verify", "--user", str(file)]
        done = subprocess.run(
            call, capture_output=True, text=True, env={**it.environ, "XDG_RUNTIME_DIR": str(it.project)}
        )
        assert (done.returncode, "app.service" in done.stderr) == (0, False), done.stderr
    with it.run(command) as process:
        it.wait_for("started", 1)
        assert it.end(process) == 0


def test_a_guard_that_is_asked_to_end_shortens_the_grace_period(kitchen: Make) -> None:
    """That is why the unit says KillMode=mixed: a guard that gets SIGTERM leaves one second."""
    it = kitchen()
    stubborn = "import os, signal, time; signal.signal(15, signal.SIG_IGN); os.write(1, b'up'); time.sleep(600)"
    (it.project / "app.py").write_text(stubborn.replace("os.write(1, b'up')", "open(os.environ['STAND_IN_LOG'], 'w')"))
    with it.run("exec autoreload --stop-timeout 60 -- python app.py") as process:
        eventually(it.log.exists)
        tool = it.tool()
        guard = int(Path(f"/proc/{tool}/task/{tool}/children").read_text().split()[0])
        for pid in (tool, guard):
            os.kill(pid, signal.SIGTERM)
        assert process.wait(20.0) == 0
        it.nothing_left()


def test_sudo_alone_would_not_find_it(kitchen: Make) -> None:
    """A control for the recipe: without its `env`, PATH is not yours."""
    it = kitchen()
    with it.run("sudo -E autoreload -- python server.py") as process:
        assert process.wait(20.0) != 0
    assert it.logged("started") == []
