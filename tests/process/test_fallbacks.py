"""Where the kernel, or whoever runs the container, denies something: what still holds, and what is said."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from autoreload.linux import descendants
from tests.process.helpers import HERE, PYTHON, Tool, code, environment, tool, unruly
from tests.support import command_line, eventually, state, survivors

DENIED = [sys.executable, "-E", str(HERE / "denied.py")]


def can(*words: str) -> bool:
    """Does this command work here?"""
    return subprocess.run(words, capture_output=True).returncode == 0


needs_root_mounts = pytest.mark.skipif(
    not can("unshare", "--mount", "--pid", "--fork", "--mount-proc", "true"),
    reason="needs a mount namespace and a PID namespace of its own (root, or a privileged container)",
)


def stop(it: Tool, ready: Path) -> None:
    """As for a restart, then the end."""
    it.stop(grace=0.2)
    assert set(survivors(it.mark)) <= {it.process.pid, it.guard}
    it.process.terminate()


def kill_tool(it: Tool, ready: Path) -> None:
    """The guard ends the tree."""
    it.process.kill()


def kill_guard(it: Tool, ready: Path) -> None:
    """The tool ends the tree."""
    os.kill(it.guard, signal.SIGKILL)
    it.expect("GuardLost")
    it.process.terminate()


class TestNoSubreaper:
    """prctl(PR_SET_CHILD_SUBREAPER) is denied by seccomp."""

    @pytest.mark.parametrize("end", [stop, kill_tool, kill_guard], ids=lambda way: way.__name__)
    @pytest.mark.parametrize("kind", ["deaf", "background", "setsid", "deaf_grandchild", "stopped", "own_group"])
    def test_what_was_seen_in_time_is_ended(self, kind: str, end: object, mark: str, ready: Path) -> None:
        """Descendants whose parents live when the end begins are remembered, and none of them is left."""
        assert callable(end)
        with tool(unruly(kind, ready), mark, before=DENIED) as it:
            it.start()
            eventually(ready.read_text)
            end(it, ready)
            it.process.wait(10)
            eventually(lambda: not survivors(mark), what="an empty tree")

    def test_it_is_said_that_the_promise_is_weaker(self, mark: str) -> None:
        """The runner has a sentence about it, and has none where all is well."""
        with tool(["sleep", "1000"], mark, before=DENIED) as it:
            it.ask("weak")
            assert "PR_SET_CHILD_SUBREAPER" in it.expect("Weak")[1]
        with tool(["sleep", "1000"], mark) as it:
            it.ask("weak")
            assert it.expect("Weak")[1] == ""

    def test_the_control_a_daemon_is_left(self, mark: str, ready: Path) -> None:
        """Whose parent died before anyone looked cannot be found: were it otherwise, nothing needed to be said."""
        with tool(unruly("daemon", ready), mark, before=DENIED) as it:
            main = it.start()
            eventually(ready.read_text)
            it.stop(grace=0.2)
            left = set(survivors(mark)) - {it.process.pid, it.guard}
            assert left
            assert main not in left


class TestNoProc:
    """/proc is missing, is another namespace's, or lacks the lists of children."""

    @needs_root_mounts
    @pytest.mark.parametrize("end", [stop, kill_tool, kill_guard], ids=lambda way: way.__name__)
    @pytest.mark.parametrize("kind", ["daemon", "deaf_grandchild", "storm", "stopped", "comet"])
    def test_nothing_is_left_without_proc(self, kind: str, end: object, mark: str, ready: Path) -> None:
        """Who is a child can be asked for each pid: nothing is weaker."""
        assert callable(end)
        hidden = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh"]
        with tool(unruly(kind, ready), mark, before=hidden) as it:
            it.start()
            eventually(ready.read_text)
            end(it, ready)
            it.process.wait(10)
            eventually(lambda: not survivors(mark), what="an empty tree")

    def test_the_ways_to_find_children_agree(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """By the kernel's lists, by all of /proc and by asking for each pid."""
        processes = [subprocess.Popen(["sleep", "1000"]) for _ in range(5)]
        try:
            expected = {process.pid for process in processes}
            assert expected <= set(descendants.own_children())
            assert set(descendants._asked()) == set(descendants.own_children())
            monkeypatch.setattr(descendants, "children", no_lists)
            assert expected <= set(descendants.own_children())
            monkeypatch.setattr(descendants, "PROC", "/nonexistent")
            assert expected <= set(descendants.own_children())
        finally:
            for process in processes:
                process.kill()
                process.wait()

    def test_pids_go_round(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where the newest pid is below our own, all above ours and all below the newest are asked for."""
        asked: list[int] = []
        monkeypatch.setattr(descendants, "getpid", lambda: descendants.PID_MAX - 10)
        monkeypatch.setattr(descendants, "_newest_pid", lambda: 5)

        def nobody(kind: int, pid: int, options: int) -> None:
            asked.append(pid)
            raise ChildProcessError

        monkeypatch.setattr(descendants, "waitid", nobody)
        assert descendants._asked() == []
        assert asked == [*range(descendants.PID_MAX - 9, descendants.PID_MAX), 2, 3, 4]

    @needs_root_mounts
    def test_numbers_of_another_namespace_are_not_trusted(self, mark: str, ready: Path) -> None:
        """In a PID namespace with the /proc of its parent, a number there is another process: none is signalled."""
        with tool(unruly("daemon", ready), mark, before=["unshare", "--pid", "--fork", "--kill-child"]) as it:
            it.start()
            eventually(ready.read_text)
            assert len(survivors(mark)) == 5
            it.stop(grace=0.2)
            assert len(survivors(mark)) == 3  # unshare, the tool and its guard


def no_lists(pid: int | str) -> list[int]:
    """A kernel without CONFIG_PROC_CHILDREN."""
    raise FileNotFoundError


@needs_root_mounts
class TestAsPid1:
    """The tool is the init of a container."""

    IN_NAMESPACE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")

    def init(self, mark: str) -> int:
        """The tool's pid, seen from here."""
        return next(pid for pid in survivors(mark) if command_line(pid).startswith((sys.executable,)))

    @pytest.mark.parametrize("kind", ["daemon", "storm", "deaf_grandchild"])
    def test_nothing_is_left(self, kind: str, mark: str, ready: Path) -> None:
        """After a stop, tool and guard are alone; at its end nobody is there."""
        with tool(unruly(kind, ready), mark, before=self.IN_NAMESPACE) as it:
            it.start()
            eventually(ready.read_text)
            it.stop(grace=0.2)
            assert len(survivors(mark)) == 3
            assert it.process.stdin
            it.process.stdin.close()
            it.process.wait(10)
            eventually(lambda: not survivors(mark))

    @pytest.mark.needs("nsenter")
    def test_strangers_are_collected_and_left_alone(self, mark: str, ready: Path) -> None:
        """Who falls to PID 1 from `docker exec` is no business of ours, but is not left a zombie."""
        with tool(unruly("daemon", ready), mark, before=self.IN_NAMESPACE) as it:
            tool_pid = self.init(mark)
            visit = ["nsenter", "-t", str(tool_pid), "-p", "-m", "sh", "-c"]
            it.start(1)
            eventually(ready.read_text)
            subprocess.run(
                [*visit, "sleep 1003 & sleep 0.2 &"], check=True, env={"MARK": mark, "PATH": os.environ["PATH"]}
            )
            children = Path(f"/proc/{tool_pid}/task/{tool_pid}/children")
            eventually(lambda: len(children.read_text().split()) == 2)
            (stranger,) = (int(pid) for pid in children.read_text().split() if "1003" in command_line(int(pid)))
            it.stop(grace=0.2)
            ready.write_text("")
            it.start(2)
            eventually(ready.read_text)
            (guard,) = (int(pid) for pid in children.read_text().split() if "1003" not in command_line(int(pid)))
            os.kill(guard, signal.SIGKILL)
            it.expect("GuardLost")
            assert state(stranger) == "S"
            assert len(survivors(mark)) == 4  # unshare, tool, guard, stranger


class TestAPathThatHasTheWord:
    """Python lives in a folder whose name holds the word that people give to pkill."""

    def end_by_name(self, mark: str, ready: Path, interpreter: str) -> None:
        """Kill all that is called autoreload: guard and tree end."""
        with tool(unruly("daemon", ready), mark, interpreter=interpreter) as it:
            it.start()
            eventually(ready.read_text)
            assert "autoreload" not in command_line(it.guard)
            assert "autoreload" not in Path(f"/proc/{it.guard}/comm").read_text()
            assert not [name for name in os.listdir(f"/proc/{it.guard}/fd") if int(name) > 5]
            for pid in survivors(mark):
                if "autoreload" in command_line(pid):
                    os.kill(pid, signal.SIGKILL)
            eventually(lambda: not survivors(mark))

    def test_an_environment(self, mark: str, ready: Path, tmp_path: Path) -> None:
        """A virtual environment: the interpreter that it was made from is taken."""
        folder = tmp_path / "autoreload"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        self.end_by_name(mark, ready, str(folder / "bin" / "python"))

    def test_an_installation(self, mark: str, ready: Path, tmp_path: Path) -> None:
        """A whole Python: it is called by a descriptor, and finds its library."""
        folder = tmp_path / "autoreload"
        (folder / "bin").mkdir(parents=True)
        binary = os.path.realpath(sys._base_executable)  # type: ignore[attr-defined]
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        shutil.copy(binary, folder / "bin" / version)
        for library in ("lib", "lib64"):
            if os.path.isdir(f"{sys.base_prefix}/{library}"):
                (folder / library).symlink_to(f"{sys.base_prefix}/{library}")
        if not can(str(folder / "bin" / version), "-I", "-c", "import json, select"):
            pytest.skip("a copy of this Python does not find its library")
        self.end_by_name(mark, ready, str(folder / "bin" / version))


def test_a_guard_that_cannot_boot_is_one_error(mark: str, tmp_path: Path) -> None:
    """Not an endless series of guards."""
    broken = "import sys; sys.exit(3)"
    source = f"""
import sys
from autoreload.errors import UserError
from autoreload.process import spawn
from autoreload.process.command import Command
from autoreload.process.runner import Runner
import select
spawn._BOOTSTRAP = {broken!r}
runner = Runner(Command(("true",), "/", "true", False))
try:
    while True:
        select.select([runner], [], [], 1)
        runner.read()
except UserError as error:
    print(error)
runner.close()
"""
    done = subprocess.run([*PYTHON[:1], "-c", source], capture_output=True, text=True, timeout=30)
    assert done.stdout.startswith("the guard process ends as soon as it is started")
    assert done.stderr == ""


def test_a_guard_that_dies_of_each_start_is_one_error(mark: str) -> None:
    """Though each of them is up before: a bug of ours is told, not repeated for ever."""
    source = """
import select
from autoreload.errors import UserError
from autoreload.process.command import Command
from autoreload.process.events import GuardLost
from autoreload.process.runner import Runner
runner = Runner(Command(("a\\0b",), "/", "", False))
started = 0
try:
    while started < 20:
        started += 1
        runner.start(started)
        while GuardLost() not in runner.read():
            select.select([runner], [], [], 1)
except UserError as error:
    print(started, error)
runner.close()
"""
    done = subprocess.run(
        [*PYTHON[:1], "-c", source], capture_output=True, text=True, timeout=30, env={**environment(mark)}
    )
    assert done.stdout.startswith("3 the guard process ends as soon as it is started; see its error above")
    assert done.stderr.count("null character in path") == 3


def test_guards_killed_at_rest_are_no_error(mark: str) -> None:
    """However many: none of them died of a start."""
    with tool(["true"], mark) as it:
        guard = it.guard
        for _ in range(6):
            it.stop()  # answered: it is up
            os.kill(guard, signal.SIGKILL)
            it.expect("GuardLost")
            it.ask("guard")
            guard = int(it.expect("Guard")[1])
        it.start()


@pytest.mark.parametrize("limit", range(5, 9))
def test_too_few_descriptors_are_one_line(limit: int, tmp_path: Path) -> None:
    """Whichever of ours is the one too many, and the command is not run twice or half."""
    words = ["/bin/sh", "-c", f'ulimit -n {limit} && exec "$@"', "sh", sys.executable, "-m", "autoreload", "false"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment("")) as process:
        assert process.stderr
        lines = []
        for line in process.stderr:
            lines.append(line)
            if line.startswith("==> Process exited"):
                process.terminate()
    if process.returncode == 2:
        assert lines[-1].startswith("autoreload: "), lines
        assert lines[-1].endswith("Too many open files; raise `ulimit -n`\n"), lines
        assert "Traceback" not in "".join(lines)
    else:
        assert process.returncode == 0, lines


def test_one_that_is_not_up_yet_hears_later(mark: str) -> None:
    """Requests may be sent before the guard has read its first instruction, its end as well."""
    with tool(code("pass"), mark) as it:
        it.ask("start", 1)
        it.ask("stop", 1, 15, 5)
        assert it.expect("Emptied")[1] == 1
