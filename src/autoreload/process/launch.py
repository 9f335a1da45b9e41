"""How the guard executes the command: posix_spawn(3), with execvp(3)'s search of PATH.

posix_spawn has vfork semantics: about 1 ms to the command's first instruction whatever our size, where fork takes 3 and
more. It cannot set PR_SET_PDEATHSIG, which would help only if guard and tool were killed in the same moment.

Loaded by the guard, for which it may import nothing slow (see linux/libc.py).
"""

from errno import EACCES, ENOENT, ENOEXEC, ENOTDIR
from posix import (
    POSIX_SPAWN_DUP2,
    X_OK,
    access,
    chdir,
    posix_spawn,
    set_blocking,
    set_inheritable,
    stat,
    strerror,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from signal import SIG_DFL, SIG_IGN, SIGCHLD, SIGPIPE, SIGXFSZ, signal
else:
    from _signal import SIG_DFL, SIG_IGN, SIGCHLD, SIGPIPE, SIGXFSZ, signal

_SHELL = b"/bin/sh"
_OWN_PID = (b"sh", b"-c", b'LISTEN_PID=$$ exec "$@"', b"sh")
"""sd_listen_fds(3) takes sockets only if they are meant for its own process, whose pid nobody knows before."""
_DEFAULT_PATH = b"/bin:/usr/bin"
"""confstr(_CS_PATH), as execvp(3) searches when PATH is not set."""
_UNREACHABLE = (EACCES, ENOENT, ENOTDIR)


class Launch:
    """What to execute, where, and with what."""

    def __init__(
        self,
        argv: tuple[bytes, ...],
        directory: bytes,
        environ: dict[bytes, bytes],
        mask: tuple[int, ...],
        ignores_children: bool,
        passed: "tuple[tuple[int, int], ...]" = (),
        has_sockets: bool = False,
        before: "tuple[bytes, ...]" = (),
    ) -> None:
        """`passed`: sockets by their numbers here and in the command. `has_sockets`: the command has some (also such
        that we do not know, from systemd), and is told its pid. `before`: words of a program that becomes the one
        whose path and argv follow."""
        self._argv, self._directory, self._environ, self._mask = argv, directory, environ, mask
        self._ignores_children = ignores_children
        self._passed, self._has_sockets, self._before = passed, has_sockets, before
        for number, _ in passed:
            set_inheritable(number, False)

    def __call__(self, more: "dict[bytes, bytes] | None" = None) -> int:
        """Execute it, with `more` in its environment, and return its pid. OSError, with the file it is about, if that
        cannot be done.

        The directory is entered by its path each time: what was there before may have been replaced.
        """
        chdir(self._directory)
        environ = {**self._environ, **(more or {})}
        denied: OSError | None = None
        for path in self._candidates():
            try:
                return self._spawn(path, self._argv, environ)
            except OSError as error:
                errno = error.errno or 0
                if errno == ENOEXEC and not _is_binary(path):  # no `#!`: execvp(3) lets the shell try
                    return self._spawn(_SHELL, (_SHELL, path, *self._argv[1:]), environ)
                if b"/" in self._argv[0]:
                    raise _about(errno, path) from None
                if errno not in _UNREACHABLE:
                    raise
                if errno == EACCES or _is_file(path):
                    denied = denied or _about(errno, path)
        raise denied or OSError(ENOENT, strerror(ENOENT), self._argv[0])

    def _candidates(self) -> list[bytes]:
        name = self._argv[0]
        if b"/" in name:
            return [name]
        folders = self._environ.get(b"PATH", _DEFAULT_PATH).split(b":")
        paths = [folder + b"/" + name if folder else b"./" + name for folder in folders]
        return [path for path in paths if _is_file(path)]  # a stat is cheaper than a vfork

    def _spawn(self, path: bytes, argv: tuple[bytes, ...], environ: dict[bytes, bytes]) -> int:
        if (self._has_sockets or self._before) and not access(path, X_OK):  # of these we would not hear
            raise _about(EACCES if _is_file(path) else ENOENT, path)
        if self._has_sockets:
            path, argv = _SHELL, (*_OWN_PID, path, *argv[1:])
        if self._before:
            path, argv = self._before[0], (*self._before, path, *argv)
        for number, _ in self._passed:
            set_blocking(number, True)  # shared with the run before, which may have wanted it otherwise
        try:
            # Python ignores these two for itself; what else was ignored when autoreload was started stays ignored.
            if self._ignores_children:
                # posix_spawn can give back the default action only. Ignored just for this moment, for whoever dies
                # while it is ignored is not kept to be waited for.
                signal(SIGCHLD, SIG_IGN)
            return posix_spawn(
                path,
                argv,
                environ,
                file_actions=[(POSIX_SPAWN_DUP2, number, theirs) for number, theirs in self._passed],
                setsigmask=self._mask,
                setsigdef=(SIGPIPE, SIGXFSZ),
            )
        except OSError as error:
            raise OSError(error.errno, error.strerror, path) from None
        finally:
            if self._ignores_children:
                signal(SIGCHLD, SIG_DFL)


def _about(errno: int, path: bytes) -> OSError:
    """The error, naming the interpreter of a script if that is what is missing."""
    if errno == ENOENT and _is_file(path):
        try:
            with open(path, "rb") as file:
                line = file.readline(256)
        except OSError:
            line = b""
        words = line[2:].split()
        if line.startswith(b"#!") and words and not _is_file(words[0]):
            path = words[0]
    return OSError(errno, strerror(errno), path)


def _is_binary(path: bytes) -> bool:
    """Is it for another machine, rather than a script? bash(1) looks for a NUL too."""
    try:
        with open(path, "rb") as file:
            return b"\0" in file.read(128)
    except OSError:
        return False


def _is_file(path: bytes) -> bool:
    try:
        return stat(path).st_mode & 0o170000 == 0o100000
    except OSError:
        return False
