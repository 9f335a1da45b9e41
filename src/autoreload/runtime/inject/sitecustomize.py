"""The way in: Python imports the first `sitecustomize` on its path when it starts, and PYTHONPATH put this one first.

It must parse on every Python there is. It leaves no trace: it takes itself out of the environment (the program's
children are none of our business), out of sys.path and out of sys.modules, then hands over to the user's own
sitecustomize. Where there is none, the ImportError of that leaves this file, and `site` takes it for what it is.
"""

import os
import sys


def _leave(variable):  # type: (str) -> str
    """Put the environment and the path back to what they were without us. Returns what the variable held."""
    here = os.path.dirname(os.path.abspath(__file__))
    told = os.environ.pop(variable, "")
    before, _, told = told.partition(" ")
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    alone = entries == [here]
    if here in entries:
        position = entries.index(here)
        if alone and before != "empty":
            del os.environ["PYTHONPATH"]
        else:
            # Where something was put around nothing (`src:$PYTHONPATH`), it had been around an empty entry.
            entries[position : position + 1] = [""] if before != "set" else []
            os.environ["PYTHONPATH"] = os.pathsep.join(entries)
    if here in sys.path:
        position = sys.path.index(here)
        del sys.path[position]
        if not alone and before != "set" and os.getcwd() not in sys.path:
            sys.path.insert(position, os.getcwd())  # which is what an empty entry means
    sys.path_importer_cache.pop(here, None)
    return told


def _enter(told):  # type: (str) -> None
    """Load the runtime. Whatever goes wrong in it is not to be the program's problem."""
    if sys.implementation.name != "cpython" or not (3, 9) <= sys.version_info[:2] <= (3, 14):
        _decline(told)
        return
    try:
        from _frozen_importlib_external import SourceFileLoader, spec_from_file_location

        name = "autoreload:runtime"
        folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        path = os.path.join(folder, "__init__.py")
        loader = SourceFileLoader(name, path)
        spec = spec_from_file_location(name, path, loader=loader, submodule_search_locations=[folder])
        module = type(sys)(name)
        module.__spec__, module.__path__, module.__package__ = spec, [folder], name
        sys.modules[name] = module
        loader.exec_module(module)
        begin = __import__(name + ".begin", fromlist=["begin"]).begin
    except Exception:
        return
    begin(told)


def _decline(told):  # type: (str) -> None
    """Tell the tool, as protocol.note does, that this is no Python for the runtime."""
    try:
        import _socket
        from marshal import dumps, loads

        why = "it runs on %s %d.%d, not on CPython 3.9 to 3.14" % ((sys.implementation.name,) + sys.version_info[:2])  # noqa: RUF005, UP031
        socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM)
        socket.setblocking(False)
        socket.sendto(dumps(("refused", why, ""), 2), loads(bytes.fromhex(told))["warm"]["address"] + b".notes")
        socket.close()
    except Exception:
        return


_own = sys.modules.pop(__name__, None)  # held: Python 2 empties a module that nobody has
_told = _leave("AUTORELOAD_RUNTIME")
if _told and sys.version_info >= (3, 3):
    _enter(_told)

import sitecustomize  # type: ignore[import-not-found]  # noqa: E402, F401
