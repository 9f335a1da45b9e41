"""Which snapshots the memory suffices for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from autoreload.warm.memory import Memory, too_much


def test_the_oldest_goes_first_and_what_the_last_edit_needs_goes_last() -> None:
    """Never the first, nor the last."""
    assert too_much([5, 5, 5, 5], 20, ()) is None
    assert too_much([5, 5, 5, 5], 19, ()) == 1
    assert too_much([5, 5, 5, 5], 19, {1}) == 2
    assert too_much([5, 5, 5], 14, {1}) == 1
    assert too_much([5, 5], 1, ()) is None
    assert too_much([5], 1, ()) is None


def test_where_nobody_knows_what_is_free_all_stay() -> None:
    """A container without /proc/meminfo."""
    assert too_much([5, 5, 5, 5], None, ()) is None


@given(st.lists(st.integers(0, 9), max_size=9), st.integers(0, 40), st.sets(st.integers(0, 9)))
def test_it_comes_to_an_end_with_no_more_than_that_or_with_two(
    sizes: list[int], allowed: int, needed: set[int]
) -> None:
    """Whatever they take."""
    left = list(enumerate(sizes))
    while (place := too_much([size for _, size in left], allowed, _places(left, needed))) is not None:
        assert 0 < place < len(left) - 1
        del left[place]

    assert len(left) <= 2 or sum(size for _, size in left) <= allowed


def _places(left: list[tuple[int, int]], needed: set[int]) -> set[int]:
    return {place for place, (name, _) in enumerate(left) if name in needed}


def test_a_quarter_of_what_is_free_counts_what_they_have_already() -> None:
    """Else each of them would make less room for the others."""
    chosen = Memory(100)
    assert chosen.allowed(0) == chosen.allowed(1 << 30) == 100

    share = Memory()
    before, after = share.allowed(0), share.allowed(400 << 30)
    assert before is not None
    assert after is not None
    assert after - before > 90 << 30
