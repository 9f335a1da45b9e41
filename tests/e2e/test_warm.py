"""`--warm`: a Python command goes on from just before what changed."""

from __future__ import annotations

import os
import py_compile
import signal
import sys
import time

import pytest

from tests.e2e.tool import Project, Tool, autoreload, children
from tests.support import eventually

pytestmark = pytest.mark.slow
APP = """\
import sys
print("begins", flush=True)
import slow
import leaf
print("up", leaf.value, flush=True)
from signal import pause
while True:
    pause()
"""
SLOW = "import time\ntime.sleep(0.2)\n"


def write(project: Project) -> None:
    """A program that takes a moment until it comes to what will change."""
    project.write("app.py", APP)
    project.write("slow.py", SLOW)
    project.write("leaf.py", "value = 1\n")


def wait_for(project: Project, line: str, times: int = 1) -> None:
    """Until the command has written that so often."""
    eventually(lambda: project.stdout.read_text().splitlines().count(line) >= times, 15.0, line)


@pytest.mark.parametrize(
    "words",
    [["app.py"], ["-m", "app"], ["-m", "package"], ["-c", "import app"], ["-u", "-X", "dev", "app.py"], ["serve"]],
)
def test_an_edit_is_live_without_what_came_before(project: Project, words: list[str]) -> None:
    """However Python is called; `serve` is a script as pip installs them."""
    write(project)
    project.write("package/__init__.py")
    project.write("package/__main__.py", "import app\n")
    command = [sys.executable, *words]
    if words == ["serve"]:
        path = project.write("serve", f"#!{sys.executable}\nimport sys\nsys.path.insert(0, '.')\nimport app\n")
        path.chmod(0o755)
        command = ["./serve"]
    with autoreload(project, "--warm", "-v", "--", *command) as tool:
        wait_for(project, "up 1")
        tool.watching()
        project.write("leaf.py", "value = 22\n")
        tool.expect("restart process: leaf.py")
        tool.expect(r"Warm restart from (inside app|before leaf).py, resumed in \d+ ms")
        wait_for(project, "up 22")

        project.write("leaf.py", "value = 33\n")
        wait_for(project, "up 33")

        assert project.stdout.read_text().splitlines().count("begins") == 1
        tool.end()


def test_an_edit_below_the_imports_of_the_script_is_warm_the_first_time(project: Project) -> None:
    """It is the file that the program begins with. So is the next one."""
    write(project)
    with autoreload(project, "--warm", "-v", sys.executable, "app.py") as tool:
        wait_for(project, "up 1")
        tool.watching()
        project.write("app.py", APP.replace("up", "second"))
        tool.expect("Warm restart from inside app.py")
        wait_for(project, "second 1")

        project.write("app.py", APP.replace("up", "third"))
        tool.expect("Warm restart from inside app.py")
        wait_for(project, "third 1")

        assert project.stdout.read_text().splitlines().count("begins") == 1
        tool.end()


@pytest.mark.parametrize(
    "over", ["open('notes', 'w').close()", "os.close(os.open('notes', os.O_WRONLY | os.O_CREAT | os.O_TRUNC))"]
)
def test_a_file_that_is_written_over_and_added_to_is_written_over_again(project: Project, over: str) -> None:
    """A new start would do so; the snapshot behind that line would only add."""
    write(project)
    add = "with open('notes', 'a') as notes: notes.write(str(leaf.value))\n"
    add += "print('notes:', open('notes').read(), flush=True)\n"
    code = APP.replace("import leaf\n", f"import os\n{over}\nimport slower\nimport leaf\n{add}")
    project.write("app.py", code)
    project.write("slower.py", SLOW)
    with autoreload(project, "--warm", "-v", sys.executable, "app.py") as tool:
        wait_for(project, "notes: 1")
        tool.watching()
        for value in (2, 3):
            project.write("leaf.py", f"value = {value}\n{'#' * value}\n")
            wait_for(project, f"notes: {value}")
        tool.end()


def test_a_crash_is_repaired_warm(project: Project) -> None:
    """Its end is told as that of any command."""
    write(project)
    with autoreload(project, "--warm", "-v", sys.executable, "app.py") as tool:
        wait_for(project, "up 1")
        tool.watching()
        project.write("leaf.py", "import sys\nsys.exit(3)\n")
        tool.expect("Process exited with code 3 after .*; waiting for a change")

        project.write("leaf.py", "value = 4444\n")
        tool.expect("Warm restart from inside app.py")
        wait_for(project, "up 4444")
        tool.end()


