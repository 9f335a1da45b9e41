"""The gate before which a prepared program waits: one that was resumed while an older one still ends.

It may compute, and import what does not change. Whatever the older program could notice, or could still change, is not
done before that is dead: to open a file for writing or one of its data files to read, to look whether a file is there,
to connect, to start a thread or a process, to write to the terminal. What is not known to be harmless has to wait.

Most of it the interpreter tells of (PEP 578). That hook cannot be taken away again, so only a program that was prepared
ever has one, and once the gate is open it does next to nothing. A few functions are told of by nobody: they are
replaced until then, wherever a module has them.
"""

from __future__ import annotations

import _io
import errno
import os
import posix
import select
import sys
from time import monotonic

from .builtin import stand_in
from .protocol import LATE_NOTES, NOTES
from .unseen import is_silent
from .used import absolute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any

    from .program import Program

_HARMLESS = frozenset(
    "builtins.id compile exec marshal.load marshal.loads marshal.dumps object.__getattr__ object.__setattr__ "
    "object.__delattr__ code.__new__ function.__new__ array.__new__ pickle.find_class gc.get_objects gc.get_referrers "
    "gc.get_referents sys._getframe sys._getframemodulename sys._current_frames sys._current_exceptions sys.settrace "
    "sys.setprofile sys.addaudithook sys.set_asyncgen_hooks_firstiter sys.set_asyncgen_hooks_finalizer time.sleep "
    "glob.glob glob.glob/2 os.walk os.fwalk pathlib.Path.glob pathlib.Path.rglob os.chdir os.putenv os.unsetenv "
    "socket.__new__ socket.gethostname mmap.__new__ ctypes.cdata ctypes.cdata/buffer ctypes.addressof "
    "urllib.Request".split()
)
"""Events that concern nobody but this process, or are followed by another one."""
_WAIT = "write writev pwrite pwritev sendfile copy_file_range splice mkfifo mknod".split()
_LOOK = "stat lstat access readlink statvfs".split()
_UNTOLD = {
    "posix": _WAIT,
    "_thread": ["start_new_thread", "start_new", "start_joinable_thread"],
    "_posixsubprocess": ["fork_exec"],
    "_posixshmem": ["shm_open", "shm_unlink"],
    "_signal": ["pidfd_send_signal"],
    "termios": ["tcsetattr"],
}
_SPARED = ("posix", "_frozen_importlib", "_frozen_importlib_external")
"""Modules that keep the functions: those of the import system, which reads nothing but code."""
_FIXED = (
    "/usr/share/zoneinfo/",
    "/etc/mime.types",
    "/etc/localtime",
    "/etc/ssl/",
    "/proc/self/",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/sys/",
    "/dev/null",
    "/dev/urandom",
)
_CODE = (".py", ".pyc")
_IMPORT_SYSTEM = "<frozen importlib"
"""So the names of its files begin."""
_HERE = os.path.dirname(__file__) + "/"
_IMPORTLIB = os.path.dirname(os.__file__) + "/importlib/"
_WRITES = posix.O_WRONLY | posix.O_RDWR | posix.O_CREAT | posix.O_TRUNC | posix.O_APPEND


class Hook:
    """What the interpreter calls. While nothing is held back, that is a function in C that does nothing."""

    __call__: Any = {}.get


_nothing = Hook.__call__
_hooked = False


