"""A snapshot while it is one: it waits, with all signals blocked, and ends or resumes what it was told to.

It is transparent for what is above it. A signal that a process sent to it goes down to the program (not one of the
terminal, which the program has had itself), and once one that asks it to end has passed, it ends with its child, and
as that did. So whoever started the program can go on as if there were no snapshots.
"""

from __future__ import annotations

import os
import select
from time import monotonic

from . import kernel, native, offsets, unseen
from .below import Below, is_stopped, send
from .prepared import Prepared
from .protocol import Stream, is_same_user

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from signal import (
        SIG_DFL,
        SIG_IGN,
        SIG_UNBLOCK,
        SIGCHLD,
        SIGCONT,
        SIGHUP,
        SIGINT,
        SIGKILL,
        SIGQUIT,
        SIGSTOP,
        SIGTERM,
        getsignal,
        pthread_sigmask,
        signal,
        valid_signals,
    )
    from typing import Any

    from .program import Program
else:
    from _signal import (
        SIG_DFL,
        SIG_IGN,
        SIG_UNBLOCK,
        SIGCHLD,
        SIGCONT,
        SIGHUP,
        SIGINT,
        SIGKILL,
        SIGQUIT,
        SIGSTOP,
        SIGTERM,
        getsignal,
        pthread_sigmask,
        signal,
        valid_signals,
    )

_poll = select.poll
"""Before gevent or eventlet replaced it."""
LOST_GRACE = 1.0
"""Seconds between SIGTERM and SIGKILL when the tool is gone and cannot say how long."""
_FROM_THE_KERNEL = 1
"""si_code is positive: the terminal, a timer, a child. See sigaction(2)."""
_ASK_TO_END = (SIGHUP, SIGINT, SIGQUIT, SIGTERM)