def test_a_command_that_is_killed_is_told_of(project: Project) -> None:
    """It is a grandchild now; the signal is told all the same."""
    write(project)
    with autoreload(project, "--warm", sys.executable, "app.py") as tool:
        wait_for(project, "up 1")
        os.kill(program(tool), signal.SIGKILL)

        tool.expect("Process was killed by SIGKILL")
        tool.end()


def program(tool: Tool) -> int:
    """Pid of the last of the chain."""
    pid = tool.guard()
    while below := children(pid):
        pid = below[0]
    return pid


def test_why_a_restart_is_cold_is_said_with_explain(project: Project) -> None:
    """For each reason one line."""
    write(project)
    with autoreload(project, "--warm", "--explain", "-v", sys.executable, "app.py") as tool:
        wait_for(project, "up 1")
        tool.watching()
        project.write("new.py")
        tool.expect("Cold restart: new.py is new")
        wait_for(project, "begins", times=2)

        (project.tree / "new.py").unlink()
        tool.expect("Cold restart: new.py is gone")
        wait_for(project, "begins", times=3)
        tool.end()


def test_a_python_that_lets_nobody_in_restarts_cold(project: Project) -> None:
    """And says so."""
    write(project)
    with autoreload(project, "--warm", "--explain", sys.executable, "-E", "app.py") as tool:
        wait_for(project, "up 1")
        tool.watching()
        project.write("leaf.py", "value = 22\n")
        tool.expect("Cold restart: no CPython 3.9 to 3.14 was seen to start")
        wait_for(project, "up 22")
        tool.end()


@pytest.mark.parametrize("option", ["-I", "-E", "-S"])
def test_one_line_says_that_python_lets_nobody_in(project: Project, option: str) -> None:
    """At the first restart, and never again."""
    write(project)
    project.write("run.py", "import sys\nsys.path.insert(0, '.')\nimport app\n")
    with autoreload(project, "--warm", sys.executable, option, "run.py") as tool:
        wait_for(project, "up 1")
        tool.watching()
        for number in (22, 333):
            project.write("leaf.py", f"value = {number}\n")
            wait_for(project, f"up {number}")
        tool.end()
    told = [line for line in tool.lines() if "Cold" in line]
    assert told == [
        "Cold restart: no CPython 3.9 to 3.14 was seen to start (its options -E, -I and -S keep snapshots out)"
    ]


def test_another_command_is_left_alone(project: Project) -> None:
    """A shell with a Python in it: what it does next would not be done again."""
    write(project)
    command = f"{sys.executable} app.py; echo after"
    with autoreload(project, "--warm", "--explain", command) as tool:
        wait_for(project, "up 1")
        tool.watching()
        project.write("leaf.py", "value = 22\n")
        tool.expect("Cold restart: no snapshot: another program started Python")
        wait_for(project, "up 22")
        tool.end()


def test_the_exit_code_of_the_command_is_handed_on(project: Project) -> None:
    """`--on-exit quit`."""
    project.write("app.py", "raise SystemExit(7)\n")
    with autoreload(project, "--warm", "--on-exit", "quit", sys.executable, "app.py") as tool:
        tool.ended(7)


def test_nothing_is_left_when_autoreload_is_killed(project: Project) -> None:
    """The snapshots end with it."""
    write(project)
    with autoreload(project, "--warm", sys.executable, "app.py") as tool:
        wait_for(project, "up 1")
        tool.send(signal.SIGKILL)
        tool.process.wait()

        tool.nothing_left()


def test_a_snapshot_that_is_killed_costs_a_new_start(project: Project) -> None:
    """One line, and the command runs."""
    write(project)
    with autoreload(project, "--warm", sys.executable, "app.py") as tool:
        wait_for(project, "up 1")
        os.kill(children(tool.guard())[0], signal.SIGKILL)

        tool.expect("was killed, restart process")
        wait_for(project, "up 1", times=2)
        tool.end()


def test_the_program_is_asked_to_end_and_has_its_time(project: Project) -> None:
    """As in a cold restart: what it does at its end is done before the new one begins."""
    write(project)
    end = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(print('cleaned up', flush=True)))\n"
    project.write("app.py", end + APP)
    with autoreload(project, "--warm", sys.executable, "app.py") as tool:
        wait_for(project, "up 1")
        tool.watching()
        project.write("leaf.py", "value = 22\n")
        wait_for(project, "up 22")

        assert project.stdout.read_text().splitlines() == ["begins", "up 1", "cleaned up", "up 22"]
        tool.end()
    assert project.stdout.read_text().splitlines()[-1] == "cleaned up"


