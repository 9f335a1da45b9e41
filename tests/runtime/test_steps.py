"""Files that were edited of late are run in steps: nothing of that is to be seen, and a resume reads what is new."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from tests.runtime.stage import Stage, cold

END = 1 << 20
"""An edit at the end."""
SLOW = "import time\ntime.sleep(0.05)\n"
APP = """\
'''Its docstring.'''
from __future__ import annotations
import slow, sys, os
x: Unknown = 1
import leaf
def where():
    frame = sys._getframe()
    names = []
    while frame:
        names.append((frame.f_code.co_name, frame.f_lineno))
        frame = frame.f_back
    return names
class C:
    '''Of it.'''
if __name__ == "__main__":
    names = ["__name__", "__doc__", "__package__", "__spec__", "__file__", "__cached__", "__annotations__"]
    print([(name, globals()[name]) for name in names], list(globals())[:10])
    print(sys.path[0], sys.argv, where()[:2], C.__module__, C.__doc__, leaf.value)
    print(sys.modules["__main__"].__dict__ is globals(), isinstance(__builtins__, dict))
"""
ERROR = "import slow, sys\nimport leaf\ndef f():\n    raise ValueError('wrong')\nf()\n"


def write(program: Stage, app: str) -> None:
    """The program, with a module that takes a moment."""
    program.write("slow.py", SLOW)
    program.write("leaf.py", "value = 1\n")
    program.write("app.py", app)


@pytest.mark.slow
@pytest.mark.parametrize("source", [APP, ERROR, "import slow\nimport sys\nsys.exit('bye')\n", "x = (\n"])
def test_a_script_in_steps_is_a_script(program: Stage, python: str, source: str) -> None:
    """The same names, path and stack, the same traceback, the same end."""
    write(program, source)

    program.start("app.py", "word", python=python, hot={"app.py": END})
    code = program.ended()

    assert program.last_words() == cold(program.folder, ["app.py", "word"], python)
    assert code == (0 if source == APP else 1)
    assert any(snapshot.facts["kind"] == "inside" for snapshot in program.chain()) is (source != "x = (\n")


@pytest.mark.slow
@pytest.mark.parametrize("source", [APP, ERROR, "import slow\nimport sys\nsys.exit('bye')\n", "x = (\n"])
@pytest.mark.parametrize("words", [["-m", "app"], ["-m", "package"], ["-m", "package.inner"], ["folder"]])
def test_a_module_that_is_run_in_steps_is_that_module(
    program: Stage, python: str, words: list[str], source: str
) -> None:
    """As with a script."""
    write(program, "" if words[0] == "folder" else source)
    for name in ("package/__main__.py", "package/inner.py", "folder/__main__.py"):
        program.write(name, source.replace("import slow", "import sys\nsys.path.append('.')\nimport slow"))
    program.write("package/__init__.py", "import sys\n")
    hot = dict.fromkeys(("app.py", "package/__main__.py", "package/inner.py", "folder/__main__.py"), END)

    program.start(*words, "word", python=python, hot=hot)
    code = program.ended()

    expected = cold(program.folder, [*words, "word"], python)
    assert [without_address(line) for line in program.last_words()] == [without_address(line) for line in expected]
    assert code == (0 if source == APP else 1)
    assert any(snapshot.facts["kind"] == "inside" for snapshot in program.chain()) is (source != "x = (\n")


@pytest.mark.slow
@pytest.mark.parametrize("words", [["-c", "import app"], ["-m", "package"]])
def test_a_module_in_steps_is_a_module(program: Stage, python: str, words: list[str]) -> None:
    """Imported, by whatever."""
    write(program, APP)
    program.write("package/__init__.py", "")
    program.write(
        "package/__main__.py", "from app import *\nimport app\nprint(app.leaf.value, app.__doc__, app.__spec__)"
    )

    program.start(*words, python=python, hot={"app.py": END, "package/__main__.py": END})
    code = program.ended()

    expected = cold(program.folder, words, python)
    assert [without_address(line) for line in program.last_words()] == [without_address(line) for line in expected]
    assert code == 0


def without_address(line: str) -> str:
    """Where an object is does not matter."""
    return re.sub(r" at 0x\w+", "", line)


@pytest.mark.slow
def test_the_rest_of_a_script_is_read_again(program: Stage, python: str) -> None:
    """From the last boundary before the edit."""
    write(program, "import slow\nprint('begins', flush=True)\nimport leaf\nprint('one', flush=True)\n")
    program.start("app.py", python=python, hot={"app.py": END})
    assert program.ended() == 0

    write(program, "import slow\nprint('begins', flush=True)\nimport leaf\nprint('two', flush=True)\n")
    inside = [one for one in program.chain() if one.facts["kind"] == "inside"][-1]
    program.resume(inside, hot={"app.py": END})

    assert program.ended() == 0
    assert program.last_words() == ["begins", "one", "two"]


@pytest.mark.slow
def test_a_script_whose_beginning_changed_is_refused(program: Stage, python: str) -> None:
    """So is one that does not compile: nothing of it would be run by a cold start."""
    write(program, "import slow\nprint('begins', flush=True)\nimport leaf\nprint('one', flush=True)\n")
    program.start("app.py", python=python, hot={"app.py": END})
    assert program.ended() == 0
    inside = [one for one in program.chain() if one.facts["kind"] == "inside"][-1]

    for source, why in (("import slow\nprint('other')\nimport leaf\n", "changed above"), ("import slow\n(", "compile")):
        write(program, source)
        inside.send("resume", program.settings())
        assert why in program.answer(inside, "refused")[2]


STACK = """\
import sys, traceback, warnings
import slow
def outside():
    frame, names = sys._getframe(1), []
    while frame:
        names.append((frame.f_code.co_filename.rpartition("/")[2], frame.f_code.co_name, frame.f_lineno))
        frame = frame.f_back
    return names
