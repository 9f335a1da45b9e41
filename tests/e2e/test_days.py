"""Bad days: commands that cannot start, crash or loop, readers that go away, limits, and signals at bad moments."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests import denied
from tests.e2e.tool import AUTORELOAD, PYTHON, Project, autoreload, children, comm, later, run_briefly
from tests.support import command_line, eventually, survivors


def shell(script: str) -> list[str]:
    """What to put before a command so that sh(1) does something first; `"$@"` is the command."""
    return ["sh", "-c", script, "sh"]


def executable(project: Project, name: str) -> Path:
    """A script that leaves a stamp, in the tree."""
    words = " ".join(f"'{word}'" for word in project.stamp())
    path = project.write(name, f"#!/bin/sh\nexec {words}\n")
    path.chmod(0o755)
    return path


class TestACommandThatCannotStart:
    """It is not the end: so is said, and a change is waited for."""

    def test_it_appears(self, project: Project) -> None:
        """A file that is missing is told, and is started once it is there."""
        with autoreload(project, "./server") as it:
            it.expect(r"Cannot start \./server: there is no such file or command \(.*\); waiting for ")
            it.watching()
            executable(project, "server")
            project.wait_for_start(1)
            it.end()

    def test_it_appears_and_is_made_executable_later(self, project: Project) -> None:
        """chmod is no change; but a file that is fresh is tried again for a while."""
        with autoreload(project, "./server") as it:
            it.expect(r"Cannot start \./server")
            it.watching()
            server = executable(project, "../server")
            server.chmod(0o644)
            os.rename(server, project.tree / "server")
            it.expect("restart process: server")
            later(0.1)
            (project.tree / "server").chmod(0o755)
            project.wait_for_start(1)
            it.end()

    def test_it_is_on_nobodys_path(self, project: Project) -> None:
        """The same, by name; the modern form with a command and its words."""
        with autoreload(project, "no-such-command", "--port", "80") as it:
            it.expect("Cannot start no-such-command.*: there is no such file or command")
            it.end()

    @pytest.mark.parametrize(
        ("text", "mode", "reason"),
        [
            ("#!/bin/sh\n", 0o644, "it is not executable (chmod +x"),
            ("#!/no/such/interpreter\n", 0o755, "/no/such/interpreter"),
            ("\0\1\2\3", 0o755, "neither a program nor a script"),
        ],
        ids=["mode", "interpreter", "format"],
    )
    def test_it_is_not_to_be_executed(self, text: str, mode: int, reason: str, project: Project) -> None:
        """The reason is named, with what to do about it; and when it is mended the command starts."""
        path = project.write("server", text)
        path.chmod(mode)
        os.utime(path)
        with autoreload(project, "./server") as it:
            it.expect(r"Cannot start \./server")
            assert reason in it.text()
            it.watching()
            executable(project, "server")
            project.wait_for_start(1)
            it.end()

    def test_a_binary_that_is_being_linked(self, project: Project) -> None:
        """Open for writing (ETXTBSY) while its directory already tells of it: it is tried again until it is closed."""
        binary = shutil.which("sleep")
        assert binary
        server = project.tree / "server"
        shutil.copy(binary, server)
        with autoreload(project, "-v", "./server", "100") as it:
            it.expect("Process ")
            it.watching()
            for _ in range(3):
                new = project.base / "server.new"
                shutil.copy(binary, new)
                with open(new, "r+b"):
                    os.rename(new, server)
                    it.expect("restart process: server")
                    later(0.05)
                it.expect(r"Process \d+ started: ./server 100")
            it.end()

    def test_a_binary_that_is_rebuilt_in_place(self, project: Project) -> None:
        """Removed, written in pieces, made executable last: what runs in the end is the new one."""
        binary = shutil.which("sleep")
        assert binary
        data = Path(binary).read_bytes()
        server = project.tree / "server"
        shutil.copy(binary, server)
        with autoreload(project, "-v", "./server", "100") as it:
            it.expect("Process ")
            it.watching()
            for _ in range(3):
                server.unlink()
                with open(server, "wb") as file:
                    for start in range(0, len(data), 8192):
                        file.write(data[start : start + 8192])
                        file.flush()
                        later(0.002)
                server.chmod(0o755)
                it.expect(r"Process \d+ started: ./server 100")
            inode = server.stat().st_ino

            def is_running() -> bool:
                """Is it the new one?"""
                return any(_executes(pid) == inode for pid in survivors(project.mark))

            eventually(is_running)
            it.end()


def _executes(pid: int) -> int:
    try:
        return os.stat(f"/proc/{pid}/exe").st_ino
    except OSError:
        return 0


class TestACommandThatEnds:
    """By itself: how is told, and what happens then is the user's choice."""

    def test_a_crash_at_once_waits_for_a_change(self, project: Project) -> None:
        """The next version gets its chance."""
        project.write("app.py", "1/0")
        with autoreload(project, *PYTHON, "app.py") as it:
            it.expect(r"Process exited with code 1 after .*; waiting for a change")
            it.watching()
            project.write("app.py", "import os; os.kill(os.getpid(), 9)")
            it.expect(r"Process was killed by SIGKILL after .*; waiting for a change")
            project.write("app.py", "")
            it.expect(r"Process exited with code 0 after .*; waiting for a change")
            it.end()
            assert "ZeroDivisionError" in it.text()

    def test_what_it_leaves_running_is_ended_by_the_next_start(self, project: Project) -> None:
        """A command that starts a daemon and ends: the daemon lives until then, and not longer."""
        script = f"{' '.join(project.stamp())} & exit 3"
        project.write("a.py")
        with autoreload(project, ".", ".py", script) as it:
            it.expect("Process exited with code 3")
            first = project.wait_for_start(1)
            it.watching()
            assert first.pid in survivors(project.mark)
            project.write("a.py", "1")
            project.wait_for_start(2)
            assert first.pid not in survivors(project.mark)
            it.end()

    @pytest.mark.parametrize(
        ("script", "code"),
        [("exit 0", 0), ("exit 3", 3), ("kill -TERM $$", 143), ("kill -9 $$", 137), ("exec ./no-such-file", 127)],
    )
    def test_quit(self, script: str, code: int, project: Project) -> None:
        """--on-exit quit: with the command's own code."""
        assert run_briefly(project, "--on-exit", "quit", "--", "sh", "-c", script)[0] == code

    def test_quit_when_it_cannot_be_executed(self, project: Project) -> None:
        """As a shell has it: 127, or 126."""
        assert run_briefly(project, "--on-exit", "quit", "no-such-command")[0] == 127
        assert run_briefly(project, "--on-exit", "quit", "/etc/passwd")[0] == 126

    def test_quit_ends_what_the_command_leaves(self, project: Project) -> None:
        """A daemon of it too."""
        with autoreload(project, "--on-exit", "quit", "--", "sh", "-c", "setsid sleep 100 & exit 5") as it:
            it.ended(5)

    def test_restart(self, project: Project) -> None:
        """--on-exit restart: again and again, ever more slowly."""
        with autoreload(project, "--on-exit", "restart", "-e", ".py", "--", *project.stamp(then=["false"])) as it:
            for delay in ("100 ms", "200 ms", "400 ms"):
                it.expect(f"Process exited with code 1 after .*; restart in {delay}")
                it.expect("Restart process.*--on-exit restart")
            project.wait_for_start(4)
            moments = [run.at for run in project.runs()]
            pauses = [after - before for before, after in itertools.pairwise(moments)]
            assert all(pause > least for pause, least in zip(pauses, (0.1, 0.2, 0.4), strict=True))
            it.end()


