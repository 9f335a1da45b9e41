"""An innocent program notices nothing of the runtime: each looks where it could, warm and cold, and sees the same."""

from __future__ import annotations

import sys

import pytest

from tests.runtime.stage import Stage, cold

PROGRAMS = {
    "what open looks like": """
import inspect, io, os, pickle, posix
import slow, leaf
for f in open, io.open_code, os.open, os.execv, os.execve:
    print(f, type(f), inspect.signature(f), f.__self__, inspect.isbuiltin(f), f.__doc__, dir(f) == dir(len))
print(open is io.open, posix.open is os.open, pickle.loads(pickle.dumps(os.open)) is os.open)
print(os.open in os.supports_dir_fd, os.execve in os.supports_fd)
""",
    "mocks of open": """
import io, os
from unittest import mock
import slow, leaf
with mock.patch("builtins.open", mock.mock_open(read_data="x")) as m:
    print(open("nowhere").read(), m.mock_calls)
with mock.patch("os.open", autospec=True) as m:
    os.open("a", 0)
    try:
        os.open()
    except TypeError as error:
        print(error, m.mock_calls)
print(open is io.open, open("leaf.py").read())
""",
    "errors of open": """
import os, signal, traceback
import slow, leaf
class Path:
    def __fspath__(self):
        os.kill(os.getpid(), signal.SIGUSR1)
        return "leaf.py"
def opener(path, flags):
    raise KeyError(path)
signal.signal(signal.SIGUSR1, lambda *_: 1 / 0)
by_opener = "x", "r", 1, None, None, None, True, opener
for words in ("nowhere",), (), ("leaf.py", "qq"), (1.5,), range(20), (Path(),), by_opener:
    for function in open, os.open:
        try:
            try:
                [][0]
            except IndexError:
                function(*words)
        except Exception as error:
            traceback.print_exception(type(error), error, error.__traceback__, chain=False)
            print(repr(error.__context__), flush=True)
""",
    "a file that is opened at the very end": """
import sys
import slow, leaf
class Last:
    def __del__(self, print=print, open=open, OSError=OSError):
        print(open("leaf.py", "rb").read())
        try:
            open("nowhere")
        except OSError as error:
            print(error)
sys.modules["last"] = Last()
last = Last()
last.itself = last
""",
    "a stack": """
import leaf, slow, stack
import faulthandler, sys, traceback
print(len(traceback.extract_stack()))
for name in "no_such_module", "broken", "wrong":
    try:
        __import__(name)
    except Exception:
        traceback.print_exc(file=sys.stdout)
""",
    "what is imported": """
import sys
before = {*sys.modules}
import slow, leaf
print(sorted({*sys.modules} - before), [name for name in sys.path_importer_cache if "autoreload" in name])
""",
    "its children": """
import os, subprocess, sys
import slow, leaf
look = "import os, sys; print(sorted({*os.environ} - {'MARK'}), sys.path[:1], len(sys.meta_path), open, "
look += "[m for m in sys.modules if 'autoreload:' in m])"
print(subprocess.run([sys.executable, "-c", look], capture_output=True).stdout)
print(os.popen("env | grep -c -e AUTORELOAD_ -e PYTHONPATH").read(), flush=True)
child = os.fork()
if not child:
    import json
    print(open("leaf.py").read(), leaf.value, flush=True)
    os._exit(0)
print(os.waitpid(child, 0)[1])
""",
    "its workers": """
import multiprocessing
def work(number):
    return 2 * number
if __name__ == "__main__":
    import concurrent.futures
    import slow, leaf
    for method in "fork", "spawn", "forkserver":
        context = multiprocessing.get_context(method)
        with context.Pool(1) as pool:
            print(method, pool.map(work, [leaf.value]))
    with concurrent.futures.ProcessPoolExecutor(1) as pool:
        print(pool.submit(work, leaf.value).result())
    with multiprocessing.Manager() as manager:
        print(list(manager.list([leaf.value])))
""",
    "a daemon": """
import os, sys
import slow, leaf
reader, writer = os.pipe()
if os.fork():
    os.close(writer)
    print(os.read(reader, 100))
    sys.exit()
os.setsid()
if os.fork():
    os._exit(0)
os.chdir("/")
import json
os.write(writer, b"daemon %d" % leaf.value)
""",
    "finders of its own": """
import importlib.machinery, importlib.metadata, importlib.util, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        return importlib.machinery.ModuleSpec(name, self) if name == "virtual" else None
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        module.value = 5
sys.meta_path.insert(0, Finder())
import virtual
import slow, leaf
print(virtual.value, leaf.__spec__.origin == leaf.__file__, type(leaf.__loader__), importlib.util.find_spec("none"))
print(importlib.reload(leaf).value)
sys.meta_path[:] = sys.meta_path[:1]
try:
    import sndhdr.none
except ImportError as error:
    print(error)
""",
}
FILES = {
    "slow.py": "import time\ntime.sleep(0.16)  # so that a snapshot is due\n",
    "leaf.py": "value = 1\n",
    "stack.py": "import sys, traceback\ntraceback.print_stack(file=sys.stdout)\n",
    "broken.py": "x = (\n",
    "wrong.py": "1 / 0\n",
}
WAYS = [
    *(["-u"], ["-O"], ["-OO"], ["-s"], ["-b"], ["-bb", "-W", "error"], ["-X", "dev", "-W", "error"]),
    *(["-X", "frozen_modules=off"], ["-X", "utf8"], ["-X", "tracemalloc"]),
]
LOOK = """
import os, sys, warnings
import slow, leaf
for what in sys.flags, sys.warnoptions, sys._xoptions, sys.path, sys.argv, getattr(sys, "orig_argv", ""), __file__:
    print(what)
print(warnings.filters, sorted(name for name in os.environ if "PYTHON" in name or "AUTORELOAD" in name))
print(open("leaf.py", encoding="utf-8").read(), leaf.value)
"""


def compare(program: Stage, python: str, words: list[str]) -> None:
    """Warm, cold, resumed: the same words, and the same end."""
    for name, text in FILES.items():
        program.write(name, text)
    program.start(*words, python=python)
    code = program.ended()
    assert code == 0
    assert sorted(program.last_words()) == sorted(cold(program.folder, words, python))

    program.write("leaf.py", "value = 2\n")
    program.forget_output()
    program.resume(program.last_without("leaf.py"))
    assert program.ended() == code
    assert sorted(program.last_words()) == sorted(cold(program.folder, words, python))


@pytest.mark.slow
@pytest.mark.parametrize("what", PROGRAMS)
def test_a_program_that_looks_at(program: Stage, python: str, what: str) -> None:
    """The order of standard output and standard error apart."""
    program.write("app.py", PROGRAMS[what])
    compare(program, python, ["app.py"])


@pytest.mark.slow
@pytest.mark.parametrize("options", WAYS, ids=" ".join)
def test_a_program_that_is_started_with(program: Stage, options: list[str]) -> None:
    """However Python is called: no warning, no flag, no path of ours."""
    program.write("app.py", LOOK)
    compare(program, sys.executable, [*options, "app.py"])
