"""Libraries that bring loops, threads and switches of their own: a resumed program does what a cold one does.

Where one has begun to work, a snapshot would share its descriptors; then there is none, with the reason.
"""

from __future__ import annotations

import pytest

from tests.runtime.stage import Stage, cold

SLOW = """
from time import monotonic
until = monotonic() + 0.16  # no sleep: that may be gevent's
while monotonic() < until:
    pass
"""
QUIET = """
import os, warnings
os.environ["EVENTLET_NO_GREENDNS"] = "yes"
warnings.simplefilter("ignore")
"""
EPOLL = "a descriptor of the kind [eventpoll] is open"
GEVENT = """
import gevent, os, socket, subprocess, threading, time
def slept():
    time.sleep(0.01)
    return "slept"
print(gevent.spawn(slept).get(), gevent.get_hub().threadpool.apply(os.getpid) == os.getpid())
thread = threading.Thread(target=print, args=("in a thread",))
thread.start()
thread.join()
server = socket.create_server(("127.0.0.1", 0))
def serve():
    connection, _ = server.accept()
    connection.sendall(b"hello")
    connection.close()
gevent.spawn(serve)
print(socket.create_connection(server.getsockname()).recv(10))
print(subprocess.run(["echo", "x"], capture_output=True).stdout, open("leaf.py").read())
"""
TRIO = """
async def main():
    await trio.sleep(0.01)
    print(await trio.to_thread.run_sync(lambda: "in a thread"))
trio.run(main)
"""
ON_ASYNCIO = """
async def main():
    await anyio.sleep(0.01)
    print(await anyio.to_thread.run_sync(lambda: "in a thread"))
anyio.run(main)
"""
ANYIO = f"{ON_ASYNCIO}anyio.run(main, backend='trio')\n"
WORKS = {
    "uvloop": "import asyncio, uvloop\nimport slow, leaf\nprint(uvloop.run(asyncio.sleep(0.01, 'slept')))",
    "gevent": f"from gevent import monkey\nmonkey.patch_all()\nimport slow, leaf\n{GEVENT}",
    "greenlet": "import greenlet\nimport slow, leaf\nprint(greenlet.greenlet(lambda x: x + 1).switch(2))",
    "a greenlet that imports it": """
import greenlet
def first(value):
    import slow, leaf
    return greenlet.getcurrent().parent.switch(value + leaf.value)
one = greenlet.greenlet(first)
print(one.switch(2), one.switch(3), one.dead)
""",
    "eventlet": "import eventlet\nimport slow, leaf\nprint(eventlet.spawn(lambda: 'spawned').wait())",
    "trio": f"import trio\nimport slow, leaf\n{TRIO}",
    "anyio": f"import anyio\nimport slow, leaf\n{ANYIO}",
    "an anyio that imports it": """
import anyio
async def main():
    import slow, leaf
    await anyio.sleep(0.01)
    print(await anyio.to_thread.run_sync(lambda: leaf.value))
anyio.run(main)
""",
    "an anyio that has had threads": f"import anyio\n{ON_ASYNCIO}\nimport slow, leaf\n{ANYIO}",
    "a timer": "import threading\nt = threading.Timer(0.01, print, ['rings'])\nimport slow, leaf\nt.start()\nt.join()",
    "a queue of log messages": """
import logging.handlers, queue
messages = queue.SimpleQueue()
listener = logging.handlers.QueueListener(messages, logging.StreamHandler())
log = logging.getLogger("queued")
log.addHandler(logging.handlers.QueueHandler(messages))
import slow, leaf
listener.start()
log.warning("value %d", leaf.value)
listener.stop()
""",
    "a log that is rotated": """
import glob, logging.handlers, os
handler = logging.handlers.RotatingFileHandler("rotated", maxBytes=60, backupCount=3, delay=True)
log = logging.getLogger("rotated")
log.addHandler(handler)
import slow, leaf
for name in glob.glob("rotated*"):
    os.unlink(name)
for number in range(9):
    log.warning("message %d of %d", number, leaf.value)
for name in sorted(glob.glob("rotated*")):
    print(name, open(name).read())
""",
    "an asyncio loop that was made, and closed": """
import asyncio
loop = asyncio.new_event_loop()
loop.close()
import slow, leaf
print(asyncio.run(asyncio.sleep(0.01, "slept")))
""",
}
REFUSED = {
    "a uvloop that imports it": (
        "the running event loop is a uvloop.Loop",
        "import uvloop\nasync def main():\n    import slow, leaf\n    print(leaf.value)\nuvloop.run(main())",
    ),
    "a uvloop that was made": (
        EPOLL,
        "import asyncio, uvloop\nloop = uvloop.new_event_loop()\nimport slow, leaf\n"
        "print(loop.run_until_complete(asyncio.sleep(0.01, 'slept')))",
    ),
    "an asyncio loop that was made": (
        EPOLL,
        "import asyncio\nloop = asyncio.new_event_loop()\nimport slow, leaf\n"
        "print(loop.run_until_complete(asyncio.sleep(0.01, 'slept')))",
    ),
    "a gevent that has begun": (
        EPOLL,
        f"from gevent import monkey\nmonkey.patch_all()\nimport time\ntime.sleep(0.01)\nimport slow, leaf\n{GEVENT}",
    ),
    "a gevent that imports it": (
        EPOLL,
        "import gevent\ndef first():\n    import slow, leaf\n    return leaf.value\nprint(gevent.spawn(first).get())",
    ),
    "an eventlet that has begun": (
        EPOLL,
        "import eventlet\neventlet.sleep(0.01)\nimport slow, leaf\nprint(eventlet.spawn(lambda: 'spawned').wait())",
    ),
    "a trio that imports it": (
        EPOLL,
        "import trio\nasync def main():\n    import slow, leaf\n    print(leaf.value)\ntrio.run(main)",
    ),
    "a timer that runs": (
        "a thread is running",
        "import threading\nt = threading.Timer(0.3, print, ['rings'])\nt.start()\nimport slow, leaf\nt.join()",
    ),
    "a pipe that signals wake up": (
        "a pipe of its own is open",
        "import os, signal\nr, w = os.pipe()\nos.set_blocking(w, False)\nsignal.set_wakeup_fd(w)\n"
        "signal.signal(signal.SIGUSR1, lambda *_: print('handled'))\nimport slow, leaf\n"
        "os.kill(os.getpid(), signal.SIGUSR1)\nprint(os.read(r, 5))",
    ),
    "a database that is open": (
        "open for writing",
        "import sqlite3\ndb = sqlite3.connect('db')\ndb.execute('create table if not exists t(x)')\n"
        "import slow, leaf\nprint(db.execute('select * from t').fetchall())",
    ),
}


