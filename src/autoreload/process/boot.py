"""The first code that the guard executes; `spawn.py` is its counterpart.

The guard is a fresh interpreter that has been told nothing but the number of a socket. Its code comes through that, so
neither its name nor its command line contains the word autoreload: it outlives `pkill -9 -f autoreload`, which is what
people type, and ends what that has left.
"""

import sys
from marshal import loads
from posix import _exit, close, read, set_inheritable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, ModuleType

_ModuleSpec = type(sys.__spec__)  # importlib.machinery would have to be imported


class Delivered:
    """An importer of the modules that were sent: name to code, None for a package with nothing in it."""

    def __init__(self, codes: "dict[str, CodeType | None]") -> None:
        self._codes = codes

    def find_spec(self, name: str, path: object = None, target: object = None) -> object:
        """Part of importlib.abc.MetaPathFinder."""
        if name not in self._codes:
            return None
        return _ModuleSpec(name, self, is_package=self._codes[name] is None)  # type: ignore[arg-type]

    def create_module(self, spec: object) -> None:
        """Part of importlib.abc.Loader: a plain module will do."""

    def exec_module(self, module: "ModuleType") -> None:
        """Part of importlib.abc.Loader."""
        code = self._codes[module.__name__]
        if code is not None:
            exec(code, module.__dict__)


def begin(channel: int, interpreter: int) -> None:
    """Become the guard. `interpreter`: a descriptor to be closed, -1 if there is none."""
    if interpreter >= 0:
        close(interpreter)
    set_inheritable(channel, False)
    codes, settings = loads(_receive(channel))
    sys.meta_path.insert(0, Delivered(codes))  # type: ignore[arg-type]

    from autoreload.process.guard import serve

    serve(channel, settings)


def _receive(channel: int) -> bytes:
    """One delivery: its length, then its parts."""
    size, parts, have = -1, [], 0
    while have != size:
        part = read(channel, 1 << 16)
        if not part:
            _exit(0)  # autoreload is gone already
        if size < 0:
            size = loads(part)
        else:
            parts.append(part)
            have += len(part)
    return b"".join(parts)