PATTERN = "\\d" is 1
warnings.warn("from here")
warnings.warn("from who called", stacklevel=2)
print(outside(), flush=True)
traceback.print_stack()
import leaf
"""
LOOKS = {
    "stack and warnings": STACK,
    "inspect": "import inspect, slow\ndef f():\n    pass\nclass C: pass\n"
    "print(inspect.getsource(f), inspect.getfile(C), inspect.stack()[-1].filename, inspect.currentframe().f_back)\n",
    "spawn": "import multiprocessing, slow\ndef work(queue):\n    queue.put(__name__)\n"
    "if __name__ == '__main__':\n    context = multiprocessing.get_context('spawn')\n    queue = context.Queue()\n"
    "    child = context.Process(target=work, args=(queue,))\n    child.start()\n"
    "    print(queue.get())\n    child.join()\n",
    "pickle": "import pickle, slow\nclass C: pass\nprint(pickle.dumps(C()), pickle.loads(pickle.dumps(C)) is C)\n",
    "pdb": "import pdb, sys, slow\nvalue = 1\n"
    "debugger = pdb.Pdb(stdin=open('commands'), stdout=sys.stdout, nosigint=True, readrc=False)\n"
    "debugger.set_trace()\nvalue = 2\nvalue = 3\n",
    "modules": "import sys, slow\nprint(sorted(name for name in sys.modules if name not in "
    "('_ctypes', '_socket', '__future__', 'select', '_functools', 'itertools', 'marshal', '_ast') "
    "and name not in ('errno', '_operator') and 'autoreload' not in name))\n",
    "an exception": "import atexit, slow\natexit.register(lambda: print(globals().get('__file__')))\n1 / 0\n",
    "an exit": "import atexit, sys, slow\natexit.register(lambda: print(globals().get('__file__')))\nsys.exit(2)\n",
    "an interrupt": "import slow\nraise KeyboardInterrupt\n",
    "an attribute error": "import slow\nslow.nothing\n",
    "a chain": "import slow\ntry:\n    import missing\nexcept ImportError as error:\n    raise ValueError from error\n",
    "runpy": "import runpy, slow\nprint(runpy.run_path('leaf.py')['value'], runpy.__spec__.name)\n",
}


@pytest.mark.slow
@pytest.mark.parametrize("look", LOOKS)
def test_a_script_that_nobody_edited_sees_no_difference(program: Stage, python: str, look: str) -> None:
    """It is run in steps all the same, for it may be edited first."""
    write(program, LOOKS[look])
    program.write("commands", "where\nnext\nwhere\ncontinue\n")

    program.start("app.py", python=python)
    code = program.ended()

    expected, status = cold_end(program, python)
    assert [without_address(line) for line in program.last_words()] == [without_address(line) for line in expected]
    assert code == status


def cold_end(program: Stage, python: str) -> tuple[list[str], int]:
    """Its output, in the order in which it is written, and its exit code."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [python, "app.py"], cwd=program.folder, env=environ, stdout=-1, stderr=subprocess.STDOUT, text=True, timeout=60
    )
    return done.stdout.splitlines(), done.returncode


