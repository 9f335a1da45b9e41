"""Plays the tool and the guard for one program: starts it with the runtime, hears its snapshots, resumes them."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from glob import glob
from marshal import dumps, loads
from pathlib import Path
from typing import Any

from autoreload.linux.prctl import become_subreaper
from autoreload.runtime.protocol import Decoder, encode
from tests.support import end_all, eventually, survivors

RUNTIME = Path(__file__).parents[2] / "src" / "autoreload" / "runtime"
INJECTED = str(RUNTIME / "inject")
WITHIN = 15.0


def interpreters() -> list[str]:
    """The oldest supported version that is there, and that of the tests; each with AUTORELOAD_ALL_PYTHONS=1."""
    found = {sys.version_info[:2]: sys.executable}
    for version in range(9, 15):
        places = [f"{folder}/python3.{version}" for folder in os.environ.get("PATH", "").split(":")]
        places += glob(os.path.expanduser(f"~/.pyenv/versions/3.{version}.*/bin/python3.{version}"))
        for place in places:
            if (3, version) not in found and os.access(place, os.X_OK) and "/shims/" not in place:
                found[3, version] = place
    if os.environ.get("AUTORELOAD_ALL_PYTHONS") == "1":
        return [found[version] for version in sorted(found)]
    return [found[version] for version in sorted({min(found), sys.version_info[:2]})]


class Snapshot:
    """One that has told of itself."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.decoder = Decoder()
        self.messages: list[tuple[Any, ...]] = []
        self.facts: dict[str, Any] = {}
        self.gone = False

    def send(self, *message: Any) -> None:
        """Ask for something."""
        self.socket.sendall(encode(message))


