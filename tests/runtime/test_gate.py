"""The gate: what a prepared program does not do before the old one is dead. Control: without it, all that happens."""

from __future__ import annotations

import importlib.util
import marshal
import os
import signal
import socket
import subprocess
import sys

import pytest

from tests.e2e.tool import children
from tests.runtime.scene import WITHOUT, Scene
from tests.runtime.stage import Stage
from tests.support import eventually

pytestmark = pytest.mark.slow
MADE = {
    "a file": "open('made', 'w').close()",
    "a file by its number": "os.close(os.open('made', os.O_CREAT | os.O_WRONLY))",
    "a file by its object": "pathlib.Path('made').touch()",
    "a file of sqlite": "sqlite3.connect('made').execute('create table t (n)')",
    "a folder": "os.mkdir('made')",
    "a link": "os.symlink('state', 'made')",
    "a hard link": "os.link('state', 'made')",
    "a pipe": "os.mkfifo('made')",
    "another name": "os.rename('other', 'made')",
    "a copy": "shutil.copyfile('after.py', 'made')",
    "a socket": "s = socket.socket(socket.AF_UNIX)\ns.bind('made')",
    "a process": "subprocess.run(['touch', 'made'])",
    "a process of os.system": "os.system('touch made')",
    "a process of os.posix_spawn": "os.posix_spawn('/usr/bin/env', ['env', 'touch', 'made'], {})",
    "a call of C": "import ctypes\nctypes.CDLL(None).creat(b'made', 0o600)",
    "a function known before": "keeps.link('state', 'made')",
}
"""What comes to be when this is done."""
DONE = {
    "output": ("print('done', flush=True)", "done"),
    "an error": ("sys.stderr.write('done\\n')", "done"),
    "output by its number": ("os.write(1, b'done\\n')", "done"),
    "output without Python's buffer": ("sys.stdout.buffer.raw.write(b'done\\n')", "done"),
    "output as it ends": ("sys.exit('done')", "done"),
    "another program": ("os.execv('/bin/echo', ['echo', 'done'])", "done"),
    "a traceback": ("raise SystemError", "SystemError"),
}
"""And what is written then."""
FOUND = {
    "open": "open('state').read()",
    "pathlib": "__import__('pathlib').Path('state').read_text()",
    "os.open": "os.read(os.open('state', os.O_RDONLY), 9).decode()",
    "os.path.exists": "'early' if os.path.exists('lock') else 'late'",
    "os.stat": "'early' if os.stat('state').st_size == 5 else 'late'",
    "os.access": "'early' if os.access('lock', os.F_OK) else 'late'",
    "os.listdir": "'early' if 'lock' in os.listdir() else 'late'",
    "os.scandir": "'early' if 'lock' in [entry.name for entry in os.scandir()] else 'late'",
    "Path.exists": "'early' if pathlib.Path('lock').exists() else 'late'",
    "glob": "'early' if __import__('glob').glob('loc*') else 'late'",
    "a function known before": "'early' if keeps.stat('state').st_size == 5 else 'late'",
}
"""How the program may come to know what the old one does as it ends."""


@pytest.fixture
def scene(program: Stage, python: str) -> Scene:
    """With a gate."""
    return Scene(program, python)


def made(program: Stage) -> bool:
    """Has it come to be?"""
    return os.path.lexists(program.folder / "made")


@pytest.mark.parametrize("what", MADE)
def test_nothing_is_made_before_the_old_one_is_dead(scene: Scene, what: str) -> None:
    """And everything after it."""
    scene.edit(MADE[what])
    scene.prepare()
    assert not made(scene.program)

    scene.release()

    eventually(lambda: made(scene.program), what=what)
    scene.program.wait_for("up 2")


@pytest.mark.parametrize("what", MADE)
def test_without_the_gate_it_would_be_made(program: Stage, what: str) -> None:
    """Control."""
    scene = Scene(program, sys.executable, WITHOUT)
    scene.edit(MADE[what])
    scene.prepare()

    eventually(lambda: made(program), what=what)


