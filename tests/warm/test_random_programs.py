"""Random programs and random edits: what is resumed comes to what Python comes to when it starts now."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.runtime.stage import interpreters
from tests.warm.programs import WAYS, Author
from tests.warm.theatre import Theatre, theatre

EXAMPLES = int(os.environ.get("AUTORELOAD_FUZZ_SCRIPTS", "12"))
_NUMBERS = itertools.count()


def compare(project: Theatre, steps: list[str]) -> None:
    """Both come to the same."""
    found = list(differences(project.warm(), project.cold()))
    assert not found, "\n".join(["", *found, *map(str, project.how), *steps])


def differences(warm: Any, cold: Any, place: str = "") -> Iterator[str]:
    """Where they are not the same."""
    if type(warm) is type(cold) is dict:
        for key in {**warm, **cold}:
            yield from differences(warm.get(key, "-"), cold.get(key, "-"), f"{place}.{key}")
    elif type(warm) is type(cold) is list and len(warm) == len(cold):
        for number, (one, other) in enumerate(zip(warm, cold, strict=True)):
            yield from differences(one, other, f"{place}[{number}]")
    elif warm != cold:
        yield f"{place or 'all'}: warm {warm}, cold {cold}"


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
    main = draw(st.sampled_from((*["app.py"] * 4, *WAYS)))
    words = draw(st.sampled_from(WAYS[main]))
    modern = not python.endswith("python3.9")
    with tempfile.TemporaryDirectory() as folder, theatre(Path(folder), mark, python, words) as project:
        author = Author(draw, project, main, modern)
        author.begin()
        project.run([])
        steps: list[str] = []
        compare(project, steps)
        for _ in range(draw(st.integers(1, 6))):
            changed = [author.change() for _ in range(draw(st.sampled_from((1, 1, 1, 2))))]
            steps.append(", ".join(os.path.relpath(path, project.tree) for path in changed))
            project.run(changed, prepared=draw(st.booleans()))
            compare(project, steps)
        COUNTS.extend((restart[1], restart[2]) for restart in project.how)
        PREPARED.extend(restart[6] for restart in project.how)


COUNTS: list[tuple[bool, str]] = []
PREPARED: list[bool] = []


@pytest.mark.slow
def test_most_of_these_restarts_are_warm() -> None:
    """Control: else the comparison would say nothing. It runs after the other."""
    assert sum(warm for warm, _ in COUNTS) > len(COUNTS) / 4
    assert any(kind == "inside" for warm, kind in COUNTS if warm) or EXAMPLES < 12
    assert any(PREPARED)