class Stage:
    """One program in a folder."""

    def __init__(self, folder: Path, mark: str) -> None:
        self.folder = folder
        self.mark = mark
        self.told: dict[str, Any] = {}
        self.snapshots: list[Snapshot] = []
        self.notes: list[tuple[Any, ...]] = []
        self._address = f"\0stage-{os.getpid()}-{time.monotonic_ns()}".encode()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._listener.bind(self._address)
        self._listener.listen(64)
        self._notes = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._notes.bind(self._address + b".notes")
        self.process: subprocess.Popen[bytes]
        self.output = folder.parent / "output"
        self._forgotten = 0

    def write(self, name: str, text: str) -> Path:
        """A file of the program. Cached bytecode of what it was is removed, as autoreload does before each start."""
        path = self.folder / name
        for cached in path.parent.glob(f"__pycache__/{path.stem}.*"):
            cached.unlink()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def deaf(self) -> None:
        """Nobody is there who could be told of a snapshot."""
        self._listener.close()
        self._notes.close()

    def settings(
        self, hot: Mapping[str, int] | None = None, strict: bool = False, user: int | None = None
    ) -> dict[str, Any]:
        """What the tool tells the program."""
        named = {str(self.folder / name): place for name, place in (hot or {}).items()}
        return {
            "address": self._address,
            "signal": int(signal.SIGTERM),
            "strict": strict,
            "user": os.geteuid() if user is None else user,
            "spacing": 0.15,
            "hot": named,
            "roots": [str(self.folder)],
        }

    def start(
        self,
        *words: str,
        python: str = sys.executable,
        hot: Mapping[str, int] | None = None,
        environ: Mapping[str, str] | None = None,
        kind: str = "unset",
        strict: bool = False,
        user: int | None = None,
        **popen: Any,
    ) -> None:
        """Start the program. `kind`: what PYTHONPATH was before."""
        told = dumps({"guard": os.getpid(), "warm": self.settings(hot, strict, user)}, 2).hex()
        merged = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
            "PYTHONPATH": INJECTED,
            "AUTORELOAD_RUNTIME": f"{kind} {told}",
            "MARK": self.mark,
            **(environ or {}),
        }
        with open(self.output, "ab") as output:
            self.process = subprocess.Popen(
                [python, *words], cwd=self.folder, env=merged, stdout=output, stderr=output, **popen
            )

    # -- what it does --------------------------------------------------------------------------------------------------
    def hear(self, seconds: float = 0.0) -> None:
        """Read what has come."""
        own = [source for source in (self._listener, self._notes) if source.fileno() >= 0]
        sources = [*own, *(s.socket for s in self.snapshots if not s.gone)]
        for source in select.select(sources, [], [], seconds)[0]:
            if source is self._listener:
                self.snapshots.append(Snapshot(self._listener.accept()[0]))
            elif source is self._notes:
                self.notes.append(loads(self._notes.recv(1 << 16)))
            else:
                snapshot = next(s for s in self.snapshots if s.socket is source)
                try:
                    data = source.recv(1 << 20)
                except ConnectionResetError:
                    data = b""
                snapshot.gone = not data
                for message in snapshot.decoder.feed(data):
                    if message[0] == "frozen":
                        snapshot.facts = message[1]
                    else:
                        snapshot.messages.append(message)

    def chain(self) -> list[Snapshot]:
        """The snapshots that are alive, the first one first."""
        alive = [snapshot for snapshot in self.snapshots if snapshot.facts and not snapshot.gone]
        return sorted(alive, key=lambda snapshot: int(snapshot.facts["depth"]))

    def last_words(self) -> list[str]:
        """The lines that it has written."""
        try:
            return self.output.read_text()[self._forgotten :].splitlines()
        except FileNotFoundError:
            return []

    def forget_output(self) -> None:
        """From now on, only what it writes from now on."""
        self._forgotten = len(self.output.read_text())

    def wait_for(self, line: str, times: int = 1) -> None:
        """Until it has written that line so often."""

        def written() -> bool:
            self.hear()
            return self.last_words().count(line) >= times

        try:
            eventually(written, WITHIN)
        except AssertionError:
            raise AssertionError(f"{times} times {line!r} in {self.last_words()}") from None

    def wait_for_lines(self, number: int) -> list[str]:
        """Until it has written so many."""

        def written() -> bool:
            self.hear()
            return len(self.last_words()) >= number

        eventually(written, WITHIN, f"{number} lines")
        return self.last_words()

    def answer(self, snapshot: Snapshot, what: str) -> tuple[Any, ...]:
        """Wait for a message of that kind, and take it."""

        def there() -> tuple[Any, ...] | None:
            self.hear()
            return next((message for message in snapshot.messages if message[0] == what), None)

        found = eventually(there, WITHIN, f"{what} among {snapshot.messages}")
        snapshot.messages.remove(found)
        return found

    def wait_for_snapshots(self, number: int) -> list[Snapshot]:
        """Until there are so many."""

        def there() -> bool:
            self.hear()
            return len(self.chain()) >= number

        eventually(there, WITHIN, f"{number} snapshots: {self.notes} {self.last_words()}")
        return self.chain()

    def stop(self, number: int = signal.SIGTERM, grace: float = 5.0) -> tuple[Any, ...]:
        """Have the last snapshot end the program."""
        last = self.chain()[-1]
        last.send("stop", 1, int(number), grace, False)
        return self.answer(last, "emptied")

    def ended(self) -> int:
        """Wait until the program has ended by itself: its exit code, as its snapshot tells it."""

        def there() -> tuple[Any, ...] | None:
            self.hear()
            told = [message for snapshot in self.chain()[-1:] for message in snapshot.messages]
            return next((message for message in told if message[0] == "exited"), None)

        found = eventually(there, WITHIN, f"an end after {self.last_words()}")
        self.chain()[-1].messages.remove(found)
        return os.waitstatus_to_exitcode(found[1])

    def resume(self, snapshot: Snapshot, hot: Mapping[str, int] | None = None) -> int:
        """Go on from that snapshot, after a stop: the pid of the program."""
        snapshot.send("resume", self.settings(hot))
        return int(self.answer(snapshot, "resumed")[1])

    def before(self, name: str) -> Snapshot:
        """The snapshot that was taken before that file was used, or at a point in it."""
        path = str(self.folder / name)
        return next(snapshot for snapshot in self.chain() if snapshot.facts["path"] == path)

    def last_without(self, name: str) -> Snapshot:
        """The last snapshot that has not used that file: nor has any above it."""
        path = str(self.folder / name)
        found = self.chain()
        used = [path in {used for used, _ in snapshot.facts["used"]} for snapshot in found]
        return found[: used.index(True) if True in used else None][-1]

    def abandon(self) -> None:
        """Let this program end, and all its snapshots."""
        for snapshot in self.snapshots:
            snapshot.socket.close()
        self.snapshots.clear()
        self.process.wait()

    def close(self) -> None:
        """End everything."""
        for snapshot in self.snapshots:
            snapshot.socket.close()
        self._listener.close()
        self._notes.close()
        end_all(self.mark)
        self.process.wait()

    def nothing_left(self) -> None:
        """Nobody of the program is there any more."""
        eventually(lambda: not survivors(self.mark), WITHIN, "an empty tree")


@contextmanager
def stage(folder: Path, mark: str) -> Iterator[Stage]:
    """A stage in that folder."""
    become_subreaper()
    folder.mkdir(exist_ok=True)
    it = Stage(folder, mark)
    try:
        yield it
    finally:
        it.close()


def cold(
    folder: Path, words: Sequence[str], python: str = sys.executable, environ: Mapping[str, str] | None = None
) -> list[str]:
    """What the same program writes without us."""
    if environ is None:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run([python, *words], cwd=folder, env=environ, capture_output=True, text=True, timeout=60)
    return (done.stdout + done.stderr).splitlines()
