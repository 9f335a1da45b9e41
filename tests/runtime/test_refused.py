"""No snapshot where a fork would lose something, or both sides would share it; and the reason is told."""

from __future__ import annotations

import pytest

from tests.runtime.stage import Stage
from tests.support import eventually

SLOW = "import time\ntime.sleep(0.16)\n"
REFUSED = {
    "a thread": (
        "import threading, time\nthreading.Thread(target=time.sleep, args=(9,), daemon=True).start()",
        "thread",
    ),
    "a child": ("import subprocess\nchild = subprocess.Popen(['sleep', '9'])", "it has child processes"),
    "a zombie": ("import os\nif not os.fork(): os._exit(0)", "it has child processes"),
    "a listening socket": ("import socket\ns = socket.create_server(('127.0.0.1', 0))", "it listens for connections"),
    "a bound socket": ("import socket\ns = socket.socket()\ns.bind(('127.0.0.1', 0))", "a socket is bound"),
    "a bound Unix socket": ("import socket\ns = socket.socket(socket.AF_UNIX)\ns.bind('here')", "a socket is bound"),
    "a connection": ("import socket\na, b = socket.socketpair()", "a connection is open"),
    "a pipe": ("import os\nends = os.pipe()", "a pipe of its own is open"),
    "a file to read and write": ("f = open('f', 'w+')", "f is open for writing"),
    "a file to write": ("f = open('f', 'w')", "f is open for writing"),
    "a lock": (
        "import fcntl, os\nfd = os.open('f', os.O_RDWR | os.O_CREAT)\nfcntl.lockf(fd, fcntl.LOCK_EX)\n"
        "low = os.open('f', os.O_WRONLY | os.O_APPEND)\nos.dup2(low, fd)\nfcntl.lockf(low, fcntl.LOCK_EX)",
        "it holds a file lock",
    ),
    "a lock on its output": ("import fcntl\nfcntl.lockf(1, fcntl.LOCK_EX)", "it holds a file lock"),
    "a lock of an open file": (
        "import fcntl\nf = open('app.py')\nfcntl.flock(f, fcntl.LOCK_EX)",
        "it holds a file lock",
    ),
    "a debugger": (
        "import sys\nsys.settrace(lambda *_: None)",
        "it is traced, by a debugger or a coverage tool",
    ),
    "an epoll": ("import select\ne = select.epoll()", "a descriptor of the kind [eventpoll] is open"),
    "shared memory": ("import mmap\nm = mmap.mmap(-1, 4096)", "memory is shared (/dev/zero (deleted))"),
}
ACCEPTED = {
    "a lock of another": "import fcntl, os, subprocess\nf = open('f', 'a+')\nfcntl.lockf(f, fcntl.LOCK_EX)\nf.close()",
    "nothing": "",
    "a thread that has ended": "import threading\nt = threading.Thread(target=int)\nt.start()\nt.join()",
    "a child that was waited for": "import subprocess\nsubprocess.run(['true'])",
    "a file to read": "f = open('app.py')",
    "a file to append to": "f = open('f', 'a')",
    "an unused socket": "import socket\ns = socket.socket()",
    "private memory": "import mmap\nm = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE)",
    "a debugger that has gone on": "import pdb, io\n"
    "pdb.Pdb(stdin=io.StringIO('p 1\\nc\\n'), stdout=io.StringIO()).set_trace()",
    "a profiler": "import cProfile\np = cProfile.Profile()\np.enable()",
    "a terminal": "import os\nf = os.open('/dev/null', os.O_RDWR)",
    "the other end of a pipe": "import os\nr, w = os.pipe()\nos.close(w)",
}


def start(program: Stage, before: str) -> None:
    """Have it done, then something that a snapshot is due before."""
    program.write("slow.py", SLOW)
    program.write("leaf.py", "")
    program.write("app.py", f"{before}\nimport slow, leaf\nprint('done', flush=True)\n")
    program.start("app.py")
    program.wait_for("done")


@pytest.mark.parametrize("what", REFUSED)
def test_no_snapshot_beside(program: Stage, what: str) -> None:
    """The tool hears why; the program goes on."""
    before, reason = REFUSED[what]

    start(program, before)

    def told() -> list[str]:
        program.hear()
        return [note[1] for note in program.notes if note[0] == "refused"]

    assert reason in eventually(told)[0]
    assert "before" not in [snapshot.facts["kind"] for snapshot in program.chain()]


@pytest.mark.parametrize("what", ACCEPTED)
def test_a_snapshot_beside(program: Stage, what: str) -> None:
    """Control: what is no obstacle."""
    start(program, ACCEPTED[what])

    def before_leaf() -> bool:
        program.hear()
        return any(one.facts["kind"] == "before" and one.facts["path"].endswith("leaf.py") for one in program.chain())

    assert eventually(before_leaf)


def test_no_snapshot_of_what_a_thread_imports(program: Stage) -> None:
    """Some frameworks load everything in one; it costs them nothing."""
    program.write("slow.py", SLOW)
    program.write("leaf.py", "print('leaf', flush=True)")
    program.write(
        "app.py",
        "import threading\nt = threading.Thread(target=lambda: __import__('slow') and "
        "__import__('leaf'))\nt.start()\nt.join()\nprint('done', flush=True)",
    )
    program.start("app.py")
    program.wait_for("done")

    assert "before" not in [snapshot.facts["kind"] for snapshot in program.wait_for_snapshots(1)]


def test_no_snapshot_of_a_worker(program: Stage) -> None:
    """A forked child (of gunicorn, say) is not what would be resumed."""
    program.write("slow.py", SLOW)
    program.write("leaf.py", "import os\nprint('leaf', flush=True)")
    program.write(
        "app.py",
        "import os\nif os.fork() == 0:\n    import slow, leaf\n    os._exit(0)\nos.wait()\nprint('done', flush=True)",
    )
    program.start("app.py")
    program.wait_for("done")

    assert "before" not in [snapshot.facts["kind"] for snapshot in program.wait_for_snapshots(1)]
