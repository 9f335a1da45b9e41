"""Files that were edited of late are run in steps: nothing of that is to be seen, and a resume reads what is new."""

from __future__ import annotations

import re

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
    inside = next(one for one in program.chain() if one.facts["kind"] == "inside")
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
