"""Files that change while the program uses them: what a snapshot tells of them is what the program has read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from autoreload.runtime import stepwise
from autoreload.runtime.used import UNSURE, Used, now, seen, signature_of
from tests.runtime.stage import Stage

SLOW = "import time\ntime.sleep(0.16)\n"


def told(program: Stage, name: str) -> Any:
    """How the snapshot before `last` says that this file was used."""
    used = {path: was for snapshot in program.chain() for path, was in snapshot.facts["used"]}
    return used[str(program.folder / name)]


def run(program: Stage, python: str, app: str) -> None:
    """That program; the last snapshot is before `last`."""
    program.write("slow.py", SLOW)
    program.write("last.py", "")
    program.write("app.py", f"{app}\nimport slow, last\n")
    program.start("app.py", python=python)
    assert program.ended() == 0, program.last_words()
    assert program.before("last.py").facts


@pytest.mark.slow
def test_a_module_that_changes_while_it_is_imported_is_not_what_was_used(program: Stage, python: str) -> None:
    """A snapshot is taken later, and would find the new file."""
    leaf = program.write("leaf.py", "open(__file__, 'a').write('# more')\n")

    run(program, python, "import leaf")

    assert told(program, "leaf.py") != signature_of(str(leaf))


@pytest.mark.slow
def test_a_module_that_changes_before_its_bytecode_is_read_is_not_what_was_used(program: Stage, python: str) -> None:
    """The import system has found the bytecode to be that of the old source."""
    leaf = program.write("leaf.py", "value = 1\n")
    run(program, python, "import leaf")
    program.abandon()
    change = """
from importlib.machinery import SourceFileLoader
before = SourceFileLoader.path_stats
def changes_then(self, path):
    found = before(self, path)
    if path.endswith("leaf.py"):
        with open(path, "r+") as file:
            file.write("value = 2")
    return found