def test_a_change_of_what_is_named_is_a_new_start(project: Project) -> None:
    """Though it might be warm; the next change of another file is."""
    write(project)
    with autoreload(project, "--warm", "--cold", "le*", "--explain", "-v", sys.executable, "app.py") as tool:
        wait_for(project, "up 1")
        tool.watching()
        project.write("leaf.py", "value = 22\n")
        tool.expect(r"Cold restart: leaf.py is one of --cold le\*")
        wait_for(project, "up 22")

        project.write("slow.py", SLOW + "x = 1\n")
        tool.expect("Warm restart from")
        tool.end()


SEVERAL = "".join(f"import time, m{number}\ntime.sleep(0.2)\n" for number in range(3))


def test_the_snapshots_and_what_they_take_are_told(project: Project) -> None:
    """For those who want to know more."""
    write(project)
    with autoreload(project, "--warm", "-v", sys.executable, "app.py") as tool:
        wait_for(project, "up 1")
        tool.expect(r"2 snapshots, [\d.]+ MB")
        tool.end()


def test_snapshots_that_take_too_much_are_dropped_and_the_rest_serves(project: Project) -> None:
    """The first and the last stay, however little is allowed."""
    write(project)
    for number in range(3):
        project.write(f"m{number}.py")
    project.write("slow.py", SEVERAL)
    with autoreload(project, "--warm", "--warm-memory", "1M", "-v", sys.executable, "app.py") as tool:
        wait_for(project, "up 1")
        tool.expect(r"2 snapshots, [\d.]+ MB")
        tool.expect(r"\d snapshots? dropped: all together may take 1.0 MB \(--warm-memory\)")
        tool.watching()

        project.write("app.py", APP + "pause()\n")
        tool.expect("Warm restart from inside app.py")
        project.write("m1.py", "x = 1\n")
        tool.expect("Warm restart from the start of the program")
        wait_for(project, "begins", times=2)
        tool.end()


LAZY = """\
import signal, sys
print("begins", flush=True)
def load(*_):
    import lazy
    print("loaded", lazy.value, flush=True)
signal.signal(signal.SIGUSR1, load)
print("up", flush=True)
while True:
    signal.pause()
"""


def write_lazy(project: Project, text: str = LAZY) -> None:
    """A program that imports a module when it is sent a signal."""
    project.write("app.py", text)
    project.write("lazy.py", "value = 1\n")


def at_rest(tool: Tool) -> None:
    """Until autoreload knows what was there at the start."""
    tool.expect("the command is at rest, the content of")
    tool.watching()


def test_a_module_that_was_not_used_restarts_nothing_and_is_new_when_it_is(project: Project) -> None:
    """Each edit has its line; once the module has been imported, an edit restarts."""
    write_lazy(project)
    with autoreload(project, "--warm", "-v", sys.executable, "app.py") as tool:
        at_rest(tool)
        project.write("lazy.py", "value = 22\n")
        tool.expect("^lazy.py changed: the running program has not used it$")
        project.write("lazy.py", "value = 33\n")
        tool.expect("^lazy.py changed: the running program has not used it$")

        os.kill(program(tool), signal.SIGUSR1)
        wait_for(project, "loaded 33")
        project.write("lazy.py", "value = 44\n")
        tool.expect("restart process: lazy.py")

        assert tool.restarts() == ["lazy.py"]
        tool.end()


def test_also_after_a_restart(project: Project) -> None:
    """What the program before had used is another matter."""
    write_lazy(project, LAZY.replace("import signal", "import slow, leaf, signal"))
    project.write("slow.py", SLOW)
    project.write("leaf.py")
    with autoreload(project, "--warm", "-v", sys.executable, "app.py") as tool:
        at_rest(tool)
        wait_for(project, "up")
        project.write("leaf.py", "x = 1\n")
        tool.expect("Warm restart from (?:inside app|before leaf).py")
        at_rest(tool)
        project.write("lazy.py", "value = 22\n")
        tool.expect("^lazy.py changed: the running program has not used it$")
        tool.end()


def test_a_module_that_is_back_to_what_it_was_may_have_been_used_meanwhile(project: Project) -> None:
    """Its content is that of the start, and yet the program has another one."""
    write_lazy(project)
    with autoreload(project, "--warm", "-v", sys.executable, "app.py") as tool:
        at_rest(tool)
        project.write("lazy.py", "value = 22\n")
        tool.expect("has not used it")
        os.kill(program(tool), signal.SIGUSR1)
        wait_for(project, "loaded 22")

        project.write("lazy.py", "value = 1\n")
        tool.expect("restart process: lazy.py")
        tool.end()


