"""A program that is prepared: whatever happens meanwhile, nothing is done early, and nothing stays behind."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

import pytest

from autoreload.runtime.unseen import is_silent
from tests.runtime.scene import Scene
from tests.runtime.stage import Stage
from tests.support import eventually, state, survivors

pytestmark = pytest.mark.slow
SAYS = "print('new', flush=True)"


@pytest.fixture
def scene(program: Stage) -> Scene:
    """One is prepared, and waits."""
    it = Scene(program, sys.executable)
    it.edit(SAYS)
    it.prepare()
    return it


def is_dead(pid: int) -> bool:
    """Is nothing but its status left?"""
    return state(pid) in ("", "Z")


def test_what_is_discarded_is_dead(scene: Scene) -> None:
    """And the start is as any other."""
    scene.serving.send("discard")
    eventually(lambda: is_dead(scene.pid))

    scene.let_go()
    scene.program.resume(scene.serving)

    scene.program.wait_for("new")


def test_one_that_is_prepared_for_other_changes_takes_its_place(scene: Scene) -> None:
    """A save came while it was imported."""
    first = scene.pid
    scene.edit("print('newer', flush=True)")
    scene.prepare_again()
    eventually(lambda: is_dead(first))

    scene.release()

    scene.program.wait_for("newer")
    assert "new" not in scene.program.last_words()


def test_one_that_has_died_is_made_again(scene: Scene) -> None:
    """Somebody killed it."""
    os.kill(scene.pid, signal.SIGKILL)

    scene.let_go()
    scene.serving.send("release", scene.program.settings())

    assert scene.program.answer(scene.serving, "resumed")[2] is False
    scene.program.wait_for("new")


def test_ctrl_c_ends_it_without_a_word(scene: Scene) -> None:
    """The terminal tells each process of the group: what it would say of it, it says too late."""
    os.kill(scene.pid, signal.SIGINT)
    scene.let_go()

    scene.serving.send("discard")

    eventually(lambda: is_dead(scene.pid))
    assert scene.program.last_words() == ["up 1", "the old one is gone"]


def test_one_that_was_suspended_goes_on_when_it_is_continued(scene: Scene) -> None:
    """Ctrl-Z and fg."""
    os.kill(scene.pid, signal.SIGSTOP)
    eventually(lambda: state(scene.pid) == "T")

    scene.release()
    os.kill(scene.pid, signal.SIGCONT)

    scene.program.wait_for("new")


def test_it_ends_with_its_snapshot(scene: Scene) -> None:
    """Nobody else could open its gate."""
    os.kill(int(scene.serving.facts["pid"]), signal.SIGKILL)

    eventually(lambda: is_dead(scene.pid))
    assert scene.program.last_words() == ["up 1"]


def test_what_a_killed_snapshot_leaves_is_dead_before_the_gate_opens(scene: Scene) -> None:
    """The old program, which fell to the one that serves."""
    old = int(scene.last.facts["child"])
    os.kill(int(scene.last.facts["pid"]), signal.SIGKILL)
    eventually(lambda: scene.last not in scene.program.wait_for_snapshots(2))
    assert not is_dead(old)

    scene.serving.send("release", scene.program.settings())

    assert scene.program.answer(scene.serving, "resumed")[2] is True
    assert is_dead(old)
    scene.program.wait_for("new")


def terminate(program: Stage) -> None:
    """As the guard does."""
    os.kill(program.process.pid, signal.SIGTERM)


def kill_the_first(program: Stage) -> None:
    """And the tool with it."""
    os.kill(program.process.pid, signal.SIGKILL)
    hang_up(program)


def hang_up(program: Stage) -> None:
    """The tool is gone."""
    for snapshot in program.snapshots:
        snapshot.socket.close()
    program.snapshots.clear()


@pytest.mark.parametrize("end", [terminate, kill_the_first, hang_up])
def test_it_does_not_outlive_the_end_of_all(scene: Scene, end: Callable[[Stage], None]) -> None:
    """Whoever asks for it."""
    end(scene.program)
    (scene.program.folder / "go").write_text("")

    scene.program.process.wait(10)
    scene.program.nothing_left()
    assert "new" not in scene.program.last_words()


@pytest.mark.parametrize("last", [True, False], ids=["by the last snapshot", "by one above it"])
def test_what_the_old_one_leaves_is_dead_before_the_gate_opens(program: Stage, last: bool) -> None:
    """A process that has detached itself and ignores SIGTERM. The one that is prepared is spared."""
    scene = Scene(program, sys.executable, short=last)
    assert (scene.serving is program.chain()[-1]) == last
    scene.edit(SAYS)
    scene.prepare(grace=0.5, daemon=True)
    everybody = len(survivors(program.mark))
    (program.folder / "go").write_text("")

    answer = program.answer(scene.last, "emptied")

    assert answer[2] == 1  # killed
    assert len(survivors(program.mark)) == everybody - 2
    assert "new" not in program.last_words()
    scene.serving.send("release", program.settings())
    assert program.answer(scene.serving, "resumed")[1:] == (scene.pid, True)
    program.wait_for("new")


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("import ctypes\nkept = ctypes.CDLL(None)", "it calls C code by ctypes"),
        ("kept = open('state')", "state is open"),
        ("import threading", ""),
    ],
)
def test_where_the_point_cannot_be_known_nothing_is_prepared(program: Stage, what: str, why: str) -> None:
    """What the program did before the snapshot may go on after it unseen."""
    scene = Scene(program, sys.executable, defeated=what)
    scene.edit(SAYS)
    scene.serving.send("prepare", {**program.settings(), "number": 1}, [])

    if not why:  # control
        program.answer(scene.serving, "prepared")
        return
    assert program.answer(scene.serving, "unprepared")[3].endswith(why)
    (program.folder / "go").write_text("")
    program.stop()
    program.resume(scene.serving)
    program.wait_for("new")


@pytest.mark.parametrize(
    ("path", "silent"),
    [
        ("/usr/lib/python3.12/lib-dynload/_json.cpython-312-x86_64-linux-gnu.so", True),
        ("/usr/lib/python3.12/lib-dynload/readline.cpython-312-x86_64-linux-gnu.so", False),
        ("/app/.venv/lib/python3.12/site-packages/numpy/_core/_multiarray_umath.cpython-312.so", True),
        ("/app/.venv/lib/python3.12/site-packages/numpy.libs/libscipy_openblas64_-8fb3d286.so", True),
        ("/app/.venv/lib/python3.12/site-packages/psycopg2/_psycopg.cpython-312.so", False),
        ("/app/.venv/lib/python3.12/site-packages/_cffi_backend.cpython-312.so", False),
        ("/app/fast.cpython-312.so", False),
        ("/usr/lib/x86_64-linux-gnu/libc.so.6", True),
        ("/usr/lib/x86_64-linux-gnu/libpq.so.5.16", False),
        ("/usr/bin/python3.12", True),
    ],
)
def test_whose_code_is_known_to_do_nothing_but_compute(path: str, silent: bool) -> None:
    """By where it is, and its name."""
    assert is_silent(path) == silent