SourceFileLoader.path_stats = changes_then
import leaf
assert leaf.value == 1
"""

    run(program, python, change)

    assert leaf.read_text() == "value = 2\n"
    assert told(program, "leaf.py") != signature_of(str(leaf))


@pytest.mark.slow
def test_two_changes_in_one_tick_of_the_clock_are_told_apart(program: Stage, python: str) -> None:
    """Of one size, in one file: nothing but the time tells them apart, and that has not gone on."""
    run(program, python, "for text in 'ab':\n    with open('data', 'w') as f: f.write(text)\n    open('data').close()")

    assert told(program, "data") != signature_of(str(program.folder / "data"))


def test_a_file_that_changed_since_it_may_have_been_read_is_unsure(tmp_path: Path) -> None:
    """And what was not there is not."""
    path = tmp_path / "file"
    before = now()
    assert seen(str(path), before) is None
    path.write_text("")

    assert seen(str(path), before) == UNSURE
    assert seen(str(path), now()) == seen(str(path)) == signature_of(str(path))


def test_a_file_counts_as_what_it_was_at_its_first_use(tmp_path: Path) -> None:
    """Whatever has become of it."""
    path = tmp_path / "file"
    path.write_text("")
    used, first = Used(_untold), signature_of(str(path))
    used.add(str(path))
    path.write_text("more")
    used.add(str(path))

    assert used.files == [(str(path), first)]


@pytest.mark.slow
def test_a_script_that_is_imported_is_in_progress_twice(program: Stage, python: str) -> None:
    """What the outer one has run counts too, though the inner one has not come so far."""
    app = "import slow, time; time.sleep(0.2)\nprint('{}', flush=True)\nimport other\nprint('end')\n"
    program.write("slow.py", SLOW)
    program.write("other.py", "import app\n")
    program.write("app.py", app.format("one"))
    program.start("app.py", python=python, hot={"app.py": 0})
    assert program.ended() == 0, program.last_words()
    inner = program.chain()[-1]
    assert inner.facts["kind"] == "inside"

    program.write("app.py", app.format("two"))
    inner.send("resume", program.settings())

    assert "changed above" in program.answer(inner, "refused")[2]


def _untold(path: str) -> None:
    """Nobody hears what is used."""


@pytest.mark.slow
def test_a_module_that_does_not_compile_was_used_all_the_same(program: Stage, python: str) -> None:
    """The program may go on without it, and would not if it did."""
    program.write("leaf.py", "(\n")
    program.write("slow.py", SLOW)
    program.write("last.py", "")
    program.write("app.py", "try:\n    import leaf\nexcept SyntaxError:\n    import slow, last\n")
    program.start("app.py", python=python, hot={"leaf.py": 0})
    assert program.ended() == 0, program.last_words()

    assert told(program, "leaf.py") == signature_of(str(program.folder / "leaf.py"))


class Resumed:
    """A program that is resumed at each point, after something has happened."""

    def __init__(self, happens: Iterator[None]) -> None:
        self.in_progress: list[stepwise.Begun] = []
        self.hot = {"": 0}
        self.used = Used(_untold)
        self.resumed = 0
        self.telling = SimpleNamespace(uses=_untold)
        self._happens = happens

    def point(self, kind: str, path: str, hot: bool) -> None:
        """As `Program.point`."""
        if next(self._happens, True) is None:
            self.resumed += 1


def test_a_file_that_changes_as_the_program_is_resumed_is_run_as_it_was_judged(tmp_path: Path) -> None:
    """It must not go on in the middle of a file whose beginning is another."""
    path = tmp_path / "m.py"
    path.write_text("x = 1\nimport os\ny = 1\n")
    begun: list[stepwise.Begun] = []

    def happens() -> Iterator[None]:
        path.write_text("x = 1\nimport os\ny = 2\n")
        assert program.in_progress[0].renew() == ""
        begun.extend(program.in_progress)
        path.write_text("x = 3\nimport os\ny = 3\n")
        yield

    names: dict[str, Any] = {}
    program: Any = Resumed(happens())
    assert sum(stepwise.all_of(stepwise.steps_of(program, str(path), names, lambda: None))) == 0

    assert (names["x"], names["y"]) == (1, 2)
    assert begun[0].prefix == b"x = 1\nimport os\ny = 2\n"
    assert program.used.files == [(str(path), begun[0].was)]
    assert begun[0].was != signature_of(str(path))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x = 1\nimport os\ny = 2\n", ""),
        ("x = 2\nimport os\n", "it changed above the point that was reached"),
        ("x = 1\nimport os\ny: int = 1\n", "it changed above the point that was reached"),
        ("x = 1\n(", "it does not compile"),
        (None, "it cannot be read"),
    ],
)
def test_whether_a_file_can_be_gone_on_with(tmp_path: Path, text: str | None, why: str) -> None:
    """An annotation further below makes its dictionary at the top."""
    path = tmp_path / "m.py"
    path.write_text("x = 1\nimport os\ny = 1\n")
    begun = stepwise.Begun(str(path), None)
    begun.runs(begun.steps.steps[0])
    if text is None:
        path.unlink()
    else:
        path.write_text(text)

    assert begun.renew() == why


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "why"),
    [(["-"], "the program comes from the standard input"), ([], "the program comes from the standard input")],
)
def test_no_snapshot_of_what_cannot_be_read_again(program: Stage, python: str, words: list[str], why: str) -> None:
    """One that has been read would go on where another would find the end."""
    source = program.write("source", "print('done', flush=True)\n")
    with source.open() as stdin:
        program.start(*words, python=python, stdin=stdin)

    program.wait_for("done")
    program.process.wait()
    program.hear(1.0)
    assert program.notes == [("refused", why, "")]


@pytest.mark.slow
def test_no_snapshot_where_what_is_opened_cannot_be_seen(program: Stage) -> None:
    """Its warnings name the caller of `open`, so nothing may stand in for that."""
    program.write("source.py", "print('done', flush=True)\n")
    program.start("-X", "warn_default_encoding", "source.py")

    program.wait_for("done")
    program.process.wait()
    program.hear(1.0)
    assert program.notes == [("refused", "-X warn_default_encoding hides what is opened", "")]


@pytest.mark.slow
def test_what_site_reads_counts_where_it_is(program: Stage) -> None:
    """A .pth file that is edited in its place does not change the time of its folder."""
    site = program.folder / "lib" / "site-packages"
    program.write("lib/site-packages/some.pth", "# nothing\n")

    run(program, "python3", f"import sys\nsys.path.append({str(site)!r})")

    assert told(program, "lib/site-packages/some.pth")
    assert told(program, "lib/site-packages")
