"""Serve examples/hello under autoreload, for a person to edit; or edit a copy and check that the new answer comes."""

from __future__ import annotations

import contextlib
import http.client
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

HELLO = Path("examples", "hello")
USUAL_PORT = 8000
LIMIT = 20.0
"""The whole self-check ends within so many seconds, one way or the other."""
MARK = "AUTORELOAD_DEMO"
"""In the environment of all that the self-check starts, so that what is left of it can be found."""

NEW_WORDS = "Hello, self-check!"


class Failure(Exception):
    """The self-check did not see what it should have; the message is one line."""


def main(arguments: list[str]) -> int:
    """Exit code, if this process does not become autoreload."""
    if arguments == ["--self-check"]:
        return self_check()
    if arguments:
        print("usage: script/demo [--self-check]", file=sys.stderr)
        return 2
    return invite()


def invite() -> NoReturn:
    """Say where to look and what to edit, then become autoreload."""
    port = free_port()
    command = autoreload(HELLO, port)
    print(f"$ {shlex.join(command)}\n")
    print(f"  Look at   http://127.0.0.1:{port}/")
    print(f"  and edit  {HELLO / 'greeting.py'}  (or {HELLO / 'page.html'}): save it, and the page changes.")
    print("  Ctrl-C ends it.\n", flush=True)
    os.execvpe(command[0], command, environment())


def autoreload(folder: Path, port: int) -> list[str]:
    """The call that is shown and made."""
    return ["autoreload", "--watch", str(folder), "-e", "py,html", "--", "python", str(folder / "app.py"), str(port)]


def environment(**more: str) -> dict[str, str]:
    """`autoreload` and `python` are those of the environment that this script runs in."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return os.environ | {"PATH": path} | more


def free_port() -> int:
    """The usual one, or whichever the kernel has."""
    for port in (USUAL_PORT, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise Failure("there is no free port on 127.0.0.1")


def self_check() -> int:
    """Run the demo without a person. The edit is made on a copy: the checkout stays as it is."""
    # SIGTERM (a CI job that is called off) takes the way out through the `finally` below, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="hello ") as scratch:
        folder = Path(scratch, "hello")
        shutil.copytree(HELLO, folder, ignore=shutil.ignore_patterns("__pycache__"))
        with Path(scratch, "output").open("w+b") as output:
            try:
                print(f"self-check passed: {watch_it_work(folder, output.fileno())}")
                return 0
            except Failure as failure:
                output.seek(0)
                sys.stderr.write(output.read().decode(errors="replace"))
                print(f"self-check failed: {failure}", file=sys.stderr)
                return 1


def watch_it_work(folder: Path, output: int) -> str:
    """Start, edit, see the answer change, stop, see that nothing is left; what there is to say about it."""
    until = time.monotonic() + LIMIT
    port, mark = free_port(), str(folder)
    tool = subprocess.Popen(
        autoreload(folder, port),
        env=environment(**{MARK: mark}),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )
    try:
        wait_for("the first answer", lambda: answer(port) != b"", until, tool)
        edited = time.monotonic()
        # Added, not replaced: whoever tried the demo may have written anything into the original.
        with (folder / "greeting.py").open("a") as source:
            source.write(f"\n\ndef greeting() -> str:\n    return {NEW_WORDS!r}\n")
        wait_for("the answer after the edit", lambda: NEW_WORDS.encode() in answer(port), until, tool)
        took = time.monotonic() - edited

        tool.send_signal(signal.SIGINT)
        wait_for("the end of autoreload", lambda: tool.poll() is not None, until)
        if tool.returncode != 0:
            raise Failure(f"autoreload ended with {tool.returncode} after Ctrl-C")
        if left := marked(mark):
            raise Failure(f"still running after the end: {', '.join(left.values())}")
        if answer(port):
            raise Failure(f"something still answers at port {port}")
        return f"the new answer came {took * 1000:.0f} ms after the edit, and nothing is left running"
    finally:
        # Only after a failure is there anything.
        tool.kill()
        tool.wait()
        for pid in marked(mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def wait_for(what: str, seen: Callable[[], bool], until: float, tool: subprocess.Popen[bytes] | None = None) -> None:
    """Return when `seen()`; fail at `until` (monotonic seconds), or when the `tool` that should live has ended."""
    while not seen():
        if tool is not None and tool.poll() is not None:
            raise Failure(f"autoreload ended with {tool.returncode} before {what}")
        if time.monotonic() > until:
            raise Failure(f"{what} did not come within {LIMIT:.0f} s")
        time.sleep(0.01)


def answer(port: int) -> bytes:
    """The page, or nothing: between two runs nobody listens."""
    # No proxy: one that is set for the web at large does not know this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}/", timeout=2) as page:
            return bytes(page.read())
    except (OSError, http.client.HTTPException):
        return b""


def marked(mark: str) -> dict[int, str]:
    """Processes started by the self-check, by their environment or command line: pid and what it runs."""
    found = {}
    for process in Path("/proc").iterdir():
        if not process.name.isdecimal() or int(process.name) == os.getpid():
            continue
        try:
            words = (process / "cmdline").read_bytes()
            if mark.encode() in words or f"{MARK}={mark}".encode() in (process / "environ").read_bytes().split(b"\0"):
                found[int(process.name)] = words.replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue  # ended meanwhile, or another user's
    return found


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Failure as failure:
        sys.exit(f"demo: {failure}")
