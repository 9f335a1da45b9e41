"""Everything that a person reads: one line for what was done and why, on standard error.

Writing never blocks the loop nor ends it: a line that cannot be written now (a full pipe, a stopped terminal, a reader
that is gone) is dropped, and their number is told with the next line that can.
"""

from __future__ import annotations

import errno
import os
import select
from collections.abc import Mapping, Sequence
from enum import IntEnum
from signal import SIGINT

from autoreload.core.change import Kind
from autoreload.core.lifecycle import Cause, State


class Level(IntEnum):
    """What a line is for; those above the level asked for are left out."""

    ATTENTION = 0
    ROUTINE = 1
    DETAIL = 2


CLEAR = "\x1b[H\x1b[2J\x1b[3J"
LARGEST_WRITE = select.PIPE_BUF
"""A pipe that is ready takes as many bytes without blocking (pipe(7))."""
_STYLES = {Level.ATTENTION: "\x1b[1;33m", Level.ROUTINE: "\x1b[1;36m", Level.DETAIL: "\x1b[2m"}
_RESET = "\x1b[0m"
_DEEDS = {Kind.VANISHED: " (deleted)"}


class Report:
    """Writes lines to a descriptor, without ever raising or blocking."""

    def __init__(self, fd: int, level: Level, environ: Mapping[str, str], base: str) -> None:
        """`base`: paths below it are shown relative to it."""
        self._fd = fd
        self._level = level
        self._base = base.rstrip("/") + "/"
        self._dropped = 0
        self._broken: dict[str, str] = {}
        """What was told of files that do not compile."""
        self._has_no_snapshots = False
        """Has it been said that all restarts are cold?"""
        self._is_terminal = os.isatty(fd) and environ.get("TERM", "dumb") != "dumb"
        self._colours = (self._is_terminal and not environ.get("NO_COLOR")) or bool(environ.get("FORCE_COLOR"))

    @classmethod
    def for_level(cls, quiet: bool, verbose: bool, environ: Mapping[str, str], base: str) -> Report:
        """The report on standard error, with as many lines as were asked for."""
        return cls(2, Level.ATTENTION if quiet else Level.DETAIL if verbose else Level.ROUTINE, environ, base)

    # -- lines ---------------------------------------------------------------------------------------------------------
    def monitoring(self, root: str, what: str, postponed: bool) -> None:
        """The first line. `what`: the endings that matter."""
        first = "the command starts at the first change; " if postponed else ""
        self._line(Level.ROUTINE, f"Start monitoring {printable(root)} ({what}; {first}type Ctrl-C to exit)")

    def listening(self, addresses: Sequence[str], forked: bool) -> None:
        """The sockets that the command is passed. `forked`: perhaps not to the process that takes them."""
        self._line(Level.ROUTINE, f"Listening on {printable(', '.join(addresses))}")
        if forked:
            self._line(
                Level.ATTENTION,
                "LISTEN_PID is that of the program which starts the server here: if the server does not take the "
                "sockets, write `exec` before it, or run it directly",
            )

    def ready(self, seconds: float) -> None:
        """The command serves."""
        self._line(Level.ROUTINE, f"Ready in {_seconds(seconds)}")

    def old_goes_on(self) -> None:
        """The new command has ended beside the old one."""
        self._line(Level.ATTENTION, "The old process goes on running")

    def restart(self, cause: Cause, burst: Mapping[str, Kind], first: bool = False) -> None:
        """The command is started again, or (`--postpone`) for the first time."""
        self._broken = {}
        if burst:
            files = self._files(burst)
            if first:
                self._line(Level.ROUTINE, f"Modification detected, start process: {files}")
            else:
                self._line(Level.ROUTINE, f"Modification detected, restart process: {files}")
        elif cause is Cause.EXIT:
            self._line(Level.ROUTINE, "Restart process (--on-exit restart)")
        elif cause is Cause.GUARD:
            self._line(Level.ATTENTION, "The process that guards the command was killed, restart process")

    def how(
        self,
        warm: bool,
        what: str,
        path: str,
        seconds: float,
        lasting: bool,
        was_prepared: bool,
        nearer: str,
        nearer_path: str,
        explain: bool,
    ) -> None:
        """How the restart is made; all but `explain` as in `events.Restarted`."""
        name = self._shown(path)
        if warm:
            place = f"{what} {name}" if path else "the start of the program"
            how = "prepared while the old process ended, released" if was_prepared else "resumed"
            why = f"; {nearer.replace('{}', self._shown(nearer_path))}" if nearer else ""
            level = Level.ATTENTION if nearer and explain else Level.DETAIL
            self._line(level, f"Warm restart from {place}, {how} in {_seconds(seconds)}{why}")
        else:
            is_news = lasting and not self._has_no_snapshots
            self._has_no_snapshots |= lasting
            level = Level.ATTENTION if explain else Level.ROUTINE if is_news else Level.DETAIL
            self._line(level, f"Cold restart: {what.replace('{}', name)}")

    def unprepared(self, why: str, path: str, explain: bool) -> None:
        """The old process ends slowly, and nothing of the new one is done meanwhile."""
        reason = f"{self._shown(path)}: {why}" if path else why
        self._line(Level.ATTENTION if explain else Level.DETAIL, f"Nothing is prepared meanwhile: {reason}")

    def not_up(self, seconds: float) -> None:
        """A resumed program is stuck."""
        waited = f"in {_seconds(seconds)} (it waits for a lock)"
        self._line(Level.ROUTINE, f"The resumed process has not come up {waited}, start process anew")

    def slow_restart(self, seconds: float) -> None:
        """Snapshots would help."""
        self._line(
            Level.ROUTINE, f"This restart took {_seconds(seconds)}; --warm goes on from just before the changed file"
        )

    def snapshots(self, number: int, memory: int, allowed: int, dropped: int) -> None:
        """What the snapshots take; sizes in bytes."""
        self._line(Level.DETAIL, f"{_number(number, 'snapshot')}, {_size(memory)}")
        if dropped:
            gone = f"{_number(dropped, 'snapshot')} dropped"
            self._line(Level.ATTENTION, f"{gone}: all together may take {_size(allowed)} (--warm-memory)")

    def slow_stop(self, burst: Mapping[str, Kind], seconds: float, answers: bool = False) -> None:
        """The old process takes its time to end; or, before it is asked to, to answer who has asked it."""
        why = f"Modification detected ({self._files(burst)}), " if burst else ""
        kill = f"; it is killed in {_seconds(seconds)}" if seconds > 0 else ""
        what = "the process to answer its clients" if answers else f"the process to end{kill}"
        self._line(Level.ROUTINE, f"{why}waiting for {what}")

    def exited(self, code: int, seconds: float, state: State, delay: float) -> None:
        """The command ended by itself."""
        how = how_it_ended(code)
        level = Level.ATTENTION if code else Level.ROUTINE
        self._line(level, f"Process {how} after {_seconds(seconds)}{_next(state, delay)}")

    def failed(self, shown: str, what: str, code: int, state: State) -> None:
        """The command could not be executed."""
        reason, remedy = os.strerror(code), ""
        if code == errno.ENOENT:
            reason = "there is no such file or command"
            remedy = "check its name and PATH" if shown.startswith(what) else "check the #! line"
        elif code == errno.EACCES:
            reason, remedy = "it is not executable", f"chmod +x {printable(what)}, or name its interpreter"
        elif code == errno.ENOEXEC:
            remedy = "it is neither a program nor a script with a #! line"
        remedy = f" ({remedy})" if remedy else ""
        subject = printable(what if shown.startswith(what) else f"{shown}: {what}")
        self._line(Level.ATTENTION, f"Cannot start {subject}: {reason}{remedy}{_wait(state)}")

    def directory_gone(self, directory: str, code: int, state: State) -> None:
        """The start directory could not be entered."""
        self._line(Level.ATTENTION, f"Cannot enter {printable(directory)}: {os.strerror(code)}{_wait(state)}")

    def ending(self, signal: int, alive: bool) -> None:
        """Somebody wants autoreload to end."""
        again = " (Ctrl-C again kills it)" if signal == SIGINT else ""
        more = f", stop process{again}" if alive else ""
        self._line(Level.ROUTINE, f"{signal_name(signal)} received{more}")

    def stuck(self, processes: Sequence[tuple[int, str, str]], ending: bool) -> None:
        """Some processes cannot be ended."""
        for pid, name, why in processes:
            then = "" if ending else "; the command is not started again before it is gone"
            self._line(Level.ATTENTION, f"Cannot end process {pid} ({printable(name)}): {why}{then}")

    def repeating(self, path: str, times: int) -> None:
        """The same file keeps changing right after each start."""
        name = self._shown(path)
        self._line(
            Level.ATTENTION,
            f"{name} changed right after each of the last {times} starts; "
            f"if the command writes it itself: --ignore {_glob(name)}",
        )

    def output(self, path: str) -> None:
        """A file is the command's own output from here on."""
        self._line(Level.ATTENTION, f"{self._shown(path)} is written by each run of the command; it no longer counts")

    def not_counted(self, path: str, kind: Kind, reason: str) -> None:
        """Why a change does not restart the command."""
        self._line(Level.ATTENTION, f"No restart for {self._shown(path)}, {kind.value}: {reason}")

    def unused(self, paths: Sequence[str]) -> None:
        """A change of files that the running program has not used."""
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        them = "them" if more else "it"
        self._line(Level.ROUTINE, f"{self._shown(paths[0])}{more} changed: the running program has not used {them}")

    def own_write(self, path: str) -> None:
        """The first time that the command itself wrote a file that matters."""
        self._line(Level.ATTENTION, f"{self._shown(path)} was written by the command itself: that does not restart it")

    def held_back(self, sign: str) -> None:
        """A restart waits for Git."""
        self._line(Level.ATTENTION, f"Git is at work ({self._shown(sign)}): the restart waits until it has finished")

    def broken(self, files: Mapping[str, str], burst: Mapping[str, Kind]) -> None:
        """These files do not compile, as Python says of each; so there is no restart for the burst."""
        news = {path: text for path, text in files.items() if self._broken.get(path) != text}
        for text in news.values():
            if not self._write(_lines(text)):
                self._dropped += 1
        self._broken = dict(files)
        more = [path for path in burst if path not in files]
        modified = f" ({self._shown(more[-1])} was modified)" if more and not news else ""
        still = "" if news else "still "
        what = self._files(dict.fromkeys(news or files, Kind.WRITTEN))
        verb = "does" if len(news or files) == 1 else "do"
        self._line(Level.ATTENTION, f"{what} {still}{verb} not compile{modified}: the old code goes on running")

    def mended(self) -> None:
        """What did not compile is again what it was."""
        self._broken = {}
        self._line(Level.ROUTINE, "All is again as it was when the process was started: it is up to date")

    def stale_bytecode(self, path: str, why: str) -> None:
        """Cached bytecode of a changed source could not be removed."""
        self._line(Level.ATTENTION, f"Cannot remove {self._shown(path)}: {why}; Python may run the old code from it")

    def notice(self, what: str, remedy: str, detail: bool) -> None:
        """Something about the watching."""
        self._line(Level.DETAIL if detail else Level.ATTENTION, printable(f"{what}; {remedy}" if remedy else what))

    def detail(self, text: str) -> None:
        """For those who want to know more."""
        self._line(Level.DETAIL, printable(text))

    def bug(self, error: BaseException) -> None:
        """autoreload itself failed."""
        import traceback

        if self._level >= Level.DETAIL:
            self._write("".join(traceback.format_exception(error)))
            hint = "please report it with the lines above"
        else:
            hint = "please report it with what -v shows"
        self._line(
            Level.ATTENTION,
            f"autoreload failed, this is a bug: {type(error).__name__}: {printable(str(error))}; {hint}",
        )

    def clear(self) -> None:
        """Clear the screen, if there is one."""
        if self._is_terminal:
            self._write(CLEAR)

    # -- how they look -------------------------------------------------------------------------------------------------
    def _files(self, burst: Mapping[str, Kind]) -> str:
        paths = list(burst)
        first = paths[0]
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        return f"{self._shown(first)}{_DEEDS.get(burst[first], '')}{more}"

    def _shown(self, path: str) -> str:
        return printable(path.removeprefix(self._base))

    def _line(self, level: Level, text: str) -> None:
        if level > self._level:
            return
        dropped = f"({self._dropped} lines could not be written) " if self._dropped else ""
        line = f"==> {dropped}{text} <=="
        if self._colours:
            line = f"{_STYLES[level]}{line}{_RESET}"
        if self._write(line + "\n"):
            self._dropped = 0
        else:
            self._dropped += 1

    def _write(self, text: str) -> bool:
        data = text.encode("utf-8", "backslashreplace")
        try:
            for start in range(0, len(data), LARGEST_WRITE):
                if not _writable(self._fd):
                    return False
                os.write(self._fd, data[start : start + LARGEST_WRITE])
        except OSError:  # EPIPE, EIO of a closed terminal, EBADF, ENOSPC of a file, EAGAIN
            return False
        return True


