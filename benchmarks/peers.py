"""Gets the tools: autoreload and the Python peers into an environment of our own, nodemon beside it, entr from the
system. What cannot be had is named, and left out of the tables."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / "benchmarks"
CACHE = HERE / ".peers"
VENV = CACHE / "venv"
BIN = VENV / "bin"
PYTHON = BIN / "python"
PYTHON_PEERS = ("watchfiles", "watchdog[watchmedo]", "uvicorn", "hupper", "pywatchman")
NODEMON = CACHE / "node_modules" / ".bin" / "nodemon"
APPLICATIONS = CACHE / "applications"
APPLICATION_PACKAGES = (
    *("django", "djangorestframework", "fastapi", "flask", "jurigged", "pandas", "sqlalchemy", "uvicorn", "wagtail"),
    *("watchfiles", "watchdog<7"),  # where watchdog 7.1 is there, flask's reloader does not notice changes
)
SERVERS = CACHE / "servers"
SERVER_PACKAGES = (
    *("gunicorn", "uvicorn", "hypercorn", "granian", "waitress", "flask", "django", "tornado", "aiohttp"),
    *("hupper", "watchfiles", "watchdog<7"),  # as above
)
CHILD = CACHE / "child"
FLOOR = CACHE / "floor"
INSTALL_LIMIT = 600
_HIDING = re.compile(r"PYTHON|VIRTUAL_ENV|AUTORELOAD|NODE_|NODEMON|NO_COLOR|FORCE_COLOR")


def environment() -> dict[str, str]:
    """What every tool is started with: nothing that changes how Python or Node start."""
    kept = {name: value for name, value in os.environ.items() if not _HIDING.match(name)}
    return kept | {"NO_UPDATE_NOTIFIER": "1"}


def prepare() -> list[str]:
    """Install what is not there yet. Returns what could not be had, as sentences."""
    CACHE.mkdir(exist_ok=True)
    if not PYTHON.exists():
        _call(sys.executable, "-m", "venv", str(VENV))
    problems = [problem for problem in (install(*PYTHON_PEERS), _nodemon()) if problem]
    for program in ("entr", "inotifywait", "watchman"):
        if not shutil.which(program):
            problems.append(f"{program} is left out: it is not on PATH.")
    _install_autoreload()
    compiler = shutil.which("gcc") or shutil.which("cc")
    if not compiler:
        problems.append("The floor is left out, and the command is a Python program: there is no C compiler.")
        for old in (CHILD, FLOOR):
            old.unlink(missing_ok=True)
    else:
        for target in (CHILD, FLOOR):
            _compile(compiler, HERE / f"{target.name}.c", target)
    return problems


def prepare_applications() -> list[str]:
    """The applications of the question warm, and the tools that run inside them, in the newest Python that is found:
    uvicorn-hmr needs 3.12. Returns what could not be had, as sentences."""
    if not (APPLICATIONS / "bin" / "wagtail").exists():
        _call(_newest_python(), "-m", "venv", "--clear", str(APPLICATIONS))
        if not _pip(*APPLICATION_PACKAGES, python=APPLICATIONS / "bin" / "python"):
            raise SystemExit("benchmarks: pip could not install the applications")
        _pip("uvicorn-hmr", python=APPLICATIONS / "bin" / "python")
    hmr = APPLICATIONS / "bin" / "uvicorn-hmr"
    return [] if hmr.exists() else ["uvicorn-hmr is left out: pip could not install it (it needs Python 3.12)."]


def prepare_servers() -> str:
    """The servers of the question http, and the tools that run inside them, in an environment of their own. Returns
    what was installed, as words."""
    python = SERVERS / "bin" / "python"
    if not (SERVERS / "bin" / "hupper").exists():
        _call(_newest_python(), "-m", "venv", "--clear", str(SERVERS))
        if not _pip(*SERVER_PACKAGES, python=python):
            raise SystemExit("benchmarks: pip could not install the servers")
    found = output(str(python), "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check").split()
    names = {re.split("[<>=]", package)[0] for package in SERVER_PACKAGES} | {"werkzeug"}
    named = [word.replace("==", " ") for word in found if word.partition("==")[0].lower() in names]
    return ", ".join([output(str(python), "--version").strip(), *named])


def _newest_python() -> str:
    """The newest that the runtime of --warm knows and that can make environments."""
    places = [*os.environ.get("PATH", "").split(":"), *map(str, Path.home().glob(".pyenv/versions/*/bin"))]
    for name in ("python3.13", "python3.12"):
        for place in places:
            program = Path(place, name)
            if program.exists() and _call(str(program), "-c", "import ensurepip, venv", check=False):
                return str(program)
    return sys.executable


def child(fifo: Path, *files: Path) -> list[str]:
    """The command that is restarted: see child.c."""
    words = [str(fifo), *map(str, files)]
    return [str(CHILD), *words] if CHILD.exists() else [str(PYTHON), "-S", "-E", str(HERE / "child.py"), *words]


def versions() -> list[str]:
    """What was measured, as `name version`."""
    found = [f"Python {platform.python_version()}"]
    found += output(str(PYTHON), "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check").split()
    shown = [found[0]]
    shown += [
        word.replace("==", " ")
        for word in found[1:]
        if re.match(r"(autoreload|watchfiles|watchdog|uvicorn|hupper)\b", word, re.IGNORECASE)
    ]
    if NODEMON.exists():
        shown.append(f"nodemon {output(str(NODEMON), '--version').strip()}")
        shown.append(f"Node.js {output('node', '--version').strip().lstrip('v')}")
    if shutil.which("entr") and (match := re.search(r"release: (\S+)", output("entr", "-?"))):
        shown.append(f"entr {match[1]}")
    if shutil.which("inotifywait") and (match := re.search(r"inotifywait (\S+)", output("inotifywait", "--help"))):
        shown.append(f"inotify-tools {match[1]}")
    if shutil.which("watchman"):
        shown.append(f"watchman {output('watchman', '--version').strip()}")
    return shown


def install(*packages: str) -> str:
    """Have these in our environment. Returns what is wrong if they cannot be had."""
    names = [name.partition("[")[0] for name in packages]
    if all(any(VENV.glob(f"lib/python*/site-packages/{name}-*.dist-info")) for name in names):
        return ""
    return "" if _pip(*packages) else f"{' and '.join(names)} are left out: pip could not install them."


def _nodemon() -> str:
    if NODEMON.exists():
        return ""
    if not shutil.which("npm"):
        return "nodemon is left out: npm is not on PATH."
    command = ("npm", "install", "--no-audit", "--no-fund", "--prefix", str(CACHE), "nodemon")
    return "" if _call(*command, check=False) else "nodemon is left out: npm could not install it."


def _install_autoreload() -> None:
    """As a user has it: not editable, its bytecode compiled. Again only if the sources differ."""
    digest = hashlib.sha256()
    for path in sorted([ROOT / "pyproject.toml", *(ROOT / "src").rglob("*.py")]):
        digest.update(str(path).encode() + b"\0" + path.read_bytes())
    stamp = CACHE / "autoreload.sha256"
    if stamp.exists() and stamp.read_text() == digest.hexdigest():
        return
    if not _pip("--force-reinstall", "--no-deps", str(ROOT)) or not _pip("pathspec>=0.12,<2"):
        raise SystemExit("benchmarks: pip could not install autoreload from this checkout")
    stamp.write_text(digest.hexdigest())


def _pip(*words: str, python: Path = PYTHON) -> bool:
    common = ("-m", "pip", "install", "--quiet", "--quiet", "--disable-pip-version-check", "--compile")
    return _call(str(python), *common, *words, check=False)


def _compile(compiler: str, source: Path, target: Path) -> None:
    if target.exists() and target.stat().st_mtime > source.stat().st_mtime:
        return
    # Static where that is possible: nothing runs before its first instruction then.
    if not _call(compiler, "-O1", "-static", "-o", str(target), str(source), check=False):
        _call(compiler, "-O1", "-o", str(target), str(source))


def _call(*command: str, check: bool = True) -> bool:
    # Installers keep their settings: a proxy, a certificate.
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=INSTALL_LIMIT, check=False)
    if check and done.returncode:
        raise SystemExit(f"benchmarks: {command} failed:\n{done.stderr.decode(errors='replace')[-2000:]}")
    return done.returncode == 0


def output(*command: str) -> str:
    """All that it says."""
    done = subprocess.run(
        command, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + done.stderr