def start(program: Stage, text: str) -> list[str]:
    """Have it run once, and compare it."""
    program.write("slow.py", SLOW)
    program.write("leaf.py", "value = 1\n")
    program.write("app.py", QUIET + text + "\nprint('done')\n")
    expected = cold(program.folder, ["app.py"])
    assert "done" in expected
    program.start("app.py")
    assert program.ended() == 0
    assert sorted(program.last_words()) == sorted(expected)
    return [str(snapshot.facts["path"]).rpartition("/")[2] for snapshot in program.chain()]


@pytest.mark.slow
@pytest.mark.parametrize("what", WORKS)
def test_resumed_as_cold_with(program: Stage, what: str) -> None:
    """Though it was forked, the first time too."""
    assert "leaf.py" in start(program, WORKS[what])

    program.write("leaf.py", "value = 2\n")
    expected = cold(program.folder, ["app.py"])
    program.forget_output()
    program.resume(program.before("leaf.py"))

    assert program.ended() == 0
    assert sorted(program.last_words()) == sorted(expected)


@pytest.mark.slow
@pytest.mark.parametrize("what", REFUSED)
def test_no_snapshot_with(program: Stage, what: str) -> None:
    """It is told why, and the program does what it does without us."""
    reason, text = REFUSED[what]

    snapshots = start(program, text)

    assert "leaf.py" not in snapshots
    assert any(reason in note[1] for note in program.notes if note[0] == "refused"), program.notes


@pytest.mark.slow
@pytest.mark.parametrize("rotates", [True, False])
def test_a_log_that_was_rotated_since_is_opened_anew(program: Stage, rotates: bool) -> None:
    """A snapshot that has it open would write into the old one: it is not resumed, however late it was given the
    processor after the fork. Control: without rotation it is."""
    most = 60 if rotates else 6000
    text = f"""
import logging.handlers, os, time
os.register_at_fork(after_in_parent=lambda: time.sleep(0.3))
handler = logging.handlers.RotatingFileHandler("log", maxBytes={most}, backupCount=3)
log = logging.getLogger("rotated")
log.addHandler(handler)
import slow, leaf
for number in range(9):
    log.warning("message %d of %d", number, leaf.value)
"""
    program.write("slow.py", SLOW)
    program.write("leaf.py", "value = 1\n")
    program.write("app.py", text)
    program.start("app.py")
    assert program.ended() == 0
    snapshot = program.before("leaf.py")

    snapshot.send("resume", program.settings())

    if rotates:
        told = ("refused", str(program.folder / "log"), "it was replaced while the program had it open")
        assert program.answer(snapshot, "refused") == told
    else:
        assert program.answer(snapshot, "resumed")


@pytest.mark.slow
def test_what_is_to_be_unique_is_so_in_each_resumed_program(program: Stage) -> None:
    """Whoever has drawn numbers before the snapshot draws others after it."""
    program.write("slow.py", SLOW)
    program.write("leaf.py", "value = 1\n")
    program.write(
        "app.py",
        """
import os, random, secrets, tempfile, uuid
def draw():
    generators = random.random, random.SystemRandom().random, uuid.uuid1, uuid.uuid4, secrets.token_hex
    return [str(generator()) for generator in generators] + [tempfile.mktemp(), os.urandom(8).hex()]
draw()
import slow, leaf
print(*draw(), sep="\\n", flush=True)
""",
    )
    program.start("app.py")
    assert program.ended() == 0
    for _ in range(2):
        program.resume(program.before("leaf.py"))
        assert program.ended() == 0

    drawn = program.last_words()

    assert len(drawn) == len({*drawn}) == 3 * 7