WRITES_WITHOUT_A_PAUSE = """
import time
until = time.monotonic() + 0.1
while True:
    with open("state.json", "w") as file:
        file.write("x")
    time.sleep(0.001)
    if until and time.monotonic() > until:
        print("ready", flush=True)
        until = None
"""


class TestLoops:
    """Commands that write the very files that restart them."""

    def test_a_command_that_writes_a_file_that_counts(self, project: Project) -> None:
        """It runs, again and again, and one line says why and what to do."""
        script = "date +n%N > generated.py; exec " + " ".join(project.stamp())
        with autoreload(project, ".", ".py", script) as it:
            it.expect(r"generated\.py changed right after each of the last 10 starts; .* --ignore generated\.py")
            project.wait_for_start(3)
            it.end()
            assert it.text().count("right after each") == 1

    def test_a_command_that_writes_files_that_count_without_a_pause(self, project: Project) -> None:
        """It has the time to do something between two starts, though it is stale as soon as it is started."""
        with autoreload(project, "-e", ".json", "--", *PYTHON, "-c", WRITES_WITHOUT_A_PAUSE) as it:
            eventually(lambda: project.stdout.read_text().count("ready") >= 2, within=30)
            it.end()

    def test_the_output_of_a_command_that_ends_no_longer_counts(self, project: Project) -> None:
        """After a few runs it is known, and what is saved by hand restarts as before."""
        project.write("source.txt", "old")
        script = "date +%N > out.txt; cat source.txt; echo"
        with autoreload(project, "--", "sh", "-c", script) as it:
            it.expect("out.txt is written by each run of the command; it no longer counts")
            it.expect("Process exited with code 0")
            before = len(it.restarts())
            project.write("source.txt", "new")
            eventually(lambda: "new" in project.stdout.read_text())
            project.write("source.txt", "newer")
            eventually(lambda: "newer" in project.stdout.read_text())
            assert it.restarts()[before:] == ["source.txt"] * 2
            it.end()


