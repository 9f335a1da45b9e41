"""Every option, declared once: its name, its type, its default, its help. All else is derived from this table:
the command line, the keys of pyproject.toml, `--help`, the pages under docs/options/."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from autoreload.errors import UserError
from autoreload.values import duration, filled, interval, one_of, signal_name, size, suffixes, where


class Settings(NamedTuple):
    """The values of all options."""

    watch: tuple[str, ...] = ()
    extensions: tuple[str, ...] | None = None
    include: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    no_ignore: bool = False
    signal: str = "TERM"
    stop_timeout: float = 5.0
    debounce: float = 0.005
    backend: str = "auto"
    poll: float | None = None
    postpone: bool = False
    on_exit: str = "wait"
    no_content_check: bool = False
    no_check: bool = False
    listen: tuple[str, ...] = ()
    keep_sockets: str = "auto"
    no_keep_sockets: bool = False
    show_errors: bool = False
    overlap: bool = False
    warm: bool = False
    cold: tuple[str, ...] = ()
    warm_memory: int | None = None
    no_use_check: bool = False
    clear: bool = False
    quiet: bool = False
    verbose: bool = False
    explain: bool = False


class Option(NamedTuple):
    """One option. Its name is the field of `Settings`; the flag and the key are that name with dashes."""

    name: str
    parse: Callable[[str], Any] | None
    """From the words of a person to the value; raises ValueError(what it must be). None: a flag without a value."""
    help: str
    page: str
    """The rest of what there is to know, for its page in the documentation."""
    metavar: str = ""
    short: str = ""
    repeatable: bool = False
    implied: str = ""
    """What it means to give it without a value; a value must then be attached, `--poll=2`."""

    @property
    def flag(self) -> str:
        """As it is written on the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def default(self) -> Any:
        """The value where it is not given."""
        return Settings._field_defaults[self.name]