@pytest.mark.parametrize("what", DONE)
def test_nothing_is_written_before_the_old_one_is_dead(scene: Scene, what: str) -> None:
    """What it has to say comes after what the old one says at its end."""
    act, written = DONE[what]
    scene.edit(act)
    scene.prepare()
    assert scene.program.last_words() == ["up 1"]

    scene.release()

    scene.program.wait_for(written)
    lines = scene.program.last_words()
    assert lines.index("the old one is gone") < lines.index(written)


@pytest.mark.parametrize("what", FOUND)
def test_what_the_old_one_leaves_is_found(scene: Scene, what: str) -> None:
    """A new start would find it as well."""
    scene.edit(f"found = {FOUND[what]}\nprint('found', found, flush=True)")
    scene.prepare()

    scene.release()

    scene.program.wait_for("found late")


@pytest.mark.parametrize("what", FOUND)
def test_without_the_gate_it_would_find_what_was_there(program: Stage, what: str) -> None:
    """Control."""
    scene = Scene(program, sys.executable, WITHOUT)
    scene.edit(f"found = {FOUND[what]}\nprint('found', found, flush=True)")
    scene.prepare()

    scene.program.wait_for("found early")


BEGUN = {
    "a thread": "threading.Thread(target=time.sleep, args=(9,), daemon=True).start()",
    "a thread of _thread": "__import__('_thread').start_new_thread(time.sleep, (9,))",
    "a thread of a pool": "pool = concurrent.futures.ThreadPoolExecutor()\npool.submit(time.sleep, 1)",
    "a fork": "if not os.fork():\n    time.sleep(9)\n    os._exit(0)",
    "a process": "multiprocessing.get_context('fork').Process(target=time.sleep, args=(1,)).start()",
    "a spawned process": "multiprocessing.get_context('spawn').Process(target=time.sleep, args=(1,)).start()",
}


def begun(scene: Scene) -> bool:
    """Has it a second thread, or a child?"""
    threads = os.listdir(f"/proc/{scene.pid}/task")
    return len(threads) > 1 or bool(children(scene.pid))


@pytest.mark.parametrize("what", BEGUN)
def test_no_thread_and_no_process_is_started_before_the_old_one_is_dead(scene: Scene, what: str) -> None:
    """They would do anything."""
    scene.edit(f"import threading, time, multiprocessing, concurrent.futures\n{BEGUN[what]}")
    scene.prepare()
    assert not begun(scene)

    scene.release()

    eventually(lambda: begun(scene), what=what)


@pytest.mark.parametrize("what", BEGUN)
def test_without_the_gate_it_would_be_started(program: Stage, what: str) -> None:
    """Control."""
    scene = Scene(program, sys.executable, WITHOUT)
    scene.edit(f"import threading, time, multiprocessing, concurrent.futures\n{BEGUN[what]}")
    scene.prepare()

    eventually(lambda: begun(scene), what=what)