class TestReaders:
    """Nobody has to read what autoreload says."""

    @pytest.mark.parametrize(
        ("closed", "left"), [("2>&-", [0, 1]), ("<&-", [1, 2]), (">&-", [0, 2]), ("<&- >&- 2>&-", [])]
    )
    def test_closed_descriptors(self, closed: str, left: list[int], project: Project) -> None:
        """None of its own descriptors takes their place in the command."""
        with autoreload(project, "-e", ".py", "--", *project.stamp(), before=shell(f'exec "$@" {closed}')) as it:
            run = project.wait_for_start(1)
            it.watching()
            assert run.standard == left
            project.write("a.py", "1")
            assert project.wait_for_start(2).standard == left
            it.end()

    def test_a_pipe_that_is_full(self, project: Project) -> None:
        """Lines are dropped, nothing waits; the next one that can be written tells how many."""
        reader, writer = os.pipe()
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        with autoreload(project, "-e", ".py", "--", *project.stamp(), stderr=writer) as it:
            project.wait_for_start(1)
            it.watching()
            assert b"Start monitoring" in os.read(reader, 4096)
            os.write(writer, b"x" * 4096)
            for number in range(2, 5):
                project.write("a.py", str(number))
                project.wait_for_start(number)
            os.read(reader, 4096)
            project.write("a.py", "5")
            project.wait_for_start(5)
            assert os.read(reader, 4096).startswith(b"==> (3 lines could not be written) Modification detected")
            it.end()
        os.close(reader)
        os.close(writer)

    def test_a_reader_that_goes_away(self, project: Project) -> None:
        """`autoreload ... 2>&1 | head -1`."""
        script = '"$@" 2>&1 | head -1 > ../head; wait'
        with autoreload(project, "-e", ".py", "--", *project.stamp(), before=shell(script)) as it:
            project.wait_for_start(1)
            eventually(lambda: (project.base / "head").read_text())
            for number in range(2, 6):
                project.write("a.py", str(number))
                project.wait_for_start(number)
            os.kill(tool_below(it.pid), signal.SIGTERM)
            it.ended()
        assert (project.base / "head").read_text().startswith("==> Start monitoring")

    def test_a_disk_that_is_full(self, project: Project) -> None:
        """ENOSPC."""
        with open("/dev/full", "wb") as full, autoreload(project, "--", *project.stamp(), stderr=full) as it:
            project.wait_for_start(1)
            it.end()


def tool_below(pid: int) -> int:
    """The autoreload among the descendants of a process."""
    todo = [pid]
    while todo:
        for child in children(todo.pop()):
            if "-m autoreload" in command_line(child) and comm(child) != "sh":
                return child
            todo.append(child)
    raise AssertionError("no autoreload")