# -- the table -------------------------------------------------------------------------------------------------------
OPTIONS = (
    Option(
        "watch",
        filled,
        "a folder or a single file to watch; may be given again [default: this folder]",
        """What is named here is never ignored, whatever `.gitignore` or the built-in rules say, so
`--watch .venv/lib/python3.12/site-packages/mylib` works. What lies *below* it is judged as anywhere else.
A folder that vanishes and comes back is noticed, and the command is started in the new one.
Without this option the folder autoreload was called in is watched (with a command from `pyproject.toml`: the folder of
that file). `/` and your home directory are watched only if you name them.""",
        metavar="PATH",
        repeatable=True,
    ),
    Option(
        "extensions",
        suffixes,
        "endings of the files that matter, as in .py,.html [default: .py and configuration files for a Python "
        "command, every file for any other]",
        """A list with commas; `-e py` is the same as `-e .py`, and an ending may be longer than an extension:
`-e _test.py`. Given again, it adds. Without it a Python command is restarted for
`.py .toml .ini .cfg .conf .yaml .yml .env`, any other command for every file that is not ignored.""",
        metavar="LIST",
        short="e",
        repeatable=True,
    ),
    Option(
        "include",
        filled,
        "files that matter as well, whatever their ending, as in 'templates/**' or Makefile",
        """A pattern as in `.gitignore`: without a slash it matches the name at any depth, with one it is relative to
the folder autoreload was called in. It adds to `--extensions`, and wins over `.gitignore` (but not over `--ignore`,
and not inside a folder that is ignored as a whole: name that folder with `--watch`).""",
        metavar="GLOB",
        repeatable=True,
    ),
    Option(
        "ignore",
        filled,
        "files and folders that do not matter, as in 'static/**' or '*_pb2.py'",
        """A pattern as in `.gitignore`. It wins over every other rule. A folder that matches is not even watched, which
saves time and kernel memory for large ones.""",
        metavar="GLOB",
        short="i",
        repeatable=True,
    ),
    Option(
        "no_ignore",
        None,
        "let everything matter: no .gitignore, no built-in list of what is ignored",
        """Without this option autoreload ignores, and does not even watch: folders of version control, bytecode,
virtual environments, `node_modules`, caches and build output; the files that editors and runs leave behind (swap,
backup and lock files, logs, pid files, databases, coverage reports); and what `.gitignore` names (nested ones, the
global one and `.git/info/exclude` too), but for `.env` files and the files named in the command's own arguments.
`--ignore` still works, and Python's `__pycache__` is ignored even so: every start writes to it.""",
    ),
    Option(
        "signal",
        signal_name,
        "the signal that asks the command to end [default: TERM]",
        """`TERM`, `SIGTERM` and `15` are the same. What has not ended after `--stop-timeout` is killed, with all its
descendants.""",
        metavar="NAME",
    ),
    Option(
        "stop_timeout",
        duration,
        "how long the command may take to end before it is killed [default: 5s]",
        """The grace period. A command that ends earlier is never waited for. It counts for a restart and for the end of
autoreload (Ctrl-C, SIGTERM) alike; a second Ctrl-C kills at once. `0` kills at once always. Durations are written
`500ms`, `2s` or as a bare number of seconds.""",
        metavar="TIME",
    ),
    Option(
        "debounce",
        duration,
        "how long no file may change before the restart [default: 5ms]",
        """One save is often several events. The default is short because bursts are recognised: once several files
changed, 50 ms of quiet are awaited, and up to 500 ms when changes keep overtaking the starts (a slow formatter); and
what follows your saves within 40 ms (a formatter that runs on save) is learned. A file
in the middle of its save is waited for in any case. A larger value here raises all of these; with a smaller one nothing
is learned.""",
        metavar="TIME",
    ),
    Option(
        "backend",
        one_of("auto", "inotify", "fanotify", "polling"),
        "how changes are noticed: auto, inotify, fanotify or polling [default: auto]",
        """`auto` is inotify. Where its watches do not suffice (`fs.inotify.max_user_watches`), or where there is none,
it is fanotify if that is permitted, else what cannot be watched is polled; `-v` says so. Whatever the kernel watches,
file systems that are changed from another side (NFS, SMB, 9p and Windows drives in WSL, VirtioFS, FUSE, shared folders
of virtual machines) are polled as well, each as soon as it is mounted at or below a watched folder; so is an overlay
whose layers are within reach (not that of a container, whose layers are on the host).

`fanotify` needs root (`CAP_SYS_ADMIN`), Linux 5.17, and a file system with file handles (not overlayfs, as in most
containers). It is there at once in a tree of any size and takes no watches, but it hears of every write to the whole
file system, so other programs wake autoreload. It also says who wrote a file, so that what the command itself writes
does not restart it. Where `inotify` or `fanotify` does not work, the next best takes its place, and a line says so: a
`pyproject.toml` serves root and others. `polling` looks at everything every second or so: see [`--poll`](poll.md).""",
        metavar="auto|inotify|fanotify|polling",
    ),
    Option(
        "poll",
        interval,
        "look for changes every so often instead of being told; --poll=TIME says how often [default: no]",
        """The same as `--backend polling`: for file systems that tell of nothing and are not recognised. Without a
value a look is taken every second, every quarter of a second for a while after a change, and less often in a large
tree, so that it takes at most 2 % of one core (10 % after a change). With a value that is the time between two looks,
whatever they cost. The value must be attached: `--poll=2`, `--poll=500ms`.""",
        metavar="TIME",
        implied="auto",
    ),
    Option(
        "postpone",
        None,
        "do not start the command before the first change",
        "For a command that is a reaction (a test run, a build) and not a server.",
        short="p",
    ),
    Option(
        "on_exit",
        one_of("wait", "restart", "quit"),
        "when the command ends by itself: wait for a change, restart it, or quit [default: wait]",
        """`restart` waits 0.1 s before the first attempt and twice as long before each further one, up to 30 s; a run
of 10 s or more starts the count again. `quit` ends autoreload with the exit code of the command (128 + N if signal N
killed it, 127 or 126 if it could not be executed).""",
        metavar="wait|restart|quit",
    ),
    Option(
        "no_content_check",
        None,
        "restart also for a change that left the content of its file as it was",
        """Without this option autoreload reads, in the background, what the files that matter hold when the command
is started (up to 1 MiB each, 256 MiB in all and 262,144 files, which takes 14 MiB of memory; of larger files the time,
the size and the inode stand for the content). A file that is written again with the same content, `touch`ed, or changed
there and back, then restarts nothing. With it nothing is read, and `touch` restarts the command.""",
    ),
    Option(
        "no_check",
        None,
        "restart a Python command also for a file that does not compile",
        """Without this option a Python file that changed is compiled, by the interpreter that runs the command, before
anything is stopped. If it does not compile you are shown what Python says, and the old code goes on running; the next
save after which all of them compile restarts, and names every file that changed meanwhile. That holds for files that
compiled when they were last seen, or that the running server has imported. A template that is no Python, or a file
that is new, holds nothing back, and neither does anything while the command does not run.

The files are compiled by a small process beside the command, while the burst is waited for; where it takes longer than
1 s the restart does not wait. With this option, and for commands whose interpreter is not known (`poetry run` without a
`.venv` in the project), there is none.""",
    ),
    Option(
        "listen",
        where,
        "a socket that outlives the restarts of the command, which finds it as descriptor 3; may be given again",
        """autoreload listens there from its start to its end. The command is passed the socket as systemd does it, so
no connection is refused while it restarts: clients wait, and the new process answers them. `PORT` alone is on
127.0.0.1; `0.0.0.0:PORT` is on every address, `[::]:PORT` on those of IPv6 too; a port of 0 is chosen by the kernel,
and told. `unix:PATH` is removed at the end; one that was left behind is replaced.

The sockets are the descriptors from 3 on, in the order given. `LISTEN_FDS` says how many, `LISTEN_FDNAMES` their ports
or file names, `LISTEN_PID` the process they are for: sd_listen_fds(3). gunicorn takes them by itself; others are told
the number: `uvicorn --fd 3`, `hypercorn --bind fd://3`, `server.listen({fd: 3})` in Node. `LISTEN_PID` is that of the
process that is executed: in a line of shell, write `exec` before a server that is not Python. A Python command that
binds such an address itself is given the socket. If autoreload was itself passed sockets by systemd, these come first.
A descriptor that is open under such a number is an error, for it would be lost.

While there is no command (it crashed, ended, or could not be executed) autoreload itself answers: 503, with a page that
shows the new code as soon as it runs; whoever does not speak HTTP is disconnected. Clients on this machine are shown
the traceback, if the command is Python; others are told no more than that (see [`--show-errors`](show-errors.md)).""",
        metavar="[HOST:]PORT|unix:PATH",
        repeatable=True,
    ),
    Option(
        "keep_sockets",
        one_of("auto", "always"),
        "hold the sockets that the command listens on over its restarts: of Python, or any [default: auto]",
        """`auto` is for Python commands: see [`--no-keep-sockets`](no-keep-sockets.md). With `always` the TCP sockets
of any program are held: Rust (granian), Go, Node, Python with `-I`. autoreload sees the calls of bind(2) and listen(2),
and answers them with the held socket (seccomp_unotify(2), Linux 5.9, x86-64 and ARM64).

That has a price: a start takes some 30 ms more, and unless autoreload runs as root nothing in the command can gain
rights any more (`sudo`, `ping`: no_new_privs). Unix sockets are held for Python only.""",
        metavar="auto|always",
    ),
    Option(
        "no_keep_sockets",
        None,
        "let the listening sockets of a Python command end with it, and refuse connections while it restarts",
        """Without this option autoreload holds what a Python command listens on (TCP and Unix sockets, bound by any
server, also in C) over its restarts, and gives it back when the new process binds the same address. Whoever connects
meanwhile waits, and the new code answers. Before the old process is asked to stop it accepts no more, and has 3 s to
answer what it has accepted. What the new code has not bound again 1.5 s after it is ready is closed; at once, if it is
in the way of another bind. While the command has crashed autoreload answers there, as for `--listen`; when it has ended
with code 0 its sockets are closed.

A small part of autoreload is in the command's Python (CPython 3.9 to 3.13, without `-I`, `-E` or `-S`), and in Python
that this starts. A port that the kernel chooses (0) is not held. Others have `--listen` and `--keep-sockets`.""",
    ),
    Option(
        "show_errors",
        None,
        "show clients on other machines, too, why the command is not there",
        """While the command has crashed autoreload answers on the sockets that it holds: 503, and a page that shows the
new code as soon as it runs. The traceback and the command are on it only for who came in by an address of this machine
alone (127.0.0.0/8, ::1, a Unix socket). With this option everybody sees them who can connect: for a phone beside you,
or a container, whose published ports do not come in by such an address. A traceback has paths and lines of code, and
what the message of the exception says: do not give it to strangers.""",
    ),
    Option(
        "overlap",
        None,
        "start the new process, and stop the old one once that serves: for servers that may run twice",
        """The old process goes on answering until the new one is ready: it waits for connections on a socket that
autoreload holds (of Python, or of `--listen`), or tells so (sd_notify(3), `READY=1`), or has run for 60 s. Then the old
one accepts no more, answers what it has accepted, and is asked to stop. If the new one ends before, the old one goes
on; the next change tries again.

For that time two of them run, and share what they use: files, queues, a database that is migrated at the start. It
cannot be had together with `--warm`.""",
    ),
    Option(
        "warm",
        None,
        "resume a Python command from just before the changed file was first used, where that is safe",
        """While the program starts, frozen copies of it (forks) are kept, each from before some module is imported.
After a change it goes on from the last one that had not used the file: what came before ran, the rest runs again.
Where that might differ from a new start, there is a new start; `--explain` says why: a file is new or gone, a data file
was not seen to be read, a `.env` or lock file changed, or a package that was used. No copy is made while a thread runs,
a socket is bound, a connection, a pipe of its own or a file to be overwritten is open, a lock is held, a child lives.
The command must be CPython 3.9 to 3.14, started directly, by `exec` or by `uv run`, without `-I`, `-E` or `-S`.""",
    ),
    Option(
        "cold",
        filled,
        "with --warm, files whose change is always a new start, as in '*.ini'",
        """A pattern as in `.gitignore`: for what the program uses in a way that nobody sees, say a file that a library
written in C reads before the copies are made. It does not say what matters: that is for `--extensions` and `--include`.
Without it `.env` files, `pyproject.toml`, `requirements*.txt`, `Pipfile` and lock files are always a new start.""",
        metavar="GLOB",
        repeatable=True,
    ),
    Option(
        "warm_memory",
        size,
        "with --warm, how much memory the copies may take [default: a quarter of what is free]",
        """Of the frozen copies only, not of the running program; what several processes share is split evenly. It is
looked at a second after the last was made, and as long as it is too much the oldest is dropped: but the one that was
resumed last only if there is no other, and never the first of all nor the last. Free is what the machine has available,
or the control group of autoreload (a container) if that is less. Sizes are written `500M`, `2G`, or as a bare number of
bytes. `-v` says how many copies there are and what they take.""",
        metavar="SIZE",
    ),
    Option(
        "no_use_check",
        None,
        "with --warm, restart also for a Python file that the running program has not used",
        """Without this option a `.py` file that was there at the start, and that the program has neither imported nor
opened since, restarts nothing, and one line says so: if it is imported later, it is what it is then. That is only where
autoreload can be sure: not while the program is at work, nor if it has, or ever had, child processes.""",
    ),
    Option(
        "clear",
        None,
        "clear the screen before each start",
        "Only when standard error is a terminal.",
        short="c",
    ),
    Option(
        "quiet",
        None,
        "say only what needs your attention",
        "Start, restart and exit lines are left out; warnings and errors stay.",
        short="q",
    ),
    Option(
        "verbose",
        None,
        "say more: each process, how long after the change it started, tracebacks of our own bugs",
        "What this adds is for finding out what happens; scripts should not rely on its wording.",
        short="v",
    ),
    Option(
        "explain",
        None,
        "say for each change that does not restart the command why not",
        """One line a change, with the rule that took it out: an extension, a line of an ignore file, a built-in rule.
Folders that are ignored as a whole are not watched, so nothing is said of what happens in them.""",
    ),
)
BY_NAME = {option.name: option for option in OPTIONS}