def _writable(fd: int) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    return any(events & select.POLLOUT for _, events in poll.poll(0))


def _next(state: State, delay: float) -> str:
    if state is State.IDLE:
        return "; waiting for a change"
    if state is State.BACKING_OFF:
        return f"; restart in {_seconds(delay)}"
    return ""


def _wait(state: State) -> str:
    """The same where the next try comes at once, in silence."""
    return "; waiting for it" if state is State.BACKING_OFF else _next(state, 0.0)


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _size(size: int) -> str:
    """Of bytes."""
    return f"{size / (1 << 20):.0f} MB" if size >= 10 << 20 else f"{size / (1 << 20):.1f} MB"


def _number(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _glob(name: str) -> str:
    import shlex

    return shlex.quote(name)


def how_it_ended(code: int) -> str:
    """In words; -N: by signal N."""
    return f"was killed by {signal_name(-code)}" if code < 0 else f"exited with code {code}"


def signal_name(number: int) -> str:
    """`SIGTERM` for 15; `signal 99` for one without a name."""
    import signal

    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _lines(text: str) -> str:
    """Several of them, as they are, but printable."""
    return "".join(printable(line).replace("\\t", "\t") + "\n" for line in text.rstrip("\n").split("\n"))


def printable(text: str) -> str:
    """`text` fit for a terminal: what is not printable, or was not UTF-8, is escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # a byte that is not UTF-8, as os.fsdecode has it
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()
