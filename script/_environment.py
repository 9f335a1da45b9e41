"""Make a virtual environment that holds autoreload and the given dependency groups, unless it does already.

Called by `_environment.sh` with any Python that is new enough: the standard library only.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import tomllib
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
INSTALLED = ("build-system", "project", "dependency-groups")
"""What in pyproject.toml an environment depends on: other settings change without a new one."""


def main(directory: Path, groups: list[str]) -> int:
    """Exit code 0 once `directory` is ready."""
    # Two runs at once must not make the same environment. A lock on a folder leaves no file behind.
    lock = os.open(ROOT / "script", os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return make(directory, groups)
    except (OSError, subprocess.CalledProcessError) as error:
        return failed(f"cannot make {directory}: {error}")
    finally:
        os.close(lock)


def make(directory: Path, groups: list[str]) -> int:
    """Create what is missing, and only that: a second run needs no network."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    digest = hashlib.sha256(repr([pyproject[table] for table in INSTALLED]).encode()).hexdigest()
    usable = is_usable(directory)
    stamps = [directory / f".ready-{group}" for group in groups or ["package"]]
    if usable and all(stamp.exists() and stamp.read_text() == digest for stamp in stamps):
        return 0

    print(f"Setting up {directory.name} ({'again' if usable else 'once'}, this takes a moment)", file=sys.stderr)
    if not usable:
        venv.create(directory, clear=True, symlinks=True, with_pip=True)
        made_in(directory).write_text(str(directory))
    table = pyproject["dependency-groups"]
    wanted = sorted({requirement for group in groups for requirement in requirements(table, group)})
    pip = [str(directory / "bin" / "python"), "-I", "-m", "pip", "--quiet", "--quiet", "--disable-pip-version-check"]
    # A user-wide `user = true` would be an error in an environment.
    installed = subprocess.run(
        [*pip, "install", "--no-input", "--editable", str(ROOT), *wanted],
        env=os.environ | {"PIP_USER": "0"},
        stdin=subprocess.DEVNULL,
    )
    if installed.returncode:
        return failed(f"pip could not install {', '.join(['autoreload', *wanted])}; is the package index reachable?")
    for stamp in stamps:
        stamp.write_text(digest)
    return 0


def is_usable(directory: Path) -> bool:
    """Whether it works where it is: one that was moved, half made, or whose Python was removed does not."""
    python, note = directory / "bin" / "python", made_in(directory)
    if not python.exists() or (note.exists() and note.read_text() != str(directory)):
        return False
    return subprocess.run([python, "-I", "-c", "import pip"], capture_output=True).returncode == 0


def made_in(directory: Path) -> Path:
    """Where it is noted which path the environment was made for: its scripts name that path."""
    return directory / ".made-in"


def requirements(table: dict[str, list[Any]], group: str) -> list[str]:
    """What a dependency group asks for, included groups too (pip knows of groups only since 25.1)."""
    found: list[str] = []
    for entry in table[group]:
        found += [entry] if isinstance(entry, str) else requirements(table, entry["include-group"])
    return found


def failed(what: str) -> int:
    """Say what went wrong in one line."""
    print(f"{Path(__file__).stem.strip('_')}: {what}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