def test_nobody_is_called_before_the_old_one_is_dead(scene: Scene) -> None:
    """A server that serves one after the other would be kept busy."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(scene.program.folder / "server"))
        server.listen()
        server.setblocking(False)
        scene.edit("client = socket.socket(socket.AF_UNIX)\nclient.connect('server')")
        scene.prepare()
        with pytest.raises(BlockingIOError):
            server.accept()

        scene.release()

        eventually(lambda: accepted(server), what="a connection")


def accepted(server: socket.socket) -> bool:
    """Has somebody called?"""
    try:
        server.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def test_nobody_is_killed_before_the_old_one_is_dead(scene: Scene) -> None:
    """Least of all the old one, whose pid is in a file."""
    victim = subprocess.Popen(["sleep", "60"])
    try:
        scene.edit(f"os.kill({victim.pid}, 9)")
        scene.prepare()
        assert victim.poll() is None

        scene.release()

        assert victim.wait(10) == -9
    finally:
        victim.kill()
        victim.wait()


COMPUTES = {
    "modules of Python's": "import json, decimal, sqlite3, ssl, asyncio, ctypes, xml.dom.minidom, csv, uuid, zoneinfo",
    "a module of its own": "import other_module",
    "where it is": "from pathlib import Path\nhere = Path(__file__).resolve().parent\nassert os.path.isdir(here)",
    "what is installed": "import importlib.metadata\nlist(importlib.metadata.distributions())",
    "a socket without a name": "socket.socket().close()",
    "the configuration of a log": "import logging\nlogging.basicConfig()",
    "a pause": "import time\ntime.sleep(0.01)",
    "a class with fields": "import dataclasses, enum, typing\n@dataclasses.dataclass\nclass A:\n    b: int = 1",
    "another folder": "os.chdir('..')\nos.chdir('app')",
}
"""What nobody notices."""


@pytest.mark.parametrize("what", COMPUTES)
def test_it_is_not_held_up_by_what_nobody_notices(scene: Scene, what: str) -> None:
    """Else there would be no point in it. That it got through is seen by a handler, for it can tell nobody."""
    scene.program.write("other_module.py", "value = 1\n")
    through = "import signal\nsignal.signal(signal.SIGUSR1, signal.SIG_IGN)\n"
    scene.edit(f"{COMPUTES[what]}\n{through}")
    scene.prepare()

    eventually(lambda: ignores(scene.pid, signal.SIGUSR1), what=what)


def ignores(pid: int, number: int) -> bool:
    """Does that process ignore the signal? proc(5)"""
    with open(f"/proc/{pid}/status") as status:
        mask = next(line for line in status if line.startswith("SigIgn"))
    return bool(int(mask.split()[1], 16) >> (number - 1) & 1)


def test_once_it_is_open_all_is_as_it_was(scene: Scene) -> None:
    """The functions, the streams, the descriptors; and what was imported meanwhile has the true ones."""
    scene.program.write("other_module.py", "from os import stat\n")
    before = descriptors(scene)
    scene.edit(
        "import other_module, posix, threading, keeps, _thread, time\n"
        "print('waits', flush=True)\n"
        "print(os.stat is posix.stat is other_module.stat is keeps.stat, os.write is posix.write,"
        " type(_thread.start_new_thread).__name__, *sys.stdout.buffer.raw.__dict__, flush=True)"
    )
    scene.prepare()

    scene.release()

    scene.program.wait_for("up 2")
    assert "True True builtin_function_or_method name" in scene.program.last_words()
    eventually(lambda: descriptors(scene) == before, what="as many descriptors as before")


def descriptors(scene: Scene) -> int:
    """How many the program has."""
    scene.program.hear()
    try:
        return len(os.listdir(f"/proc/{scene.program.chain()[-1].facts['child']}/fd"))
    except FileNotFoundError:
        return 0


def test_bytecode_of_what_it_was_is_not_read(scene: Scene) -> None:
    """The old program may write some as it ends. And none is written of what may be out of date by then."""
    scene.edit("print('new', flush=True)")
    status = os.stat(scene.program.folder / "after.py")
    code = "print('stale', flush=True); value = 3"
    cached = scene.program.folder / "__pycache__" / f"after.{sys.implementation.cache_tag}.pyc"
    stale = importlib.util.MAGIC_NUMBER + bytes(4) + field(int(status.st_mtime)) + field(status.st_size)
    cached.write_bytes(stale + marshal.dumps(compile(code, "after.py", "exec")))
    scene.prepare()
    cached.unlink()

    scene.release()

    scene.program.wait_for("up 2")
    assert not cached.exists()


def field(value: int) -> bytes:
    """As in the header of bytecode."""
    return (value & 0xFFFFFFFF).to_bytes(4, "little")
