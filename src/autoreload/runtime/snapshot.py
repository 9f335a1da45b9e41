"""Taking a snapshot: the process forks, and the *child* goes on as the program; the parent freezes.

All descriptors of ours are opened before the fork and closed in the child at once: the program never has one. What can
fail fails before the fork, and then nothing has happened.
"""

from __future__ import annotations

import _socket
import os
import sys
from _frozen_importlib_external import PathFinder
from time import monotonic

from . import kernel, native
from .frozen import Frozen, above
from .kept import Kept
from .protocol import Stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from signal import SIG_BLOCK, SIG_SETMASK, SIGKILL, SIGSTOP, pthread_sigmask, valid_signals

    from .program import Program
else:
    from _signal import SIG_BLOCK, SIG_SETMASK, SIGKILL, SIGSTOP, pthread_sigmask, valid_signals

_LINES = b"\0autoreload-line-"
"""Abstract addresses, see unix(7): no file is left behind."""
_EVERY = {int(signal) for signal in valid_signals()} - {SIGKILL, SIGSTOP}


def take(program: Program, kind: str, path: str, best: bool) -> str:
    """Take a snapshot; returns in the child. Why there is none, if it cannot be taken; empty: this is the program."""
    program.used.folders()
    program.used.collect({begun.path for begun in program.in_progress})
    mask = pthread_sigmask(SIG_BLOCK, _EVERY)
    try:
        return _take(program, kind, path, best)
    finally:
        pthread_sigmask(SIG_SETMASK, mask)


def _take(program: Program, kind: str, path: str, best: bool) -> str:
    line = _LINES + os.urandom(12).hex().encode()
    opened: list[Stream] = []
    signals = spare = gate = -1
    changed: Sequence[str] = ()
    subreaper = False
    try:
        control = Stream.connected(program.address)
        opened.append(control)
        listener = Stream(_listening(line))
        opened.append(listener)
        up = above(program.lines)
        opened += [up] if up is not None else []
        signals = kernel.signal_descriptor()
        spare = os.dup(signals)  # for what can be opened only after the fork
        kept = Kept()
        made, removed = program.used.made(), program.used.removed()
        age = monotonic() - program.began
        alone = program.was_alone()
        kernel.inherit_orphans(True)
        subreaper = True
        child = native.fork()
    except OSError as error:
        if subreaper:
            kernel.inherit_orphans(False)
        _close(opened, signals, spare)
        return f"it cannot be forked ({error.strerror})"
    if child:
        try:
            kept.freeze()
            os.close(spare)
            frozen = Frozen(program, child, control, listener, up, signals, kept.files)
            frozen.tell(kind, path, best, age, line, (made, removed), alone)
            gate = frozen.until_resumed()  # returns in a new child
        except BaseException:
            os._exit(1)  # it must never go on as a second program
        program.resumed += 1
        program.used.resumed()
        changed = frozen.changed
    else:
        _close(opened, signals, spare)
    program.lines = [*program.lines, line]
    program.sent = len(program.used.files)
    program.depth += 1
    program.began = monotonic() - age
    program.forked()
    kept.give_back()
    if program.resumed:
        _forget_listings()
    if gate >= 0:
        from .gate import Gate

        program.gate = Gate(program, gate, changed)
    return ""


def _forget_listings() -> None:
    """As importlib.invalidate_caches(); but where the program has not imported importlib.metadata, that would."""
    for finder in sys.meta_path:
        if finder is not PathFinder:
            getattr(finder, "invalidate_caches", _nothing)()
    for name, entry in list(sys.path_importer_cache.items()):
        if entry is None or not name.startswith("/"):
            del sys.path_importer_cache[name]
        else:
            getattr(entry, "invalidate_caches", _nothing)()
    metadata = getattr(sys.modules.get("importlib.metadata"), "MetadataPathFinder", None)
    forget = getattr(metadata, "invalidate_caches", None)
    if forget is not None:
        forget(*([] if hasattr(forget, "__self__") else [metadata]))  # no class method before 3.13


def _nothing() -> None:
    pass


def _close(streams: list[Stream], *descriptors: int) -> None:
    for stream in streams:
        stream.close()
    for descriptor in descriptors:
        if descriptor >= 0:
            os.close(descriptor)


def _listening(address: bytes) -> _socket.socket:
    flags = _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC | _socket.SOCK_NONBLOCK
    socket = _socket.socket(_socket.AF_UNIX, flags)
    try:
        socket.bind(address)
        socket.listen(4)
    except OSError:
        socket.close()
        raise
    return socket