# -- from words to values --------------------------------------------------------------------------------------------
def parse(option: Option, words: Iterable[str], source: str) -> Any:
    """The value of an option that was given as `words`, one for each time it was given.

    `source`: where, as a person would name it (`--signal`, `signal in /app/pyproject.toml`).
    Raises UserError.
    """
    if option.parse is None:
        return True
    values = []
    for word in words:
        try:
            values.append(option.parse(word))
        except ValueError as error:
            raise UserError(f"{source}: {word!r} is not valid", f"it must be {error}") from None
    if not option.repeatable:
        return values[-1]
    return tuple(item for value in values for item in (value if isinstance(value, tuple) else (value,)))


def from_table(table: Mapping[str, Any], source: str) -> dict[str, Any]:
    """The values of a `[tool.autoreload]` table, by option name; `command` is left as it is.

    Raises UserError for an unknown key or a value of the wrong type.
    """
    values: dict[str, Any] = {}
    for key, given in table.items():
        option = BY_NAME.get(key.replace("-", "_"))
        where = f"{key} in {source}"
        if key == "command":
            values[key] = _command(given, where)
        elif option is None:
            known = [*(o.flag[2:] for o in OPTIONS), "command"]
            raise UserError(f"{source}: unknown key {key!r} in [tool.autoreload]", nearest(key, known))
        elif option.implied and isinstance(given, bool):
            if given:
                values[option.name] = parse(option, [option.implied], where)
        elif option.parse is None:
            if not isinstance(given, bool):
                raise UserError(f"{where} is {given!r}", "it must be true or false")
            values[option.name] = given
        else:
            several = given if isinstance(given, list) and option.repeatable else [given]
            for word in several:
                if isinstance(word, bool) or not isinstance(word, (str, int, float)):
                    raise UserError(f"{where} is {word!r}", "it must be text" + " or a list of it" * option.repeatable)
            if several:
                values[option.name] = parse(option, [str(word) for word in several], where)
    return values


def _command(given: Any, where: str) -> str | list[str]:
    words = given if isinstance(given, list) else [given]
    if words and all(isinstance(word, str) and "\0" not in word for word in words) and "".join(words).strip():
        return str(given) if isinstance(given, str) else words
    raise UserError(f"{where} is {given!r}", "it must be text or a list of words")


def nearest(word: str, known: Iterable[str]) -> str:
    """A remedy for a word that nobody knows."""
    import difflib

    known = list(known)
    longer = [name for name in known if name.startswith(word) and len(word) > 3]
    if len(longer) == 1:
        return f"did you mean {longer[0]}?"
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
