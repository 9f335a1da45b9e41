"""A source file taken apart at its top-level statements, so that it can be run in steps.

Between two steps a snapshot can be taken. Only a file that was edited of late is run so: its code is the same as that
of the whole, but it is compiled each time.

Pure but for `check`, `Steps` and what they are given.
"""

from __future__ import annotations

import _ast
import sys

from .quiet import quietly

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType
    from typing import Any

ONLY_AST = 0x400
"""PyCF_ONLY_AST; the module ast would have to be imported for its name."""
_BLOCKS = (_ast.Try, _ast.If, _ast.With)
_SCOPES = (_ast.FunctionDef, _ast.AsyncFunctionDef, _ast.ClassDef, _ast.Lambda)
_IMPORTS = (_ast.Import, _ast.ImportFrom)


class Step:
    """Some statements that are run at once."""

    def __init__(self, first: int, after: int, end: int) -> None:
        self.first = first
        """Number of the first of its statements."""
        self.after = after
        """Number of the first statement after it."""
        self.end = end
        """Bytes of the file up to the end of its last line."""


class Steps:
    """The steps of one source file. SyntaxError, ValueError: as compiling it would raise."""

    def __init__(self, data: bytes, path: str, is_checked: bool = False) -> None:
        """`is_checked`: it was compiled as a whole, which blames it for more than its parts, and warns."""
        if not is_checked:
            quietly(compile, data, path, "exec", 0, True)
        self.data = data
        self._path = path
        self._body: list[Any] = quietly(compile, data, path, "exec", ONLY_AST, True).body
        self._lines = _line_ends(data)
        self.steps = self._divide()

    def _divide(self) -> list[Step]:
        """A step for each statement up to the last import, one for the rest."""
        body = self._body
        last = max((number + 1 for number, statement in enumerate(body) if imports(statement)), default=0)
        if self._annotates_late:
            # One function tells all annotations: what has some is compiled as one.
            last = min(last, next(number for number, statement in enumerate(body) if _has(statement, _ast.AnnAssign)))
        steps, first = [], 0
        while first < len(body):
            after = first + 1 if first < last else len(body)
            while after < len(body) and self._first_line(body[after]) <= body[after - 1].end_lineno:
                after += 1  # they share a line
            end = len(self.data) if after == len(body) else self._lines[body[after - 1].end_lineno - 1]
            steps.append(Step(first, after, end))
            first = after
        return steps

    def _first_line(self, statement: Any) -> int:
        decorators = getattr(statement, "decorator_list", [])
        return min([int(statement.lineno), *(int(decorator.lineno) for decorator in decorators)])

    @property
    def _annotates_late(self) -> bool:
        """Are there annotations that are evaluated when they are asked for (PEP 649)?"""
        return sys.version_info >= (3, 14) and self.annotates and not any(map(_is_old_style, self._body))

    def first_names(self) -> list[tuple[str, Any]]:
        """The names that the whole makes first of all, if it `annotates`."""
        if self._annotates_late:
            return [("__annotate__", None), ("__conditional_annotations__", set())]
        conditional: list[tuple[str, Any]] = [("__conditional_annotations__", set())]
        return [*(conditional if sys.version_info >= (3, 14) else []), ("__annotations__", {})]

    @property
    def annotates(self) -> bool:
        """Will the module have `__annotations__`? The whole makes it first of all."""
        return any(_has(statement, _ast.AnnAssign) for statement in self._body)

    def imported(self) -> set[str]:
        """The modules that it imports, without what is imported by its functions or only as the main program."""
        found = set()
        for statement in self._body:
            if imports(statement):
                for node in _nodes(statement):
                    if isinstance(node, _ast.Import):
                        found |= {alias.name for alias in node.names}
                    elif isinstance(node, _ast.ImportFrom):
                        found.add(node.module or ".")
        return found - {"__future__"}

    def begins(self, number: int) -> int:
        """Which step begins with statement `number`; -1: none."""
        return next((place for place, step in enumerate(self.steps) if step.first == number), -1)

    def compiled(self, step: Step, flags: int) -> tuple[CodeType, int]:
        """Its code, and the flags for what follows: `from __future__` holds for the rest of the file."""
        chunk = self._body[step.first : step.after]
        for statement in chunk:
            if isinstance(statement, _ast.ImportFrom) and statement.module == "__future__":
                flags |= _future(statement)
        if step.first and _is_text(chunk[0]):
            # Not a docstring: that is only the first of all statements.
            nothing = _ast.Pass(lineno=chunk[0].lineno, col_offset=0, end_lineno=chunk[0].lineno, end_col_offset=0)
            chunk = [nothing, *chunk]
        module = _ast.Module(body=chunk, type_ignores=[])
        return quietly(compile, module, self._path, "exec", flags, True), flags

    def resumes(self, prefix: bytes, number: int) -> bool:
        """Can it go on with statement `number` for a file that began with `prefix`, all of which has been run?"""
        if not self.data.startswith(prefix):
            return False
        place = self.begins(number)
        # An `else:` that was appended makes the statement longer than what was run.
        return place > 0 and self.steps[place - 1].end == len(prefix)


def imports(statement: Any) -> bool:
    """Does it import something when it is run, other than as the main program?"""
    if isinstance(statement, _IMPORTS):
        return True
    if not isinstance(statement, _BLOCKS) or _is_main_guard(statement):
        return False
    return _has(statement, _IMPORTS)


def _has(statement: Any, kinds: Any) -> bool:
    """Is there a node of these kinds in it, and not in a scope of its own?"""
    return any(isinstance(node, kinds) for node in _nodes(statement))


def _nodes(statement: Any) -> Iterator[Any]:
    """It, and what is in it, but for what is in a scope of its own."""
    todo = [statement]
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, _SCOPES):
            for field in node._fields:
                value = getattr(node, field, None)
                todo += value if isinstance(value, list) and value and isinstance(value[0], _ast.AST) else []


def _is_main_guard(statement: Any) -> bool:
    test = getattr(statement, "test", None)
    return isinstance(test, _ast.Compare) and isinstance(test.left, _ast.Name) and test.left.id == "__name__"


def _is_text(statement: Any) -> bool:
    value = getattr(statement, "value", None)
    return isinstance(statement, _ast.Expr) and isinstance(value, _ast.Constant) and isinstance(value.value, str)


def _is_old_style(statement: Any) -> bool:
    """Is it `from __future__ import annotations`?"""
    return (
        isinstance(statement, _ast.ImportFrom)
        and statement.module == "__future__"
        and any(alias.name == "annotations" for alias in statement.names)
    )


def _future(statement: Any) -> int:
    import __future__

    flags = 0
    for alias in statement.names:
        flags |= getattr(__future__, alias.name).compiler_flag
    return flags


def _line_ends(data: bytes) -> list[int]:
    """Where each line ends. As the tokenizer has it: \\n, \\r\\n and \\r end one, a form feed does not."""
    ends, position = [], 0
    for line in data.splitlines(True):
        position += len(line)
        ends.append(position)
    return ends
