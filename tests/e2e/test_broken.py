"""Code that does not compile ends nothing that works: it is shown, and the next save that compiles restarts."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.tool import Project, Tool, autoreload, children
from tests.support import command_line, eventually, state

HELD = "^mod.py does not compile: the old code goes on running$"
BROKEN = "x = (\n"
Save = Callable[[Path, str], None]


def compiler(tool: Tool) -> int:
    """Pid of the process that compiles."""
    return eventually(lambda: next((pid for pid in children(tool.pid) if "compiles.py" in command_line(pid)), 0))


@pytest.fixture
def tool(project: Project) -> Iterator[Tool]:
    """autoreload, which has seen which files compile."""
    project.write("mod.py", "old")
    project.write("other.py", "old")
    project.write("template.py", "{{ name }} = {% value %}")
    with autoreload(project, "-v", "--", *project.stamp("mod.py", "other.py", "template.py")) as it:
        project.wait_for_start(1)
        it.watching()
        it.expect("the content of 3 files is known$")
        eventually(lambda: "3 Python files are known to compile" in it.lines())  # one is stamp.py: the command names it
        yield it
        it.end()


def in_place(path: Path, text: str) -> None:
    """As the shell does it."""
    path.write_text(text)


def atomically(path: Path, text: str) -> None:
    """As many editors do it."""
    path.with_suffix(".tmp").write_text(text)
    os.rename(path.with_suffix(".tmp"), path)


def with_a_backup(path: Path, text: str) -> None:
    """As others do it."""
    os.rename(path, f"{path}~")
    path.write_text(text)


@pytest.mark.parametrize("save", [in_place, atomically, with_a_backup], ids=lambda save: save.__name__)
def test_what_does_not_compile_is_shown_and_the_old_code_goes_on(save: Save, tool: Tool) -> None:
    """File, line and caret, as Python shows them; again when it is another error. Then one restart for all files."""
    tree, runs = tool.project.tree, tool.project.runs
    save(tree / "mod.py", "x = 1\ny = x +\n")
    tool.expect(f'^  File "{tree}/mod.py", line 2$')
    tool.expect(r"^    y = x \+$")
    tool.expect(r"^ +\^$")
    tool.expect("^SyntaxError: invalid syntax$")
    tool.expect(HELD)

    save(tree / "other.py", "new")
    tool.expect(r"^mod.py still does not compile \(other.py was modified\): the old code goes on running$")
    save(tree / "mod.py", BROKEN)
    tool.expect(HELD)
    assert len(runs()) == 1
    assert state(runs()[0].pid) == "S"

    save(tree / "mod.py", "new")
    run = tool.project.wait_for_start(2)
    assert run.texts["mod.py"] == run.texts["other.py"] == "new"
    assert tool.restarts() == ["other.py and 1 more"]


def test_what_is_made_undone_needs_no_restart(tool: Tool) -> None:
    """It is told that what runs is up to date."""
    mod = tool.project.tree / "mod.py"
    mod.write_text(BROKEN)
    tool.expect(HELD)
    mod.write_text("old")
    tool.expect("^All is again as it was when the process was started: it is up to date$")
    mod.write_text("new")
    tool.project.wait_for_text("mod.py", "new")
    assert len(tool.project.runs()) == 2


def test_a_deletion_is_not_held(tool: Tool) -> None:
    """Nor what was held by the file that is gone."""
    mod = tool.project.tree / "mod.py"
    mod.write_text(BROKEN)
    tool.expect(HELD)
    mod.unlink()
    assert tool.project.wait_for_start(2).texts["mod.py"] is None


@pytest.mark.parametrize("name", ["template.py", "new.py"])
def test_what_never_compiled_holds_nothing(name: str, tool: Tool) -> None:
    """A template, or a file that was not there."""
    tool.project.write(name, "{{ name }} = {% other %}")
    tool.project.wait_for_start(2)
    assert tool.restarts() == [name]


def test_a_save_in_two_parts(tool: Tool) -> None:
    """The first half does not compile."""
    with open(tool.project.tree / "mod.py", "w") as file:
        file.write("x = (")
        file.flush()
        file.write("1)")
    assert tool.project.wait_for_start(2).texts["mod.py"] == "x = (1)"
    assert "does not compile" not in tool.text()


def test_a_file_that_is_never_closed(tool: Tool) -> None:
    """It counts after a second, and does not compile."""
    with open(tool.project.tree / "mod.py", "w") as file:
        file.write(BROKEN)
        file.flush()
        tool.expect(HELD)
    tool.project.write("mod.py", "new")
    tool.project.wait_for_text("mod.py", "new")
    assert len(tool.project.runs()) == 2


def test_a_crash_while_something_is_held(tool: Tool) -> None:
    """Nothing works any more that could be ended: the next save starts it, whatever it holds."""
    (first,) = tool.project.runs()
    (tool.project.tree / "mod.py").write_text(BROKEN)
    tool.expect(HELD)
    os.kill(first.pid, 9)
    tool.expect("^Process was killed by SIGKILL after .*; waiting for a change$")
    tool.project.write("other.py", "new")
    assert tool.project.wait_for_start(2).texts["mod.py"] == BROKEN
    assert tool.restarts() == ["mod.py and 1 more"]


def test_the_compiler_may_die(tool: Tool) -> None:
    """Another one takes its place."""
    os.kill(compiler(tool), 9)
    tool.project.write("mod.py", BROKEN)
    tool.expect(HELD)
    tool.project.write("mod.py", "new")
    tool.project.wait_for_text("mod.py", "new")


def test_a_compiler_that_is_stuck_is_given_up(tool: Tool) -> None:
    """The restart comes a second late, once."""
    stuck = compiler(tool)
    os.kill(stuck, 19)
    tool.project.write("mod.py", "new")
    tool.project.wait_for_text("mod.py", "new")
    eventually(lambda: state(stuck) in ("", "Z"))
    tool.project.write("mod.py", BROKEN)
    tool.expect(HELD)
    tool.project.write("mod.py", "newer")
    tool.project.wait_for_text("mod.py", "newer")


def test_without_the_check_it_is_restarted(project: Project) -> None:
    """--no-check: as Python itself would show it."""
    project.write("mod.py", "old")
    with autoreload(project, "--no-check", *project.stamp("mod.py")) as it:
        project.wait_for_start(1)
        it.watching()
        project.write("mod.py", BROKEN)
        project.wait_for_text("mod.py", BROKEN)
        assert not [pid for pid in children(it.pid) if "compiles.py" in command_line(pid)]
        it.end()


def test_the_grammar_is_that_of_the_command(project: Project) -> None:
    """`python` is another one than ours, found by way of a shell: what it says decides."""
    project.write("mod.py", "old")
    other = project.base / "bin" / "python"
    other.parent.mkdir()
    other.write_text(
        f"#!{sys.executable}\nimport os, sys, builtins\n"
        "if '-I' not in sys.argv: os.execv(sys.executable, [sys.executable, *sys.argv[1:]])\n"
        "def compile(source, *rest): raise SyntaxError('not in this version', ('x.py', 1, 1, 'text'))\n"
        "script = sys.argv[-1]\n"
        "exec(builtins.compile(open(script).read(), script, 'exec'), {'__name__': '__main__', 'compile': compile})\n"
    )
    other.chmod(0o755)
    path = {"PATH": f"{other.parent}:{os.environ['PATH']}"}
    words = subprocess.list2cmdline(["exec", "python", *project.stamp("mod.py")[1:]])
    subprocess.run([sys.executable, "-m", "py_compile", "mod.py"], cwd=project.tree, check=True)
    with autoreload(project, words, environ=path) as it:
        project.wait_for_start(1)
        it.watching()
        project.write("mod.py", "new")
        it.expect("^SyntaxError: not in this version$")
        it.expect(HELD)
        it.end()


SERVER = """
import os, socket, sys
# As if it had been imported before anybody could look at it, and without bytecode.
sys.modules["mod"] = type(sys)("mod")
sys.modules["mod"].__file__ = os.path.abspath("mod.py")
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    listener.accept()
"""


def test_what_the_command_says_it_has_imported(project: Project) -> None:
    """Holds, though nobody has seen it compile; a template beside it does not. Where a socket is bound."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    project.write("server.py", SERVER)
    mod, template = project.write("mod.py", BROKEN), project.write("template.py", "{% name %}")
    with autoreload(project, "-v", "--", sys.executable, "server.py", port) as it:
        it.expect("^Ready in ")
        it.watching()
        it.expect("^1 Python files are known to compile$")
        mod.write_text("y = (\n")
        it.expect(HELD)
        assert it.restarts() == []
        mod.write_text("y = 1\n")
        eventually(lambda: it.restarts() == ["mod.py"])
        it.expect("^Ready in ")
        template.write_text("{{ name }} {% other %}")
        eventually(lambda: it.restarts() == ["mod.py", "template.py"])
        it.end()