class Gate:
    """Closed when it is made; opened by the snapshot above."""

    def __init__(self, program: Program, descriptor: int, changed: Collection[str]) -> None:
        """`descriptor`: readable once the gate is open, at its end once the snapshot is gone. `changed`: files whose
        bytecode may be that of what they were."""
        global _hooked
        self.since = monotonic()
        """When it was closed."""
        self._program = program
        self._descriptor = descriptor
        self._changed = {path.rpartition("/")[2].rpartition(".")[0] for path in changed}
        self._closed = True
        self._waiting = 0
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)
        self._fixed = (*_FIXED, *_code_folders())
        self._places: set[str] = set()
        self._placed = 0
        for place in (sys.executable, getattr(sys, "_base_executable", ""), sys.prefix, sys.base_prefix, *sys.path):
            if type(place) is str and place.startswith("/"):
                self._add_place(place.rstrip("/"))
        self._checks: dict[str, Callable[[tuple[Any, ...]], bool]] = {
            "open": self._may_open,
            "import": _may_import,
            "os.listdir": self._may_list,
            "os.scandir": self._may_list,
            "os.mkdir": self._may_make,
            "socket.sendto": self._may_send,
            "socket.connect": self._may_send,
            "ctypes.dlopen": lambda arguments: arguments[0] is None,
        }
        self._notes = (program.address + NOTES, program.address + LATE_NOTES)
        self._replaced: dict[int, tuple[Any, Any]] = {}
        self._raw = [_Raw(raw, self.wait) for raw in _standard_files()]
        self._replace()
        Hook.__call__ = self._hear  # type: ignore[method-assign]
        if not _hooked:
            _hooked = True
            sys.addaudithook(Hook())

    def is_open(self) -> bool:
        """Is it by now?"""
        return self._look(0)

    def wait(self) -> None:
        """Until it is open. A handler of a signal may come here while somebody waits already."""
        self._waiting += 1
        try:
            while not self._look(None):
                pass
        finally:
            self._waiting -= 1
            self._program.waits.begin()  # that was our doing
            self._let_go()

    def _look(self, timeout: int | None) -> bool:
        if self._closed:
            for _, state in self._poll.poll(timeout):
                if not state & select.POLLIN:
                    posix._exit(1)  # nobody is left who could open it
                self._open()
        self._let_go()
        return not self._closed

    def _open(self) -> None:
        self._closed = False
        Hook.__call__ = _nothing  # type: ignore[method-assign]
        for raw in self._raw:
            raw.give_back()
        self._give_back()
        self._program.gate = None

    def _let_go(self) -> None:
        if not self._closed and not self._waiting and self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            posix.close(descriptor)

    # -- what the interpreter tells ------------------------------------------------------------------------------------
    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _HARMLESS:
            return
        check = self._checks.get(event)
        if check is None or not check(arguments):
            self.wait()

    def _may_open(self, arguments: tuple[Any, ...]) -> bool:
        path, mode, flags = arguments
        if type(path) is int:
            return True
        writes = type(flags) is int and flags & _WRITES
        if writes or (type(mode) is str and not {"w", "a", "x", "+"}.isdisjoint(mode)):
            if _called_by("_write_atomic", "set_data"):
                raise _denied()
            return bool(path == "/dev/null")
        path = _text(path)
        if path.endswith(".pyc") and path.rpartition("/")[2].partition(".")[0] in self._changed:
            raise _denied()
        return self._is_fixed(path)

    def _may_make(self, arguments: tuple[Any, ...]) -> bool:
        if _called_by("set_data"):
            raise _denied()
        return False

    def _may_send(self, arguments: tuple[Any, ...]) -> bool:
        """To the tool, of what is used."""
        return arguments[1] in self._notes

    def _may_list(self, arguments: tuple[Any, ...]) -> bool:
        """The import system lists the folders that it is to search, and so does who asks for installed packages."""
        frame = sys._getframe(2)
        while frame.f_back is not None and frame.f_code.co_filename.startswith(_HERE):  # our stand-in for os.listdir
            frame = frame.f_back
        by = frame.f_code.co_filename
        return by.startswith((_IMPORT_SYSTEM, _IMPORTLIB)) or _text(arguments[0]).startswith(self._fixed)

    def _is_fixed(self, path: str) -> bool:
        """Does a program that ends leave that file as it is?"""
        return path.endswith(_CODE) or path.startswith(self._fixed)

    # -- what nobody tells ---------------------------------------------------------------------------------------------
    def _may_look(self, path: Any, named: dict[str, Any]) -> bool:
        if type(path) is int:
            return True
        if named.get("dir_fd") is not None:
            return False
        path = _text(path)
        return self._is_fixed(path) or self._is_place(path)

    def _is_place(self, path: str) -> bool:
        """Is it a folder that code in use is in? `Path(__file__).resolve()` looks at each."""
        files = self._program.used.files
        while self._placed < len(files):
            self._add_place(files[self._placed][0].rpartition("/")[0])
            self._placed += 1
        return path.rstrip("/") in self._places

    def _add_place(self, folder: str) -> None:
        while folder not in self._places:
            self._places.add(folder)
            folder = folder.rpartition("/")[0]

    def _replace(self) -> None:
        for name, functions in _UNTOLD.items():
            module = sys.modules.get(name)
            if module is None and name != "termios":
                try:
                    module = __import__(name)
                except ImportError:
                    continue
            for function in functions:
                self._replacement(module, function, self._waited)
        for function in _LOOK:
            self._replacement(posix, function, self._looked)
        _exchange({id(old): new for old, new in self._replaced.values()})

    def _waited(self, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        self.wait()

    def _looked(self, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        if self._closed and not self._may_look(arguments[0] if arguments else named.get("path"), named):
            self.wait()

    def _replacement(self, module: Any, name: str, note: Callable[..., None]) -> None:
        old = getattr(module, name, None)
        if old is None or id(old) in self._replaced:
            return

        def instead(*arguments: Any, **named: Any) -> Any:
            note(arguments, named)
            return old(*arguments, **named)

        new = stand_in(old, instead)
        self._replaced[id(old)] = (old, new)
        for functions in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks, os.supports_effective_ids):
            if old in functions:
                functions.add(new)

    def _give_back(self) -> None:
        _exchange({id(new): old for old, new in self._replaced.values()})
        for _, new in self._replaced.values():
            for functions in (
                os.supports_dir_fd,
                os.supports_fd,
                os.supports_follow_symlinks,
                os.supports_effective_ids,
            ):
                functions.discard(new)


class _Raw:
    """The lowest object of a standard file: what is above it looks its methods up each time."""

    def __init__(self, raw: Any, wait: Callable[[], None]) -> None:
        self._raw = raw
        for name in ("write", "read", "readinto", "readall"):
            setattr(raw, name, self._after(wait, getattr(raw, name)))

    @staticmethod
    def _after(wait: Callable[[], None], method: Callable[..., Any]) -> Callable[..., Any]:
        def waits(*arguments: Any) -> Any:
            wait()
            return method(*arguments)

        return waits

    def give_back(self) -> None:
        """From now on it is as it was."""
        for name in ("write", "read", "readinto", "readall"):
            self._raw.__dict__.pop(name, None)


def _standard_files() -> list[Any]:
    found: dict[int, Any] = {}
    for name in ("stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__"):
        file: Any = getattr(sys, name, None)
        if type(file) is _io.TextIOWrapper:
            file = file.buffer
        if type(file) in (_io.BufferedReader, _io.BufferedWriter):
            file = file.raw
        if type(file) is _io.FileIO:
            found[id(file)] = file
    return list(found.values())


def _exchange(instead: dict[int, Any]) -> None:
    """In each module, for what is known by its identity."""
    for name, module in list(sys.modules.items()):
        if name in _SPARED or name.startswith("autoreload:"):
            continue
        try:
            names = object.__getattribute__(module, "__dict__")
        except (AttributeError, TypeError):
            continue
        if type(names) is dict:
            _exchange_in(names, instead, names.__setitem__)
    # Until Python 3.10, pathlib has them in a class.
    accessor = getattr(sys.modules.get("pathlib"), "_NormalAccessor", None)
    if accessor is not None:
        _exchange_in(vars(accessor), instead, lambda name, value: setattr(accessor, name, staticmethod(value)))


def _exchange_in(names: Any, instead: dict[int, Any], put: Callable[[str, Any], None]) -> None:
    for name, value in list(names.items()):
        if type(value) is staticmethod:
            value = value.__func__
        if id(value) in instead:
            put(name, instead[id(value)])


def _may_import(arguments: tuple[Any, ...]) -> bool:
    """The file is named when it is one of an extension module, just before it is loaded."""
    return arguments[1] is None or is_silent(_text(arguments[1]))


def _called_by(*names: str) -> bool:
    """Was that done by these functions of the import system, the innermost first?"""
    frame: Any = sys._getframe(3)
    while frame is not None and frame.f_code.co_filename.startswith(_HERE):
        frame = frame.f_back
    for name in names:
        code = frame.f_code if frame is not None else None
        if code is None or code.co_name != name or not code.co_filename.startswith(_IMPORT_SYSTEM):
            return False
        frame = frame.f_back
    return True


def _denied() -> OSError:
    """Bytecode is neither written nor, of what changed, read: one that is prepared in vain may be late. The import
    system does without, and says nothing."""
    return OSError(errno.EACCES, os.strerror(errno.EACCES))


def _text(path: Any) -> str:
    """An absolute path without `..`; empty: it is none."""
    if path is None:
        path = "."
    try:
        path = absolute(os.fsdecode(path))
    except TypeError:
        return ""
    return str(os.path.normpath(path)) if "/." in path or "//" in path else str(path)


def _code_folders() -> list[str]:
    """Where nothing but packages is, and nobody writes but who installs them: a change of that restarts cold."""
    found = [os.path.dirname(os.__file__) + "/"]
    for python in (sys.executable, getattr(sys, "_base_executable", "")):
        if python and python.startswith("/"):
            found.append(os.path.dirname(python) + "/")  # where it is from, sysconfig asks
    for entry in sys.path:
        if type(entry) is str and entry.endswith(("/site-packages", "/dist-packages")):
            found += [entry + "/", entry]
        elif type(entry) is str and entry.endswith(".zip"):
            found.append(entry)
    return found
