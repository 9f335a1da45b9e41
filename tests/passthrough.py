"""A FUSE file system that shows another folder, which can be changed behind its back, and that can hang and die."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import eventually, state


class Passthrough:
    """`source`, as seen at `point`."""

    def __init__(self, source: Path, point: Path) -> None:
        self.source, self.point = source, point
        source.mkdir(parents=True, exist_ok=True)
        point.mkdir(parents=True, exist_ok=True)
        self.daemon: subprocess.Popen[bytes] | None = None
        self.mount()

    def mount(self) -> None:
        """(Again.)"""
        # Nothing is remembered: each look has to be answered by the daemon.
        options = ["-f", "-o", "attr_timeout=0,entry_timeout=0,negative_timeout=0"]
        self.daemon = subprocess.Popen(["bindfs", *options, str(self.source), str(self.point)], stderr=subprocess.PIPE)
        eventually(lambda: self.mounted() or self.daemon is None or self.daemon.poll() is not None, what="a mount")
        if self.daemon.poll() is not None:
            said = self.daemon.communicate()[1].decode(errors="replace").strip()
            pytest.skip(f"needs FUSE: {said}")

    def mounted(self) -> bool:
        """Is it there? Asks nobody who might hang."""
        return any(f" {self.point} " in line for line in Path("/proc/self/mountinfo").read_text().splitlines())

    def hang(self) -> None:
        """From now on whoever asks it sleeps in the kernel."""
        assert self.daemon is not None
        self.daemon.send_signal(signal.SIGSTOP)
        eventually(lambda: self.daemon is not None and state(self.daemon.pid) == "T", what="a stopped daemon")

    def go_on(self) -> None:
        """It answers again."""
        assert self.daemon is not None
        self.daemon.send_signal(signal.SIGCONT)

    def die(self) -> None:
        """Its daemon dies; it stays mounted, and answers ENOTCONN."""
        if self.daemon is not None:
            self.daemon.kill()
            self.daemon.communicate()
            self.daemon = None

    def unmount(self) -> None:
        """Whatever its state."""
        if self.mounted():
            words = ["umount", "-l"] if os.geteuid() == 0 else ["fusermount3", "-uz"]
            subprocess.run([*words, str(self.point)], check=True)


@contextmanager
def passthrough(source: Path, point: Path) -> Iterator[Passthrough]:
    """Mounted, and in the end unmounted. Skips the test where that is not permitted."""
    if os.geteuid() != 0 and shutil.which("fusermount3") is None:
        pytest.skip("needs root, or fusermount3 on PATH")
    if not os.path.exists("/dev/fuse"):
        pytest.skip("needs /dev/fuse")
    it = Passthrough(source, point)
    try:
        yield it
    finally:
        it.die()
        it.unmount()
