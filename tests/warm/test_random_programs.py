"""Random programs and random edits: what is resumed comes to what Python comes to when it starts now."""

from __future__ import annotations

import itertools
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.runtime.stage import interpreters
from tests.warm.theatre import Theatre, theatre

EXAMPLES = int(os.environ.get("AUTORELOAD_FUZZ_SCRIPTS", "12"))
NAMES = ("m0", "m1", "m2", "m3")
IMPORTED = (*NAMES, "p", "p.q", "maybe", "m1.inner", "plugins.one")
DATA = ("d0.txt", "d1.txt")
MADE = ("maybe.py", "m1/__init__.py", "p/r.py", "plugins/one.py", "opt.txt", "d2.txt")
_NUMBERS = itertools.count()

STATEMENTS = st.one_of(
    st.sampled_from(IMPORTED).map(lambda name: f"import {name}"),
    st.sampled_from(IMPORTED).map(
        lambda name: f"try:\n    import {name}\nexcept ImportError:\n    said.append('no {name}')"
    ),
    st.sampled_from(("q", "r", "x")).map(
        lambda name: f"try:\n    from p import {name}\nexcept ImportError:\n    said.append('no {name} in p')"
    ),
    st.integers(0, 9).map(lambda number: f"x = {number}"),
    st.integers(0, 9).map(lambda number: f"said.append((__name__, {number}))"),
    st.integers(0, 9).map(lambda number: f"x = {number}; y = {number}"),
    st.integers(0, 3).map(lambda number: f"if len(said) % 4 == {number}:\n    z = 1"),
    st.integers(0, 3).map(lambda number: f"if len(said) % 4 == {number}:\n    z = 1\nelse:\n    z = 2; import m3"),
    st.integers(0, 9).map(lambda number: f"'text {number}'"),
    st.integers(0, 9).map(lambda number: f"v: int = {number}"),
    st.sampled_from(DATA).map(lambda name: f"said.append(open({name!r}).read())"),
    st.sampled_from((*DATA, *MADE)).map(lambda name: f"said.append(os.path.exists({name!r}))"),
    st.sampled_from(("said.append(sorted(os.listdir('plugins')))", "said.append(random.random())", "random.seed(3)")),
    st.integers(0, 9).map(lambda number: f"def f():\n    import m0\n    return {number}\nsaid.append(f())"),
    st.sampled_from(("m0.py", "m2.py")).map(lambda name: f"said.append(len(open({name!r}).read()))"),
)
HEAD = "import os, random\nfrom recorder import said\n"
MAIN_HEAD = """\
import atexit, recorder
atexit.register(recorder.end)
random = __import__('random')
random.seed(1)
"""


@st.composite
def sources(draw: st.DrawFn) -> str:
    """The source of a module."""
    future = draw(st.sampled_from(("", "", "from __future__ import annotations\n", "'''Its docstring.'''\n")))
    return future + HEAD + "".join(f"{line}\n" for line in draw(st.lists(STATEMENTS, max_size=6)))


@st.composite
def main_sources(draw: st.DrawFn) -> str:
    """That of the main script: whatever happens, it writes down what it came to."""
    body = "".join(f"{line}\n" for line in draw(st.lists(STATEMENTS, min_size=1, max_size=7)))
    return f"{MAIN_HEAD}{HEAD}{body}"


def edited(draw: st.DrawFn, text: str, main: bool) -> str:
    """A little change somewhere, as a person makes it."""
    lines = text.splitlines()
    first = 6 if main else 2
    place = draw(st.integers(min(first, len(lines)), len(lines)))
    added = draw(STATEMENTS).splitlines()
    kind = draw(st.sampled_from(("insert", "insert", "delete", "else", "append", "space")))
    if kind == "else":
        return text + "else:\n    said.append('else')\n"
    if kind == "delete" and place < len(lines):
        del lines[place]
    elif kind == "space":
        lines.insert(place, "")
    else:
        lines = [*lines, *added] if kind == "append" else [*lines[:place], *added, *lines[place:]]
    return "\n".join(lines) + "\n"


def change(draw: st.DrawFn, project: Theatre) -> str:
    """Do one thing to the project: the path of what changed."""
    there = [str(path.relative_to(project.tree)) for path in project.tree.rglob("*") if path.is_file()]
    there = sorted(name for name in there if "__pycache__" not in name and name != "recorder.py")
    kind = draw(st.sampled_from(("edit", "edit", "edit", "edit", "edit", "new", "remove", "rewrite")))
    modules = [name for name in there if name.endswith(".py")]
    if kind == "new":
        name = draw(st.sampled_from(MADE))
        return project.write(name, draw(sources()) if name.endswith(".py") else "made")
    removable = [name for name in there if name != "app.py"]
    if kind == "remove" and removable:
        return project.remove(draw(st.sampled_from(removable)))
    if kind == "rewrite":
        name = draw(st.sampled_from(there))
        if name.endswith(".py"):
            return project.write(name, draw(main_sources() if name == "app.py" else sources()))
        return project.write(name, f"data {draw(st.integers(0, 99))}")
    name = draw(st.sampled_from(modules))
    return project.write(name, edited(draw, (project.tree / name).read_text(), name == "app.py"))


def begin(draw: st.DrawFn, project: Theatre) -> None:
    """A whole program."""
    project.write("app.py", draw(main_sources()))
    for name in (*(f"{name}.py" for name in NAMES), "p/__init__.py", "p/q.py"):
        project.write(name, draw(sources()))
    for name in DATA:
        project.write(name, "data")
    project.write("plugins/zero.txt", "")


def compare(project: Theatre, steps: list[str]) -> None:
    """Both come to the same."""
    warm = project.warm()
    cold = project.cold()
    assert warm == cold, f"\n{project.how}\n" + "\n".join(steps)


@pytest.mark.slow
@settings(
    max_examples=EXAMPLES,
    phases=[Phase.generate],
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
    print_blob=True,
)
@given(st.data())
def test_a_resumed_program_comes_to_what_a_new_one_does(data: st.DataObject) -> None:
    """Modules, failed look-ups, data files, an `else:` that is appended, files that come and go, shadowing packages."""
    draw: Any = data.draw
    mark = f"random-{os.getpid()}-{next(_NUMBERS)}-"
    python = draw(st.sampled_from(interpreters()))
    with tempfile.TemporaryDirectory() as folder, theatre(Path(folder), mark, python) as project:
        begin(draw, project)
        project.run([])
        steps: list[str] = []
        compare(project, steps)
        for _ in range(draw(st.integers(1, 5))):
            changed = [change(draw, project) for _ in range(draw(st.sampled_from((1, 1, 1, 2))))]
            steps.append(", ".join(os.path.relpath(path, project.tree) for path in changed))
            project.run(changed, prepared=draw(st.booleans()))
            compare(project, steps)
        COUNTS.extend(restart[1] for restart in project.how)
        PREPARED.extend(restart[5] for restart in project.how)


COUNTS: list[bool] = []
PREPARED: list[bool] = []


@pytest.mark.slow
def test_most_of_these_restarts_are_warm() -> None:
    """Control: else the comparison would say nothing. It runs after the other."""
    assert COUNTS.count(True) > len(COUNTS) / 4
    assert any(PREPARED)
