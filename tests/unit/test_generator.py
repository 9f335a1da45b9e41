"""Was the generator of `random` seeded?"""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from autoreload.runtime.generator import BLOCKS, follows

WORDS = 624


@given(st.integers(), st.integers(0, (BLOCKS - 1) * WORDS), st.integers(0, WORDS))
def test_what_was_only_drawn_from_follows(seed: int, drawn: int, before: int) -> None:
    """Whatever was drawn, up to some forty thousand numbers."""
    generator = random.Random(seed)
    for _ in range(before):
        generator.getrandbits(32)
    origin = generator.getstate()
    if drawn:
        generator.getrandbits(32 * drawn)

    assert follows(random, origin, generator.getstate())


@given(st.integers(), st.integers())
def test_what_was_seeded_does_not(seed: int, other: int) -> None:
    """Unless with the same seed, which nobody can tell from none."""
    one, two = random.Random(seed), random.Random(other)

    assert follows(random, one.getstate(), two.getstate()) is (one.getstate() == two.getstate())
