"""Files that were edited of late are run in steps: nothing of that is to be seen, and a resume reads what is new."""

from __future__ import annotations

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
@pytest.mark.parametrize("words", [["-m", "app"], ["-c", "import app"], ["-m", "package"]])
def test_a_module_in_steps_is_a_module(program: Stage, python: str, words: list[str]) -> None:
    """Imported, or run by its name (then as a whole)."""
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
    """Where an object is does not matter, nor that its loader is one of ours."""
    import re

    line = re.sub(r" at 0x\w+", "", line)
    return re.sub(r"<[\w:.]*(SourceFileLoader|Loader) object>", "<loader>", line)


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