class TestLines:
    """How much is said."""

    def test_quiet(self, project: Project) -> None:
        """Nothing, but what needs attention."""
        project.write("app.py", "import signal; signal.pause()")
        with autoreload(project, "-q", "--", *PYTHON, "app.py") as it:
            it.watching()
            project.write("app.py", "raise SystemExit(3)")
            it.expect("Process exited with code 3")
            it.end()
            assert len(it.lines()) == 1

    def test_verbose(self, project: Project) -> None:
        """The pid and what is run."""
        with autoreload(project, "-v", "--", *project.stamp()) as it:
            run = project.wait_for_start(1)
            it.expect(rf"Process {run.pid} started: .*stamp\.py")
            it.end()

    def test_explain(self, project: Project) -> None:
        """Why a change does not count, once a start for each file and reason."""
        project.write(".gitignore", "secret.py\n")
        project.write("app.py")
        with autoreload(project, "--explain", "-i", "mine.py", "-e", ".py", "--", *project.stamp()) as it:
            project.wait_for_start(1)
            it.watching()
            for _ in range(3):
                for name in ("notes.txt", "secret.py", "mine.py", "app.py~"):
                    project.write(name, "x")
            it.expect(r"No restart for notes\.txt, written: its name ends with none of \.py")
            it.expect(r"No restart for secret\.py, written: ignored by \.gitignore:1: secret\.py")
            it.expect(r"No restart for mine\.py, written: ignored by --ignore mine\.py")
            it.expect(r"No restart for app\.py~, written: a temporary, backup or output file by its name")
            project.write("app.py", "1")
            project.wait_for_start(2)
            it.end()
            assert it.text().count("No restart for notes.txt") == 1

    @pytest.mark.parametrize(
        ("environ", "coloured"),
        [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True)],
    )
    def test_colours_without_a_terminal(self, environ: dict[str, str], coloured: bool, project: Project) -> None:
        """None in a file or a pipe, unless somebody insists; never --clear."""
        with autoreload(project, "--clear", "--", *project.stamp(), environ=environ) as it:
            project.wait_for_start(1)
            it.end()
            assert ("\x1b[1;36m" in it.text()) == coloured
            assert "\x1b[2J" not in it.text()


SIGNALS = """
import json, os, signal, sys, time
def told(number, frame):
    with open(sys.argv[1], "a") as file:
        file.write(f"{number}\\n")
for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT, signal.SIGWINCH):
    signal.signal(number, told)
ignored = [n for n in range(1, 32) if signal.getsignal(n) == signal.SIG_IGN]
with open(sys.argv[1], "a") as file:
    file.write(json.dumps(ignored) + "\\n")
while True:
    time.sleep(0.05)
"""


class TestSignals:
    """To autoreload itself."""

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_those_that_end_it(self, number: int, project: Project) -> None:
        """Exit code 0, whatever the command makes of it."""
        with autoreload(project, "--", *project.stamp()) as it:
            project.wait_for_start(1)
            it.end(number)

    def test_those_that_are_passed_on(self, project: Project) -> None:
        """USR1, USR2, QUIT and WINCH reach the command, once each, and in order."""
        log = project.base / "signals"
        with autoreload(project, "--", *PYTHON, "-c", SIGNALS, str(log)) as it:
            eventually(lambda: log.exists() and log.read_text())
            sent = [signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT, signal.SIGWINCH, signal.SIGUSR1]
            for count, number in enumerate(sent, 1):
                it.send(number)
                eventually(lambda count=count: len(log.read_text().splitlines()) > count)  # type: ignore[misc]
            assert log.read_text().split("\n")[1:-1] == [str(int(number)) for number in sent]
            it.end()

    def test_nohup(self, project: Project) -> None:
        """An ignored SIGHUP stays ignored, by autoreload and by its command; nothing else is."""
        log = project.base / "signals"
        words = ["-e", ".py", "--", *PYTHON, "-c", SIGNALS, str(log)]
        with autoreload(project, *words, before=shell("trap '' HUP; exec \"$@\"")) as it:
            eventually(log.exists)
            it.watching()
            it.send(signal.SIGHUP)
            project.write("a.py")
            it.expect("restart process: a.py")
            lines = eventually(lambda: found if len(found := log.read_text().splitlines()) > 1 else None)
            python_itself = {int(signal.SIGPIPE), int(signal.SIGXFSZ)}
            assert [set(json.loads(line)) - python_itself for line in lines] == [{int(signal.SIGHUP)}] * 2
            it.end()

    def test_twice_kills_at_once(self, project: Project) -> None:
        """SIGTERM again, after a moment: no grace period."""
        deaf = "trap '' TERM; exec " + " ".join(project.stamp())
        with autoreload(project, "--stop-timeout", "100", "--", "sh", "-c", deaf) as it:
            project.wait_for_start(1)
            it.send(signal.SIGTERM)
            it.expect("SIGTERM received")
            later(0.6)
            it.end(signal.SIGTERM)

    def test_in_the_middle_of_a_slow_stop(self, project: Project) -> None:
        """A restart waits for a deaf command; who wants autoreload to end waits no longer than its grace period."""
        deaf = "trap '' TERM; exec " + " ".join(project.stamp())
        with autoreload(project, "--stop-timeout", "1.2", "-e", ".py", "--", "sh", "-c", deaf) as it:
            project.wait_for_start(1)
            it.watching()
            project.write("a.py")
            it.expect(r"Modification detected \(a\.py\), waiting for the process to end; it is killed in ")
            it.end()
            assert len(project.runs()) == 1

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_at_any_moment_of_the_start(self, number: int, project: Project) -> None:
        """Whatever has been done by then: nothing is left, and no traceback of ours is shown."""
        chance = random.Random(int(number))
        for _ in range(8):
            with autoreload(project, "--", *project.stamp()) as it:
                moment = time.monotonic() + chance.uniform(0.0, 0.15)
                while time.monotonic() < moment:
                    pass
                it.send(number)
                code = it.process.wait(10)
                assert code in (0, -number) or (code == 1 and b"KeyboardInterrupt" in _python_itself(it.text()))
                it.nothing_left()
                project.stderr.write_text("")