@pytest.mark.slow
@pytest.mark.parametrize("wrong", ["1 / 0\n", "import missing\n", "x = (\n", "raise SystemExit('bye')\n"])
def test_a_module_in_steps_fails_as_any_module(program: Stage, python: str, wrong: str) -> None:
    """No line of the traceback is ours."""
    write(program, f"import slow\nimport leaf\ndef f():\n    pass\n{wrong}")

    program.start("-c", "import app", python=python, hot={"app.py": END})
    program.ended()

    assert program.last_words() == cold(program.folder, ["-c", "import app"], python)


@pytest.mark.slow
def test_a_module_in_steps_warns_once_and_keeps_its_bytecode(program: Stage, python: str) -> None:
    """As the import system does when it has to compile it; and no more when it need not."""
    write(program, "import slow\nimport leaf\nx = 1 is 2\n")
    for _ in range(2):
        program.start("-c", "import app", python=python, hot={"app.py": END})
        program.ended()
        program.abandon()

    assert sum("SyntaxWarning" in line for line in program.last_words()) == 1
    assert list((program.folder / "__pycache__").glob("app.*.pyc"))


WRONG = {
    "an error": "import slow\nraise ValueError('wrong')\n",
    "an import that fails": "import slow\nimport nowhere\n",
    "what does not compile": "import slow\nx = (\n",
    "what the compiler warns of": "import slow\nx = 1\ny = x is 1\nimport sys\nassert (x, 'always')\n",
    "a warning about its importer": "import slow, warnings\nwarnings.warn('old', stacklevel=2)\n",
}


@pytest.mark.slow
@pytest.mark.parametrize("wrong", WRONG)
def test_of_a_module_in_steps_tracebacks_and_warnings_know_nothing(program: Stage, python: str, wrong: str) -> None:
    """They name the files of the program alone."""
    program.write("slow.py", SLOW)
    program.write("leaf.py", WRONG[wrong])
    program.write("app.py", "import leaf\n")

    program.start("app.py", python=python, hot={"leaf.py": END, "app.py": 0})
    program.ended()
    program.write("leaf.py", WRONG[wrong])  # its bytecode is gone

    assert program.last_words() == cold(program.folder, ["app.py"], python)


ANNOTATED = """\
import slow, sys
if slow:
    x: int = 1
import leaf
y: Unknown = 2
class C:
    z: Unknown
def f(a: Unknown): pass
print(sorted(name for name in globals() if name[:5] == "__ann"), C.__dict__.get("__annotations__", "none").__class__)
try:
    print(sys.modules[__name__].__annotations__)
except NameError as error:
    print(error)
"""


@pytest.mark.slow
@pytest.mark.parametrize("future", ["", "from __future__ import annotations\n"])
@pytest.mark.parametrize("words", [["app.py"], ["-c", "import app"]])
def test_annotations_are_what_they_are_in_one_piece(program: Stage, python: str, words: list[str], future: str) -> None:
    """Since 3.14 they are evaluated when they are asked for."""
    late = future or python.endswith("3.14")
    write(program, future + (ANNOTATED if late else ANNOTATED.replace("Unknown", "str")))

    program.start(*words, python=python, hot={"app.py": END})
    program.ended()

    assert program.last_words() == cold(program.folder, words, python)
