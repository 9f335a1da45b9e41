"""An old program that ends when it is let go, and a new one that is prepared meanwhile."""

from __future__ import annotations

import signal

from tests.runtime.stage import Snapshot, Stage
from tests.support import eventually, state

SLOW = "import time\ntime.sleep(0.16)\n"
APP = """
import signal, sys, os, threading, subprocess, socket, multiprocessing, concurrent.futures, sqlite3, pathlib, shutil
{defeated}
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
import slow1, after, slow2, last
print("up", after.value, flush=True)
time = __import__("time")
time.sleep(60)
"""
OLD = """
import atexit, os, time
value = 1
def end():
    while not os.path.exists("go"):
        time.sleep(0.005)
        if os.path.exists("daemon"):
            os.unlink("daemon")
            if not os.fork():
                import signal
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                os.setsid()
                print("daemon", flush=True)
                time.sleep(60)
    with open("state", "w") as file:
        file.write("late")
    os.unlink("lock")
    print("the old one is gone", flush=True)
atexit.register(end)
"""
"""It takes its time to end."""
WITHOUT = """
import types
class Gate:
    def __init__(self, program, descriptor, changed): os.close(descriptor)
    def is_open(self): return True
sys.modules["autoreload:runtime.gate"] = types.ModuleType("gate")
sys.modules["autoreload:runtime.gate"].Gate = Gate
"""


class Scene:
    """A program that does not end before it may, and the one that is to follow."""

    def __init__(self, program: Stage, python: str, defeated: str = "", short: bool = False) -> None:
        """`defeated`: what the script does first. `short`: there is no snapshot below the one that will serve."""
        self.program = program
        program.write("slow1.py", SLOW)
        program.write("slow2.py", "" if short else SLOW)
        program.write("last.py", "")
        program.write("keeps.py", "from os import link, stat\n")
        program.write("after.py", OLD)
        (program.folder / "state").write_text("early")
        (program.folder / "lock").write_text("")
        (program.folder / "other").write_text("")
        program.write("app.py", "import keeps\n" + APP.format(defeated=defeated))
        program.start("app.py", python=python)
        program.wait_for("up 1")
        program.wait_for_snapshots(2 if short else 3)
        self.serving: Snapshot = program.before("after.py")
        self.pid = 0

    def edit(self, text: str) -> None:
        """The module that has changed does this now."""
        head = "import os, sys, socket, subprocess, sqlite3, pathlib, shutil, keeps\nvalue = 2\n"
        self.program.write("after.py", head + text + "\n")

    def prepare(self, grace: float = 30.0, daemon: bool = False) -> None:
        """While the old one ends; until the new one waits. `daemon`: the old one leaves a process."""
        self.last = self.program.chain()[-1]
        self.last.send("stop", 1, int(signal.SIGTERM), grace, False)
        if daemon:
            (self.program.folder / "daemon").write_text("")
            self.program.wait_for("daemon")
        self.prepare_again()

    def prepare_again(self) -> None:
        """Of the snapshot that serves."""
        told = {**self.program.settings(), "number": 7}
        self.serving.send("prepare", told, [str(self.program.folder / "after.py")])
        _, number, self.pid = self.program.answer(self.serving, "prepared")
        assert number == 7
        eventually(lambda: state(self.pid) in ("S", "Z", ""), what="one that waits")

    def let_go(self) -> None:
        """The old one may end."""
        (self.program.folder / "go").write_text("")
        self.program.answer(self.last, "emptied")

    def release(self) -> None:
        """What is prepared is the program."""
        self.let_go()
        self.serving.send("release", self.program.settings())
        assert self.program.answer(self.serving, "resumed")[1:] == (self.pid, True)