def _python_itself(text: str) -> bytes:
    """Python was interrupted before anything of autoreload was executed."""
    assert "/autoreload/" not in text, text
    return text.encode()


class TestLimits:
    """What the kernel does not give."""

    @pytest.mark.needs("unshare")
    def test_too_few_watches(self, project: Project) -> None:
        """The rest is polled; one line says which limit, its value, and what raises it."""
        for number in range(60):
            project.write(f"d{number}/a.py", "old")
        before = ["unshare", "--user", "--map-root-user"]
        limit = shell('echo 20 > /proc/sys/user/max_inotify_watches && exec "$@"')
        if subprocess.run([*before, *limit, "true"], capture_output=True).returncode:
            pytest.skip("needs a user namespace with limits of its own")
        with autoreload(project, "-e", ".py", "--", *project.stamp("d3/a.py", "d57/a.py"), before=before + limit) as it:
            project.wait_for_start(1)
            it.expect(r"fs\.inotify\.max_user_watches \(\d+\) is reached: \d+ directories are polled.*sudo sysctl fs\.")
            for name in ("d3/a.py", "d57/a.py"):
                project.write(name, "new")
                project.wait_for_text(name, "new")
            it.end()
            assert it.text().count("max_user_watches") == 3

    @pytest.mark.skipif(not denied.supported(), reason="needs the numbers of the system calls of this machine")
    @pytest.mark.parametrize(
        ("rules", "message"),
        [
            (["inotify_init1=ENOSYS"], "inotify is not available here (ENOSYS): everything is polled"),
            (["inotify_init1=EMFILE"], "fs.inotify.max_user_instances"),
            (["inotify_add_watch=EACCES"], "inotify is not available here (EACCES): everything is polled"),
            (["inotify_add_watch=ENOSYS"], "inotify is not available here (ENOSYS): everything is polled"),
        ],
        ids=["no instance", "too many instances", "watches denied", "no watches"],
    )
    def test_no_inotify(self, rules: Sequence[str], message: str, project: Project) -> None:
        """Denied by a container, and fanotify with it: it polls, and says so."""
        project.write("app.py", "old")
        before = denied.command(*rules, "fanotify_init=EPERM")
        with autoreload(project, "-e", ".py", "--", *project.stamp("app.py"), before=before) as it:
            project.wait_for_start(1)
            it.expect(re.escape(message))
            later(0.3)
            project.write("app.py", "new")
            project.wait_for_text("app.py", "new")
            it.end()

    @pytest.mark.skipif(not denied.supported(), reason="needs the numbers of the system calls of this machine")
    def test_no_subreaper(self, project: Project) -> None:
        """It is said that a daemon could be left; what is known of is ended all the same."""
        rules = denied.command("prctl(36)=EPERM")
        with autoreload(project, "--", *project.stamp(), before=rules) as it:
            project.wait_for_start(1)
            it.expect("may be left behind")
            it.end()


