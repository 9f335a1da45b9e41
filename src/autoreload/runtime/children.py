"""Passes the runtime on to the Python programs that this one starts or becomes: reloaders, and workers that bind.

It is not left in os.environ, where the program and all that it starts would see it: it is added where a process is
made, if that process is Python.
"""

from __future__ import annotations

import _posixsubprocess
import os
import sys
from marshal import dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

_FORMAT = 2
_HEAD = 128
_WITHOUT_US = "IES"
"""Options with which Python does not look at PYTHONPATH, or not for sitecustomize."""
_TAKES_REST = "cmWX"
_INJECTED = os.fsencode(os.path.join(os.path.dirname(os.path.abspath(__file__)), "inject"))


def pass_on(told: dict[str, Any]) -> None:
    """Tell them this, from here on."""
    digits = dumps(told, _FORMAT).hex().encode()
    fork_exec: Any = _posixsubprocess.fork_exec
    execv, execve = os.execv, os.execve

    def fork(argv: Any, paths: Any, close: Any, kept: Any, folder: Any, environ: Any, *rest: Any) -> Any:
        if any(_is_ours(path, argv) for path in paths):
            entries = [b"%b=%b" % item for item in os.environb.items()] if environ is None else environ
            before = dict(entry.partition(b"=")[::2] for entry in entries)
            environ = [b"%b=%b" % item for item in _with_us(before, digits).items()]
        return fork_exec(argv, paths, close, kept, folder, environ, *rest)

    def become(path: Any, argv: Any) -> Any:
        if _is_ours(path, argv):
            execve(path, argv, _with_us(os.environb, digits))
        execv(path, argv)

    def become_with(path: Any, argv: Any, env: Any) -> Any:
        execve(path, argv, _with_us(env, digits) if _is_ours(path, argv) else env)

    _posixsubprocess.fork_exec = fork
    os.execv, os.execve = become, become_with
    for name in ("posix_spawn", "posix_spawnp"):
        setattr(os, name, _spawning(getattr(os, name), digits))


def _spawning(plain: Callable[..., int], digits: bytes) -> Callable[..., int]:
    def spawn(path: Any, argv: Any, env: Any, /, **how: Any) -> int:
        return plain(path, argv, _with_us(env, digits) if _is_ours(path, argv) else env, **how)

    spawn.__name__ = spawn.__qualname__ = plain.__name__
    return spawn


def _with_us(environ: Mapping[Any, Any], digits: bytes) -> dict[bytes, bytes]:
    """`process/injection.py` has the same for the command."""
    found = {os.fsencode(name): os.fsencode(value) for name, value in environ.items()}
    before = found.get(b"PYTHONPATH")
    kind = b"unset" if before is None else b"set" if before else b"empty"
    found[b"PYTHONPATH"] = _INJECTED + (b":" + before if before else b"")
    found[b"AUTORELOAD_RUNTIME"] = kind + b" " + digits
    return found


def _is_ours(path: Any, argv: Sequence[Any]) -> bool:
    """Is that Python, and will it let us in?"""
    try:
        path = os.fsdecode(path)
        if not (path == sys.executable or os.path.basename(path).startswith("python") or _is_script(path)):
            return False
        for word in map(os.fsdecode, argv[1:]):
            if not word.startswith("-"):
                break
            letters = word[1:]
            for position, letter in enumerate(letters):
                if letter in _TAKES_REST:
                    letters = letters[:position]
                    break
            if any(letter in _WITHOUT_US for letter in letters):
                return False
    except (TypeError, ValueError):
        return False  # whoever is called with it will say what is wrong
    return True


def _is_script(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return False
    return head.startswith(b"#!") and b"python" in head