class Frozen:
    """One snapshot: `child` is what goes on as the program, or the next snapshot."""

    def __init__(
        self,
        program: Program,
        child: int,
        control: Stream,
        listener: Stream,
        up: Stream | None,
        signals: int,
        files: dict[int, str],
    ) -> None:
        """`signals`: see kernel.signal_descriptor. `files`: which are open, see offsets.named: as they were before the
        fork, for the program may have replaced them by now."""
        self._program = program
        self._below = Below(child, self._pass_down)
        self._control: Stream | None = control
        self._listener = listener
        self._up = up
        self._down: Stream | None = None
        self._ask_to_end = {int(number) for number in (*_ASK_TO_END, program.signal)}
        self._leaving = False
        self._then = ""
        """What comes when nothing is left below: `tell`, `resume`, `release` or `leave`."""
        self._token = 0
        self._told: dict[str, Any] = {}
        self._prepared = Prepared(self._below)
        self._heir = 0
        self._handlers = _ignore_all() if native.count() > 1 else {}
        self._signals = signals
        self._files = files
        self._poll = _poll()
        self._main = kernel.process_descriptor(child)
        for source in (control, listener, self._signals, self._main):
            self._poll.register(source, select.POLLIN)
        if up is not None:
            self._poll.register(up, select.POLLIN)

    @property
    def changed(self) -> Sequence[str]:
        """In a child that is prepared: the files that it is made for."""
        return self._prepared.changed

    def tell(
        self, kind: str, path: str, best: bool, age: float, line: bytes, done: tuple[list[str], list[str]], alone: bool
    ) -> None:
        """Tell the tool that this process is a snapshot now. `best`: for that file, there is no better place. `line`:
        where it listens. `done`: what was made, and what removed, since the one above it. `alone`: it has had no
        children.

        This may come late: the program has gone on, and may have become the next snapshot, or have ended.
        """
        program = self._program
        facts = {
            "pid": os.getpid(),
            "child": self._below.main,
            "depth": program.depth,
            "kind": kind,
            "path": path,
            "best": best,
            "age": age,
            "line": line,
            "above": program.lines[-1] if program.lines else b"",
            "used": program.used.files[program.sent :],
            "made": done[0],
            "removed": done[1],
            "alone": alone,
            "telling": program.telling.where(),
            "overflowed": program.used.overflowed,
            "in_progress": {begun.path: len(begun.prefix) for begun in program.in_progress},
        }
        self._say("frozen", facts)

    def until_resumed(self) -> int:
        """Be a snapshot. Returns in a child of it, each time that it is told to resume; otherwise it ends here.

        In a child that is only prepared it returns the descriptor for its gate, else -1.
        """
        due: float | None = None
        while True:
            timeout = None if due is None else max(0, int((due - monotonic()) * 1000) + 1)
            ready = {fd for fd, _ in self._poll.poll(timeout)}
            if self._signals in ready:
                for number, code in kernel.pending(self._signals):
                    if code < _FROM_THE_KERNEL and number != SIGCHLD:
                        self._relay(number)
            if self._control is not None and self._control.fileno() in ready:
                self._hear_tool()
            self._hear_lines(ready)
            empty = self._reap()
            if self._below.ending and empty and self._emptied():
                return -1
            if self._prepared.wanted and self._prepare():
                return self._prepared.gate
            due = self._below.step(monotonic())

    # -- signals -------------------------------------------------------------------------------------------------------
    def _relay(self, number: int) -> None:
        self._pass_down(number)
        if number in self._ask_to_end:
            self._leaving = True
            self._prepared.discard()
            if self._below.main and is_stopped(self._below.main):
                send(self._below.main, SIGCONT)

    def _pass_down(self, number: int) -> None:
        """By the line if the child is a snapshot: there a thread of a library might take the signal."""
        self._reap()  # the child may just have been dropped
        if (self._down is None or not self._down.send("signal", number)) and self._below.main:
            send(self._below.main, number)

    def _hear_lines(self, ready: set[int]) -> None:
        if self._listener.fileno() in ready:
            try:
                socket, _ = self._listener.socket._accept()  # type: ignore[attr-defined]
            except OSError:
                pass
            else:
                self._greet(Stream(_adopted(socket)))
        if self._down is not None and self._down.fileno() in ready and self._down.receive() is None:
            self._forget(self._down)
            self._down = None
        if self._up is not None and self._up.fileno() in ready:
            messages = self._up.receive()
            if messages is None:  # that snapshot is gone; the one above it may be there
                self._forget(self._up)
                self._up = above(self._program.lines)
                if self._up is not None:
                    self._poll.register(self._up, select.POLLIN)
            for message in messages or ():
                self._relay(message[1])

    def _greet(self, stream: Stream) -> None:
        if not is_same_user(stream.socket):
            stream.close()
            return
        self._forget(self._down)
        self._down = stream
        self._poll.register(stream, select.POLLIN)

    # -- the tool ------------------------------------------------------------------------------------------------------
    def _hear_tool(self) -> None:
        assert self._control is not None
        messages = self._control.receive()
        if messages is None:
            self._forget(self._control)
            self._control = None
            self._prepared.discard()
            self._then = "leave"
            self._below.end(SIGTERM, monotonic() + LOST_GRACE)
        for what, *values in messages or ():
            getattr(self, f"_on_{what}")(*values)

    def _say(self, *message: Any) -> None:
        if self._control is not None:
            self._control.send(*message)  # that it is gone is heard

    def _on_stop(self, token: int, number: int, grace: float, spare_group: bool) -> None:
        """End the program, and be ready to resume it."""
        self._then, self._token = "tell", token
        self._below.end(number, monotonic() + grace, spare_group)

    def _on_kill(self) -> None:
        """The grace period is over."""
        if self._below.ending:
            self._below.end(0, monotonic())

    def _on_resume(self, told: dict[str, Any]) -> None:
        """End whatever is left below, at once, and go on from here."""
        self._prepared.discard()
        path, why = self._stands_against()
        if why:
            self._say("refused", path, why)
            return
        self._then, self._told = "resume", told
        self._below.end(0, monotonic())

    def _stands_against(self) -> tuple[str, str]:
        """A file that cannot be gone on with, and why; empty: there is none."""
        for begun in self._program.in_progress:
            why = begun.renew()
            if why:
                return begun.path, why
        path = offsets.replaced(self._files)
        return path, "it was replaced while the program had it open" if path else ""

    def _on_prepare(self, told: dict[str, Any], changed: list[str]) -> None:
        """Resume already, while the old program still ends; what is resumed waits before it does anything that counts.

        Answered, like everything about it, with the number that it was asked under.
        """
        self._prepared.discard()
        path, why = self._stands_against()
        why = why or unseen.reason()
        if why or self._leaving:
            self._say("unprepared", told["number"], path, why)
        else:
            self._told = told
            self._prepared.want(changed)

    def _on_release(self, told: dict[str, Any]) -> None:
        """What is prepared is the program now: end whatever else is left below. Without one, as `resume`."""
        if not self._prepared.alive:
            self._on_resume(told)
            return
        self._then, self._told = "release", told
        self._below.end(0, monotonic())

    def _on_discard(self) -> None:
        """What is prepared is not wanted any more."""
        self._prepared.discard()

    def _on_signal(self, number: int) -> None:
        self._relay(number)

    def _on_heir(self, child: int) -> None:
        """When the child, a snapshot, is dropped, this is to be the child. Answered, so that it is known before."""
        self._heir = child
        self._say("heir", child)

    def _on_drop(self) -> None:
        """End, and leave the child to the snapshot above."""
        if self._below.main and not self._below.ending:
            self._prepared.discard()
            os._exit(0)

    # -- below ---------------------------------------------------------------------------------------------------------
    def _reap(self) -> bool:
        had = self._below.main
        empty = self._below.reap()
        if had and not self._below.main:
            self._forget_main()
            if self._heir and not self._below.ending:
                self._below.main, self._heir = self._heir, 0
                self._watch_main()
            elif not self._below.ending:
                self._say("exited", self._below.status)
        if not self._below.main and not self._below.ending and (self._leaving or self._control is None):
            _end_like(self._below.status)
        return empty

    def _emptied(self) -> bool:
        """Nothing is left below. True: this is a new child, the program."""
        self._below.ended()
        if self._then == "leave":
            _end_like(self._below.status)
        if self._then == "tell":
            self._say("emptied", self._token, len(self._below.killed))
            if self._leaving:  # it was asked to by somebody else meanwhile
                _end_like(self._below.status)
            return False
        self._forget(self._down)
        self._down = None
        is_prepared = self._then == "release" and self._prepared.alive
        child = self._prepared.pid if is_prepared else native.fork()
        if not child:
            self._thaw()
            return True
        self._below.main = child
        self._watch_main()
        self._say("resumed", child, is_prepared)
        if is_prepared:
            self._prepared.release()
        return False

    def _prepare(self) -> bool:
        """True: this is the child that is prepared."""
        if self._prepared.fork():
            self._say("prepared", self._told["number"], self._prepared.pid)
            return False
        self._forget(self._down)
        if self._main >= 0:
            self._forget_main()
        self._thaw()
        return True

    def _thaw(self) -> None:
        for stream in (self._control, self._listener, self._up):
            if stream is not None:
                stream.close()
        os.close(self._signals)
        for number, handler in self._handlers.items():
            signal(number, handler)
        self._program.learn(self._told)

    def _watch_main(self) -> None:
        try:
            self._main = kernel.process_descriptor(self._below.main)
        except OSError:  # it is not there: what was to be the child has ended meanwhile
            self._main, self._below.main = -1, 0
            self._say("exited", self._below.status)
            return
        self._poll.register(self._main, select.POLLIN)

    def _forget_main(self) -> None:
        self._poll.unregister(self._main)
        os.close(self._main)
        self._main = -1

    def _forget(self, stream: Stream | None) -> None:
        if stream is not None:
            self._poll.unregister(stream)
            stream.close()


def above(lines: list[bytes]) -> Stream | None:
    """A line to the nearest snapshot above that is still there; None: there is none."""
    for name in reversed(lines):
        try:
            return Stream.connected(name)
        except OSError:
            continue
    return None


def _adopted(descriptor: int) -> Any:
    import _socket

    return _socket.socket(fileno=descriptor)


def _ignore_all() -> dict[int, Any]:
    """Threads of libraries do not block what this one does, and would act on a signal in its stead."""
    handlers = {}
    for number in valid_signals():
        handler = getsignal(number)
        if number not in (SIGCHLD, SIGKILL, SIGSTOP) and handler is not None:
            handlers[int(number)] = handler
            signal(number, SIG_IGN)
    return handlers


def _end_like(status: int) -> None:
    """End as the program did. Does not return."""
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        kernel.leave_no_core()
        if -code not in (SIGKILL, SIGSTOP):
            signal(-code, SIG_DFL)
            pthread_sigmask(SIG_UNBLOCK, (-code,))
        os.kill(os.getpid(), -code)
        os._exit(128 - code)
    os._exit(code)