def test_cached_bytecode_of_a_module_that_was_not_used_is_not_taken_for_the_new_one(project: Project) -> None:
    """It has the same size, and a time within the same second."""
    write_lazy(project)
    source = project.tree / "lazy.py"
    py_compile.compile(str(source))
    with autoreload(project, "--warm", "-v", sys.executable, "app.py") as tool:
        at_rest(tool)
        before = source.stat()
        project.write("lazy.py", "value = 2\n")
        os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
        tool.expect("has not used it")

        os.kill(program(tool), signal.SIGUSR1)
        wait_for(project, "loaded 2")
        tool.end()


USES = {
    "the script itself": ("app.py", "", ""),
    "a module": ("lazy.py", "import lazy\n", ""),
    "a module that failed": ("broken.py", "try:\n    import broken\nexcept ImportError:\n    pass\n", ""),
    "a module that was forgotten": ("lazy.py", "import lazy\ndel sys.modules['lazy'], lazy\n", ""),
    "source that was read": ("lazy.py", "open('lazy.py').read()\n", ""),
    "source that is open": ("lazy.py", "import posix\nfd = posix.open('lazy.py', 0)\n", ""),
    "by a thread": (
        "lazy.py",
        "import threading\nt = threading.Thread(target=__import__, args=('lazy',))\nt.start()\n",
        "",
    ),
    "by a child that is gone": ("lazy.py", "import subprocess\nsubprocess.run([sys.executable, 'lazy.py'])\n", ""),
    "by a child that was forked": ("lazy.py", "import os\nif os.fork() == 0:\n    import lazy\n    os._exit(0)\n", ""),
    "by children that nobody waits for": (
        "lazy.py",
        "import os\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\nif os.fork() == 0:\n    import lazy; os._exit(0)\n",
        "",
    ),
    "by another name": ("lazy.py", "import other\n", "other.py"),
}


@pytest.mark.parametrize("use", USES)
def test_what_the_program_has_used_in_any_way_restarts_it(project: Project, use: str) -> None:
    """By the program itself, whatever came of it, or by who may have been its child."""
    name, text, alias = USES[use]
    write_lazy(project, LAZY.replace('print("up"', f'{text}print("up"'))
    project.write("broken.py", "raise ImportError\n")
    if alias:
        os.link(project.tree / "lazy.py", project.tree / alias)
    with autoreload(project, "--warm", "-v", sys.executable, "app.py") as tool:
        at_rest(tool)
        with open(project.tree / name, "a") as file:
            file.write("\n")
        tool.expect("restart process")
        assert "has not used" not in tool.text()
        tool.end()


def test_a_module_that_was_not_used_restarts_if_that_is_wanted(project: Project) -> None:
    """`--no-use-check`."""
    write_lazy(project)
    with autoreload(project, "--warm", "--no-use-check", "-v", sys.executable, "app.py") as tool:
        at_rest(tool)
        project.write("lazy.py", "value = 22\n")
        tool.expect("restart process: lazy.py")
        tool.end()


def test_a_program_that_uses_many_files_at_once_has_told_of_all(project: Project) -> None:
    """More than fit into the queue while nobody reads it."""
    number = 300
    for each in range(number):
        project.write(f"m{each}.py", "")
    names = ", ".join(f"m{each}" for each in range(number))
    write_lazy(project, LAZY.replace("import lazy", f"import {names}").replace("lazy.value", "1"))
    with autoreload(project, "--warm", "-v", sys.executable, "app.py") as tool:
        at_rest(tool)
        tool.send(signal.SIGSTOP)
        os.kill(program(tool), signal.SIGUSR1)
        eventually(lambda: "loaded 1" in project.stdout.read_text(), 15.0)
        tool.send(signal.SIGCONT)
        project.write("lazy.py", "value = 22\n")
        tool.expect("lazy.py changed: the running program has not used it")
        project.write(f"m{number - 1}.py", "x = 1\n")
        tool.expect(f"restart process: m{number - 1}.py")
        tool.end()


STUCK = """\
import app, threading, time
value = {value}
lock = threading.Lock()
lock.acquire()
if time.monotonic() > app.began + 1:
    lock.acquire()
"""


