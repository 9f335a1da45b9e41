"""The guard and the runner, with real processes: stops, their answers, and who is left alone."""

from __future__ import annotations

import os
import pwd
import signal
import time
from pathlib import Path

import pytest

from autoreload.process.guard import LOST_GRACE
from tests.process.helpers import code, tool, unruly
from tests.support import eventually, state, survivors

SLEEP = ["sleep", "1000"]


def zombies_of(pid: int) -> list[int]:
    """Dead children that this process has not collected."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children if state(int(child)) == "Z"]


class TestStops:
    """Each stop is answered once, by its own token."""

    def test_a_polite_tree_needs_no_kill(self, mark: str, ready: Path) -> None:
        """The command and each of what it leaves is asked, and goes by itself; a clean exit is never waited out."""
        for kind in ("polite", "background", "setsid", "stopped", "own_group"):
            ready.write_text("")
            with tool(unruly(kind, ready), mark) as it:
                it.start()
                eventually(ready.read_text)
                began = time.monotonic()
                assert it.stop(grace=60.0)[2] == 0
                assert time.monotonic() < began + 30

    def test_how_many_were_killed_is_told(self, mark: str, ready: Path) -> None:
        """Of three processes one is deaf."""
        with tool(unruly("deaf_grandchild", ready), mark) as it:
            it.start()
            eventually(ready.read_text)
            assert it.stop(grace=0.2)[2] == 1

    def test_the_exit_is_told_before_the_empty_tree(self, mark: str) -> None:
        """By code or, negative, by signal."""
        with tool(SLEEP, mark) as it:
            it.start(4)
            it.ask("stop", 1, 15, 5)
            assert it.next() == ["Exited", 4, -15]
            assert it.next() == ["Emptied", 1, 0]

    def test_the_stop_signal_is_that_which_was_asked_for(self, mark: str) -> None:
        """SIGINT, SIGUSR1 or any other."""
        with tool(SLEEP, mark) as it:
            it.start()
            it.ask("stop", 1, int(signal.SIGUSR1), 5)
            assert it.next() == ["Exited", 1, -signal.SIGUSR1]

    def test_a_tree_that_empties_by_itself_does_not_answer_a_later_stop(self, mark: str) -> None:
        """The answer to a stop that comes too late is its own, and the next run is not touched by it."""
        with tool(["true"], mark) as it:
            for run in range(1, 30):
                it.ask("start", run)
                it.ask("stop", run, 15, 5)
                answers = [it.next() for _ in range(3)]
                assert [answer[0] for answer in answers] == ["Started", "Exited", "Emptied"]
                assert answers[2][:2] == ["Emptied", run]

    def test_two_stops_have_two_answers(self, mark: str) -> None:
        """A second one while the first is under way."""
        with tool(SLEEP, mark) as it:
            it.start()
            it.ask("stop", 1, 0, 60)
            it.ask("stop", 2, 15, 60)
            assert it.expect("Emptied")[1] == 1
            assert it.next()[:2] == ["Emptied", 2]

    def test_an_empty_tree_is_stopped_at_once(self, mark: str) -> None:
        """Before the first start too."""
        with tool(SLEEP, mark) as it:
            assert it.stop()[2] == 0

    def test_a_kill_ends_the_grace_period(self, mark: str, ready: Path) -> None:
        """That of its own stop, not of a later one."""
        with tool(unruly("deaf", ready), mark) as it:
            pid = it.start()
            eventually(ready.read_text)
            it.ask("kill", 1)
            it.ask("stop", 2, 15, 600)
            it.ask("kill", 1)
            it.ask("weak")
            assert it.next()[0] == "Weak"
            assert state(pid) != ""
            it.ask("kill", 2)
            assert it.expect("Emptied") == ["Emptied", 2, 1]

    def test_what_the_terminal_has_told_is_not_told_again(self, mark: str, tmp_path: Path) -> None:
        """After a Ctrl-C, processes of our own group have had SIGINT; one of another group has not, and is told."""
        seen = tmp_path / "seen"
        source = """
import os, signal, sys
def note(number, frame):
    os.write(fd, b"%s %d\\n" % (name, number))
    os._exit(0)
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
name = b"main"
signal.signal(signal.SIGINT, note)
for name in b"same", b"other":
    if not os.fork():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, note)
        if name == b"other":
            os.setpgid(0, 0)
        os.write(fd, b"up\\n")
        while True:
            signal.pause()
name = b"main"
while True:
    signal.pause()
"""
        with tool(code(source, str(seen)), mark) as it:
            main = it.start()
            eventually(lambda: seen.exists() and seen.read_text().count("up") == 2)
            os.kill(main, signal.SIGINT)  # as the terminal does
            it.ask("stop", 1, 15, 0.5, "terminal")
            assert it.expect("Emptied")[2] == 1
        assert sorted(seen.read_text().split("\n")[2:]) == ["", "main 2", "other 15"]

    def test_an_orphan_that_comes_in_silence_is_told_too(self, mark: str, tmp_path: Path) -> None:
        """Its parent, who was not the guard's child, died: no SIGCHLD says that it is the guard's now."""
        seen = tmp_path / "seen"
        source = """