GROWS = """
import time
with open("out.data", "w") as file:
    while True:
        file.write("x")
        file.flush()
        time.sleep(0.01)
"""


def test_an_output_that_grows_holds_up_no_start(project: Project) -> None:
    """A log by another name, held open by the command: what is saved beside it restarts at once (unless the log has
    just been made: then it may be half of a new file, and is waited for up to 5 s)."""
    project.write("out.data", "of a run before")
    with autoreload(project, "-e", ".data,.txt", "--", *project.stamp(then=[*PYTHON, "-c", GROWS])) as it:
        project.wait_for_start(1)
        it.watching()
        eventually(lambda: (project.tree / "out.data").stat().st_size > 30)
        project.write("a.txt")
        it.expect(r"restart process: .*a\.txt", within=0.9)
        it.end()


def test_the_same_call_twice_at_once(project: Project) -> None:
    """Two of them in one tree do not know of each other."""
    other = Project.__new__(Project)
    other.__dict__ = {**project.__dict__, "log": project.base / "runs2", "stderr": project.base / "stderr2"}
    project.write("a.py")
    words = ["-e", ".py", "--"]
    with autoreload(project, *words, *project.stamp()) as one, autoreload(other, *words, *other.stamp()) as two:
        for each in (project, other):
            each.wait_for_start(1)
        for it in (one, two):
            it.watching()
        project.write("a.py", "1")
        for each in (project, other):
            each.wait_for_start(2)
        two.send(signal.SIGTERM)
        assert two.process.wait(10) == 0
        project.write("a.py", "2")
        project.wait_for_start(3)
        one.end()


def test_a_command_from_pyproject(project: Project) -> None:
    """`autoreload` alone, in a folder below: the command runs where the file is, and paths are relative to it."""
    project.write("src/app.py", "old")
    project.write("sub/x.txt")
    words = ", ".join(json.dumps(word) for word in project.stamp("src/app.py"))
    project.write("pyproject.toml", f"[tool.autoreload]\ncommand = [{words}]\nwatch = ['src']\nextensions = ['.py']\n")
    with autoreload(project, cwd=project.tree / "sub") as it:
        run = project.wait_for_start(1)
        assert run.folder == project.tree.stat().st_ino
        it.watching(project.tree / "src")
        project.write("src/app.py", "new")
        project.wait_for_text("src/app.py", "new")
        it.end()


def test_postpone(project: Project) -> None:
    """Nothing runs before the first change."""
    project.write("a.py")
    with autoreload(project, "--postpone", "-e", ".py", "--", *project.stamp("a.py")) as it:
        it.expect("the command starts at the first change")
        it.watching()
        assert project.runs() == []
        project.write("a.py", "1")
        assert project.wait_for_start(1).texts == {"a.py": "1"}
        it.end()


def test_killed_while_nothing_runs(project: Project) -> None:
    """The guard goes too."""
    with autoreload(project, "--postpone", "--", *project.stamp()) as it:
        it.watching()
        it.end(signal.SIGKILL, -signal.SIGKILL)


def test_the_guard_is_killed_again_and_again(project: Project) -> None:
    """Each time there is a new one, and the command is started once."""
    with autoreload(project, "--", *project.stamp()) as it:
        for number in range(1, 5):
            project.wait_for_start(number)
            os.kill(it.guard(), signal.SIGKILL)
        project.wait_for_start(5)
        it.end()


def test_the_words_of_the_tool(project: Project) -> None:
    """Words reach the command as they are: blanks, quotes, stars, bytes that are not UTF-8."""
    words = ["a b", "'", '"', "*", "$HOME", "", "\udcff", "-x", "--", "\n"]
    source = "import os, sys; os.write(1, repr(sys.argv[1:]).encode())"
    call = [*AUTORELOAD, "-q", "--on-exit", "quit", "--", *PYTHON, "-c", source, *words]
    done = subprocess.run(call, cwd=project.tree, env=project.environ, capture_output=True, text=True, timeout=20)
    assert done.stdout == repr(words)