def test_a_resumed_program_that_is_stuck_is_started_cold_and_so_the_next_time(project: Project) -> None:
    """It hangs only when it is resumed; a new start is fine."""
    project.write("main.py", "import app\n")
    project.write("app.py", "import time\nbegan = time.monotonic()\n" + APP)
    project.write("slow.py", SLOW)
    project.write("leaf.py", STUCK.format(value=1))
    with autoreload(project, "--warm", "--explain", "-v", sys.executable, "main.py") as tool:
        wait_for(project, "up 1")
        tool.expect("snapshots,")
        tool.watching()

        project.write("leaf.py", STUCK.format(value=22))
        tool.expect("Warm restart from (?:inside app|before leaf).py")
        tool.expect(r"The resumed process has not come up in .* \(it waits for a lock\), start process anew")
        wait_for(project, "up 22")

        project.write("leaf.py", STUCK.format(value=333))
        tool.expect("Cold restart: the program did not come up when it was resumed for leaf.py")
        wait_for(project, "up 333")
        assert project.stdout.read_text().splitlines().count("begins") == 3
        tool.end()


def hinted(project: Project, *words: str) -> bool:
    """Is something better recommended after a restart that takes over a second?"""
    write(project)
    project.write("slow.py", "import time\nend = time.monotonic() + 1.1\nwhile time.monotonic() < end:\n    pass\n")
    with autoreload(project, "-v", *words, sys.executable, "app.py") as tool:
        at_rest(tool)
        for value in (22, 33):
            project.write("leaf.py", f"value = {value}\n")
            wait_for(project, f"up {value}")
            tool.expect("the command is at rest")
        tool.end()
    return tool.text().count("--warm goes on from just before the changed file") == 1


def test_a_slow_restart_recommends_what_would_help_once(project: Project) -> None:
    """Not where it is in use."""
    assert hinted(project)


def test_what_is_in_use_is_not_recommended(project: Project) -> None:
    """Control."""
    assert not hinted(project, "--warm", "--cold", "leaf.py")


@pytest.mark.parametrize("follow", ["abspath", "realpath"])
def test_a_link_that_leads_elsewhere_restarts_cold(project: Project, follow: str) -> None:
    """Also if only the program itself followed it, so that what it used is behind none; there and back again."""
    folder = f"os.path.{follow}('current')"
    project.write("app.py", APP.replace("import slow", f"import os\nsys.path.insert(0, {folder})\nimport slow, other"))
    project.write("slow.py", SLOW)
    for number in (1, 2):
        project.write(f"../release-{number}/leaf.py", f"value = {number}\n#{'#' * number}\n")
        project.write(f"../release-{number}/other.py", "")
    current, new = project.tree / "current", project.tree / "new"
    current.symlink_to("../release-1")
    with autoreload(project, "--warm", "-v", "--explain", sys.executable, "app.py") as tool:
        wait_for(project, "up 1")
        at_rest(tool)
        for number, times in ((2, 1), (1, 2)):
            new.symlink_to(f"../release-{number}")
            new.rename(current)
            tool.expect("Cold restart: a link on the way to current/leaf.py may lead elsewhere by now")
            wait_for(project, f"up {number}", times)
            at_rest(tool)
        tool.end()


@pytest.mark.parametrize(
    "ask",
    [
        "name = input()",
        "signal.signal(signal.SIGALRM, lambda *_: None)\nsignal.alarm(1)\nsignal.pause()",
        "def handler(*_):\n    import slower, leaf\nsignal.signal(signal.SIGALRM, handler)\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.01)\nsignal.pause()",
    ],
)
def test_what_came_from_outside_has_to_come_again(project: Project, ask: str) -> None:
    """A new start asks once more, and so does one that is resumed."""
    asks = f'import signal, slow\nprint("begins", flush=True)\n{ask}\nimport slower'
    project.write("app.py", APP.replace('print("begins", flush=True)', asks))
    project.write("slow.py", SLOW)
    project.write("slower.py", SLOW)
    project.write("leaf.py", "value = 1\n")
    reads, writes = os.pipe()
    try:
        with autoreload(project, "--warm", "-v", sys.executable, "app.py", stdin=reads) as tool:
            for times, value in ((1, 1), (2, 22)):
                wait_for(project, "begins", times)
                if "input" in ask:
                    time.sleep(0.6)  # as long as a person takes at least: this is what is recognised
                    os.write(writes, b"bob\n")
                wait_for(project, f"up {value}")
                tool.watching()
                project.write("leaf.py", "value = 22\n")
            tool.end()
    finally:
        os.close(reads)
        os.close(writes)
