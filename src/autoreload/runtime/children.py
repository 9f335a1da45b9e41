"""Passes the runtime on to the Python programs that this one starts or becomes: reloaders, and workers that bind.

It is not left in os.environ, where the program and all that it starts would see it: it is added where a process is
made, if that process is Python.
"""

from __future__ import annotations

import _posixsubprocess
import os
import sys

from .protocol import VARIABLE, injected, is_let_in, passed_on

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_HEAD = 128
_WITHOUT_US = "IES"
"""Options with which Python does not look at PYTHONPATH, or not for sitecustomize."""
_TAKES_REST = "cmWX"


def pass_on(told: dict[str, Any]) -> None:
    """Tell them this, from here on."""
    passed_on.update(told)
    fork_exec: Any = _posixsubprocess.fork_exec
    execv, execve = os.execv, os.execve

    def fork(argv: Any, paths: Any, close: Any, kept: Any, folder: Any, environ: Any, *rest: Any) -> Any:
        if any(_is_ours(path, argv) for path in paths):
            before = None if environ is None else dict(entry.partition(b"=")[::2] for entry in environ)
            environ = [b"%b=%b" % item for item in _with_us(before, told).items()]
        return fork_exec(argv, paths, close, kept, folder, environ, *rest)

    def become(path: Any, argv: Any, /) -> Any:
        if _is_ours(path, argv) and not is_let_in[0]:
            execve(path, argv, _with_us(os.environb, told))
        execv(path, argv)

    def become_with(path: Any, argv: Any, env: Any) -> Any:
        execve(path, argv, _with_us(env, told) if _is_ours(path, argv) else env)

    def spawn(path: Any, argv: Any, env: Any, /, **how: Any) -> int:
        return posix_spawn(path, argv, _with_us(env, told) if _is_ours(path, argv) else env, **how)

    try:
        from .builtin import stand_in
    except ImportError:  # no _ctypes
        return
    _posixsubprocess.fork_exec = stand_in(fork_exec, fork)
    posix_spawn = os.posix_spawn
    os.execv, os.posix_spawn = stand_in(execv, become), stand_in(posix_spawn, spawn)
    replacement = stand_in(execve, become_with)
    if execve in os.supports_fd:
        os.supports_fd.add(replacement)
    os.execve = replacement


def _with_us(environ: Any, told: dict[str, Any]) -> Any:
    """`environ`: as the function takes it; None: that of this process (posix_spawn, since 3.13). What makes no sense is
    left to the function, which says so."""
    try:
        found = {os.fsencode(name): os.fsencode(environ[name]) for name in environ} if environ is not None else None
        before = dict(os.environb) if found is None else found
        return before if VARIABLE in before else {**before, **injected(before.get(b"PYTHONPATH"), told)}
    except Exception:
        return environ


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
