"""The program that this one executes in its own place: `poetry run`, or a server that starts itself anew.

It is the same process, below the same snapshots, and they go on serving: resumed, they execute it once more. So it is
let in as the first program was, and what it adds to the chain follows on what is there.
"""

from __future__ import annotations

import os
import posix
from errno import E2BIG
from time import monotonic

from .builtin import stand_in
from .kernel import faults_of_children
from .protocol import VARIABLE, injected, is_let_in, passed_on
from .used import now

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .program import Program

_LARGEST = 100_000
"""Bytes in a variable of the environment; the kernel takes 128 KiB (execve(2))."""


def watch(program: Program) -> None:
    """From now on let in what this process executes with os.exec*."""
    execv, execve = os.execv, os.execve

    def instead_of_execv(*arguments: Any, **named: Any) -> Any:
        before = os.environb.get(b"PYTHONPATH")
        more = _injected(program, before)
        try:
            for name, value in more.items():
                posix.putenv(name, value)
            is_let_in[0] = bool(more)
            return execv(*arguments, **named)
        except OSError as error:
            if error.errno != E2BIG:
                raise
        finally:
            is_let_in[0] = False
            if more:
                posix.unsetenv(VARIABLE)
                posix.unsetenv(b"PYTHONPATH") if before is None else posix.putenv(b"PYTHONPATH", before)
        return execv(*arguments, **named)

    def instead_of_execve(*arguments: Any, **named: Any) -> Any:
        environ: Any = arguments[2] if len(arguments) == 3 else named.get("env")
        try:
            plain = {os.fsencode(name): os.fsencode(environ[name]) for name in environ}
        except Exception:
            return execve(*arguments, **named)  # which says what is wrong with it
        more = _injected(program, plain.get(b"PYTHONPATH"))
        if more:
            try:
                return execve(*arguments[:2], **{**named, "env": {**plain, **more}})
            except OSError as error:
                if error.errno != E2BIG:
                    raise
        return execve(*arguments, **named)

    os.execv = stand_in(execv, instead_of_execv)
    replacement = stand_in(execve, instead_of_execve)
    if os.execve in os.supports_fd:
        os.supports_fd.add(replacement)
    os.execve = replacement


def _injected(program: Program, before: bytes | None) -> dict[bytes, bytes]:
    """What the successor needs in its environment, where PYTHONPATH is `before`; nothing: it is not to be let in."""
    try:
        if os.getpid() != program.pid:
            return {}
        more = injected(before, {**passed_on, "guard": os.getppid(), "warm": _told(program)})
    except Exception:
        return {}
    return more if all(len(value) <= _LARGEST for value in more.values()) else {}


def _told(program: Program) -> dict[str, Any]:
    program.used.collect(())
    folders: dict[str, list[str]] = {}
    used = [path for path, _ in program.used.files[program.sent :]]
    for path in [*used, *(begun.path for begun in program.in_progress)]:
        folder, _, name = path.rpartition("/")
        folders.setdefault(folder, []).append(name)
    made = program.used.made()
    removed = program.used.removed()
    for path in made:  # it may fail to be executed
        program.used.make(path)
    for path in removed:
        program.used.remove(path)
    return {
        **program.terms,
        "hot": program.hot,
        "strict": True,
        "before": {
            "faults": faults_of_children(),
            "alone": program.was_alone(),
            "depth": program.depth,
            "lines": program.lines,
            "age": monotonic() - program.began,
            "since": now() - int((monotonic() - program.began) * 1e9),
            "used": folders,
            "made": made,
            "removed": removed,
            "overflowed": program.used.overflowed,
        },
    }


def take_over(program: Program, before: Mapping[str, Any]) -> None:
    """In the successor: go on where the program before it, in the same process, was."""
    program.depth, program.lines = before["depth"], list(before["lines"])
    program.began -= before["age"]
    program.used.overflowed, program.alone_before = before["overflowed"], before["alone"]
    for path in before["made"]:
        program.used.make(path)
    for path in before["removed"]:
        program.used.remove(path)
    for folder, names in before["used"].items():
        for name in names:
            program.used.add(f"{folder}/{name}", before["since"])
