"""A file run in steps is the file run at once, and where it may go on after an edit."""

from __future__ import annotations

import ast
import sys
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoreload.runtime.statements import Steps, imports

SOURCE = b"""\
'''The docstring.'''
from __future__ import annotations
import os
x: Undefined = 1; y = 2
'not a docstring'
import sys
def f():
    import json
@staticmethod
def g(): pass
if __name__ == '__main__':
    import never
"""


def parts(data: bytes) -> list[bytes]:
    """The text of each step."""
    begin, found = 0, []
    for step in Steps(data, "x.py").steps:
        found.append(data[begin : step.end])
        begin = step.end
    return found


def test_each_statement_up_to_the_last_import_is_a_step() -> None:
    """The rest is one: it takes no time, or it cannot be known what it does."""
    found = parts(SOURCE)

    assert [part.split(b"\n")[0] for part in found] == [
        b"'''The docstring.'''",
        b"from __future__ import annotations",
        b"import os",
        b"x: Undefined = 1; y = 2",
        b"'not a docstring'",
        b"import sys",
        b"def f():",
    ]
    assert b"".join(found) == SOURCE


def run(data: bytes) -> dict[str, object]:
    """The names after all steps."""
    module = types.ModuleType("m")
    steps, flags = Steps(data, "x.py"), 0
    if steps.annotates:
        exec("", module.__dict__)
        module.__annotations__ = {}
    for step in steps.steps:
        code, flags = steps.compiled(step, flags)
        exec(code, module.__dict__)
    return module.__dict__


def test_steps_do_what_the_whole_does() -> None:
    """Docstring, annotations that are never evaluated, line numbers."""
    whole = types.ModuleType("m")
    exec(compile(SOURCE, "x.py", "exec", 0, True), whole.__dict__)

    found = run(SOURCE)

    assert found["__doc__"] == "The docstring."
    assert found["__annotations__"] == {"x": "Undefined"}
    assert list(found) == list(whole.__dict__)
    assert found["f"].__code__.co_firstlineno == whole.f.__code__.co_firstlineno  # type: ignore[attr-defined]


@pytest.mark.parametrize("source", [b"x = (", b"return 1", b"x = 1\nglobal x", b"from __future__ import division"])
def test_what_only_the_whole_can_be_blamed_for_is_found_before_anything_is_run(source: bytes) -> None:
    """As without us: nothing of such a file is executed."""
    with pytest.raises(SyntaxError):
        Steps(b"import os\n" + source, "x.py")


RESUMED = {
    "the rest is another": (b"import a\nx = 1\nimport b\n", 2, b"import a\nx = 1\nimport c\n", True),
    "the rest is gone": (b"import a\nx = 1\nimport b\n", 2, b"import a\nx = 1\n", False),
    "what was run is another": (b"import a\nx = 1\nimport b\n", 2, b"import a\nx = 2\nimport b\n", False),
    "an else was appended": (
        b"import a\nif x:\n    y = 1\nimport b\n",
        2,
        b"import a\nif x:\n    y = 1\nelse:\n    y = 2\nimport b\n",
        False,
    ),
    "a blank line follows": (b"import a\nx = 1\nimport b\n", 2, b"import a\nx = 1\n\nimport b\n", True),
    "the block is longer": (
        b"import a\nif x:\n    y = 1\nimport b\n",
        2,
        b"import a\nif x:\n    y = 1\n    z = 1\nimport b\n",
        False,
    ),
    "there are no imports any more": (b"import a\nx = 1\nimport b\n", 2, b"import a\nx = 1\ny = 1\n", False),
    "a statement joined the line": (b"import a\nx = 1\nimport b\n", 2, b"import a\nx = 1; y = 2\nimport b\n", False),
}


@pytest.mark.parametrize("what", RESUMED)
def test_a_file_in_progress_can_go_on_if(what: str) -> None:
    """What was run has to be what it begins with, and to end where it did."""
    before, number, after, answer = RESUMED[what]
    step = next(step for step in Steps(before, "x.py").steps if step.after == number)

    assert Steps(after, "x.py").resumes(before[: step.end], number) is answer


LINES = st.lists(
    st.sampled_from(
        [
            "import a",
            "x = 1",
            "x = 1; y = 2",
            "if x:\n    y = 1",
            "if x:\n    import b\nelse:\n    y = 3",
            "try:\n    import c\nexcept ImportError:\n    y = 4",
            "@d\nclass C:\n    import e",
            "'text'",
            "# only words",
            "",
            "y = '''\nimport f\n'''",
            "x = (1 +\n     2); import g",
        ]
    ),
    max_size=8,
)


@given(LINES, LINES, LINES)
def test_going_on_runs_what_a_new_run_would(same: list[str], old: list[str], new: list[str]) -> None:
    """If it may go on, then what was run and what is left are together the new file, statement by statement."""
    before, after = ("\n".join([*same, *tail]).encode() + b"\n" for tail in (old, new))
    fresh = Steps(after, "x.py")
    for step in Steps(before, "x.py").steps[:-1]:
        if fresh.resumes(before[: step.end], step.after):
            place = fresh.begins(step.after)
            left = b"".join(parts(after)[place:])
            assert before[: step.end] + left == after
            whole = ast.parse(after).body
            halves = [ast.parse(half).body for half in (before[: step.end], left)]
            assert [type(node) for node in whole] == [type(node) for half in halves for node in half]


def test_an_import_in_a_function_is_not_done_when_the_file_is_run() -> None:
    """Nor is one that is for the main program alone."""
    body = ast.parse(SOURCE).body

    assert [imports(statement) for statement in body[-3:]] == [False, False, False]


def test_what_has_annotations_is_one_step_where_they_are_evaluated_late() -> None:
    """Since 3.14, one function tells all of them."""
    found = parts(b"import os\nx: int = 1\nimport sys\ny: int = 2\n")

    if sys.version_info >= (3, 14):
        assert found == [b"import os\n", b"x: int = 1\nimport sys\ny: int = 2\n"]
    else:
        assert found == [b"import os\n", b"x: int = 1\n", b"import sys\n", b"y: int = 2\n"]