import os, signal, sys
def note(number, frame):
    os.write(fd, b"told\\n")
    os._exit(0)
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
if os.fork():
    while True:
        signal.pause()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
if os.fork():
    while True:
        signal.pause()
if os.fork():
    os.write(fd, b"%d\\n" % os.getpid())
    while True:
        signal.pause()
signal.signal(signal.SIGTERM, note)
os.write(fd, b"up\\n")
while True:
    signal.pause()
"""
        with tool(code(source, str(seen)), mark) as it:
            it.start()
            eventually(lambda: seen.exists() and seen.read_text().count("\n") == 2)
            between = next(int(line) for line in seen.read_text().split() if line.isdigit())
            it.ask("stop", 1, 15, 600)
            it.expect("Exited")
            os.kill(between, signal.SIGKILL)
            eventually(lambda: "told" in seen.read_text())
            it.ask("kill", 1)
            assert it.expect("Emptied")[2] == 1

    def test_a_signal_is_forwarded_to_the_command_alone(self, mark: str, tmp_path: Path) -> None:
        """One that autoreload was sent, SIGUSR1 for instance."""
        seen = tmp_path / "seen"
        source = """
import os, signal, sys
signal.signal(signal.SIGUSR1, lambda *_: open(sys.argv[1], "a").write("got "))
if not os.fork():
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)
open(sys.argv[1], "a").write("up ")
while True:
    signal.pause()
"""
        with tool(code(source, str(seen)), mark) as it:
            it.start()
            eventually(lambda: seen.exists() and seen.read_text().count("up") == 2)
            it.ask("forward", int(signal.SIGUSR1))
            eventually(lambda: "got" in seen.read_text())
            assert it.stop()[2] == 0
        assert seen.read_text().count("got") == 1


class TestTheDead:
    """Who has died is collected, by the guard and by the tool."""

    def test_the_guard_collects_orphans(self, mark: str, tmp_path: Path) -> None:
        """While the command runs, daemons of it that end leave no zombie."""
        seen = tmp_path / "seen"
        source = """
import os, signal, sys
for _ in range(20):
    if not os.fork():
        if not os.fork():
            open(sys.argv[1], "a").write("x")
        os._exit(0)
    os.wait()
signal.pause()
"""
        with tool(code(source, str(seen)), mark) as it:
            it.start()
            eventually(lambda: seen.exists() and len(seen.read_text()) == 20)
            eventually(lambda: not zombies_of(it.guard))

    def test_inherited_children_are_collected_and_left_alone(self, mark: str, ready: Path) -> None:
        """`redis & exec autoreload ...` in an entry point: what ran before is neither ended nor waited for."""
        before = ["/bin/sh", "-c", 'sleep 1001 & sleep 1002 & exec "$@"', "sh"]
        with tool(unruly("daemon", ready), mark, before=before) as it:
            children = Path(f"/proc/{it.process.pid}/task/{it.process.pid}/children").read_text().split()
            first, second = (int(pid) for pid in children if int(pid) != it.guard)
            it.start()
            eventually(ready.read_text)
            os.kill(first, signal.SIGKILL)
            eventually(lambda: state(first) == "")
            it.stop(grace=0.2)
            ready.write_text("")
            it.start(2)
            eventually(ready.read_text)
            os.kill(it.guard, signal.SIGKILL)
            it.expect("GuardLost")
            it.ask("guard")
            guard = int(it.expect("Guard")[1])
            assert set(survivors(mark)) == {it.process.pid, guard, second}
            it.process.terminate()
            it.process.wait(10)
            assert state(second) == "S"


class TestTheGuard:
    """It outlives what is not meant for it."""

    @pytest.mark.parametrize(
        "name", ["SIGINT", "SIGQUIT", "SIGHUP", "SIGTSTP", "SIGTTOU", "SIGUSR1", "SIGPIPE", "SIGTERM"]
    )
    def test_signals_do_not_end_or_stop_it(self, name: str, mark: str) -> None:
        """Those of the terminal go to the whole foreground group, SIGTERM often to a whole service."""
        with tool(SLEEP, mark) as it:
            it.start()
            os.kill(it.guard, getattr(signal, name))
            assert it.stop()[2] == 0
            assert state(it.guard) in "RS"

    @pytest.mark.slow
    def test_how_long_a_stop_may_take_is_for_the_tool_to_say(self, mark: str, tmp_path: Path) -> None:
        """Also where SIGTERM comes to all of a process group or a systemd unit at once, and so to the guard."""
        seen = tmp_path / "seen"
        source = """
import os, signal, sys, time
def end(number, frame):
    open(sys.argv[1], "a").write("asked ")
    while not os.path.exists(sys.argv[1] + ".go"):
        time.sleep(0.01)
    os._exit(7)
signal.signal(signal.SIGTERM, end)
open(sys.argv[1], "a").write("up ")
while True:
    signal.pause()
"""
        with tool(code(source, str(seen)), mark, {"TOOL_GRACE": "60"}, start_new_session=True) as it:
            it.start()
            eventually(lambda: seen.exists() and "up" in seen.read_text())
            os.killpg(it.process.pid, signal.SIGTERM)
            eventually(lambda: "asked" in seen.read_text())
            time.sleep(LOST_GRACE + 0.3)  # nothing to wait for: this is about what does not happen
            seen.with_name("seen.go").touch()
            assert it.next()[::2] == ["Exited", 7]
            assert it.next()[::2] == ["Emptied", 0]
            assert it.process.wait(10) == 0

    def test_starts_and_stops_asked_of_a_lost_guard_are_answered_by_its_loss(self, mark: str, ready: Path) -> None:
        """Nothing else answers them, and nothing of them happens later."""
        with tool(unruly("deaf", ready), mark) as it:
            it.start()
            eventually(ready.read_text)
            it.ask("stop", 1, 15, 600)
            it.ask("weak")
            it.expect("Weak")
            os.kill(it.guard, signal.SIGKILL)
            assert it.next() == ["GuardLost"]
            ready.write_text("")
            it.start(2)
            eventually(ready.read_text)
            assert it.stop(grace=0.1)[2] == 1

    def test_one_killed_at_rest_is_replaced(self, mark: str) -> None:
        """Again and again."""
        with tool(SLEEP, mark) as it:
            guard = it.guard
            for run in range(1, 6):
                os.kill(guard, signal.SIGKILL)
                it.expect("GuardLost")
                it.start(run)
                it.stop()
                it.ask("guard")
                guard = int(it.expect("Guard")[1])

    def test_its_name_says_what_it_is(self, mark: str) -> None:
        """In ps(1) and top(1), and not by a word that people give to pkill."""
        with tool(SLEEP, mark) as it:
            it.start()
            assert Path(f"/proc/{it.guard}/comm").read_text() == "reload-guard\n"

    def test_it_does_not_spin(self, mark: str, ready: Path) -> None:
        """With a tree at work, and while a deaf one is waited for, it uses next to no processor time."""
        with tool(unruly("deaf", ready), mark) as it:
            it.start()
            eventually(ready.read_text)
            it.ask("stop", 1, 15, 1.0)
            before = ticks(it.guard)
            it.expect("Emptied")
            assert ticks(it.guard) - before < 0.3 * os.sysconf("SC_CLK_TCK")


def ticks(pid: int) -> int:
    """Processor time that it has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_what_has_no_tool_is_ended_within_its_grace(mark: str, ready: Path) -> None:
    """The tool is killed: a polite tree is asked, not killed at once."""
    seen = ready.with_name("seen")
    source = """
import os, signal, sys
def note(number, frame):
    open(sys.argv[1], "w").write(str(number))
    os._exit(0)
signal.signal(signal.SIGTERM, note)
open(sys.argv[2], "w").write("up")
while True:
    signal.pause()
"""
    with tool(code(source, str(seen), str(ready)), mark) as it:
        it.start()
        eventually(ready.read_text)
        it.process.kill()
        eventually(lambda: not survivors(mark))
        assert seen.read_text() == "15"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process of another user")
@pytest.mark.needs("setpriv")
class TestOthersProcesses:
    """What may not be signalled is named, and waited for."""

    def test_a_process_of_another_user_is_named_once(self, mark: str) -> None:
        """Who it is and why it cannot be ended is told a second after SIGKILL was tried; when it is gone, so is the
        stop."""
        without_kill = ["setpriv", "--bounding-set=-kill", "--inh-caps=-kill"]
        with tool(["setpriv", "--reuid=65534", "--clear-groups", *SLEEP], mark, before=without_kill) as it:
            pid = it.start()
            eventually(lambda: Path(f"/proc/{pid}/comm").read_text() == "sleep\n")
            user = pwd.getpwuid(65534).pw_name
            it.ask("stop", 1, 15, 0.2)
            assert it.next() == ["Stuck", 1, [[pid, "sleep", f"belongs to user {user}"]]]
            before = ticks(it.guard)
            time.sleep(1.0)  # nothing to wait for: this is about what does not happen
            assert ticks(it.guard) - before < 0.2 * os.sysconf("SC_CLK_TCK")
            os.kill(pid, signal.SIGKILL)
            assert it.next() == ["Exited", 1, -9]
            assert it.next()[:2] == ["Emptied", 1]

    def test_one_that_a_lost_guard_left_is_named_too(self, mark: str) -> None:
        """The tool goes on waiting for it, and has a new guard when it is gone."""
        without_kill = ["setpriv", "--bounding-set=-kill", "--inh-caps=-kill"]
        with tool(["setpriv", "--reuid=65534", "--clear-groups", *SLEEP], mark, before=without_kill) as it:
            pid = it.start()
            eventually(lambda: Path(f"/proc/{pid}/comm").read_text() == "sleep\n")
            os.kill(it.guard, signal.SIGKILL)
            assert it.next()[:2] == ["Stuck", 0]
            os.kill(pid, signal.SIGKILL)
            assert it.next() == ["GuardLost"]
