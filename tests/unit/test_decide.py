"""Which snapshots may serve a change."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoreload.warm.decide import Decision, Known, Touched, decide, superfluous
from autoreload.warm.hot import MOST, Hot, common_prefix

SEEN = Touched(is_there=True, was_there=True, was_opened=True)
CHAIN = [Known({"/site"}), Known({"/site", "/a.py"}), Known({"/site", "/a.py", "/b.py", "/c.yaml"}, ["/main.py"])]


@pytest.mark.parametrize(
    ("changed", "candidates"),
    [
        ("/z.py", (2, 1, 0)),
        ("/b.py", (1, 0)),
        ("/a.py", (0,)),
        ("/c.yaml", (1, 0)),
        ("/main.py", (2, 1, 0)),
    ],
)
def test_the_latest_that_has_not_used_it_is_the_best(changed: str, candidates: tuple[int, ...]) -> None:
    """A file of which only the beginning was run is left to the snapshot to judge."""
    assert decide(CHAIN, {changed: SEEN}, ())[:2] == (candidates, "")


def test_what_is_not_what_it_was_counts_though_nobody_told_of_it() -> None:
    """An installed package, a file that is ignored, the program's own output."""
    assert decide(CHAIN, {"/z.py": SEEN}, {"/b.py"}).candidates == (1, 0)
    assert decide(CHAIN, {"/z.py": SEEN}, {"/site"}) == Decision((), "{} was used before the first snapshot", "/site")


@pytest.mark.parametrize(
    ("path", "touched", "why"),
    [
        ("/a.py", SEEN._replace(is_there=False), "is gone"),
        ("/a.py", SEEN._replace(was_there=False), "is new"),
        ("/x.html", SEEN._replace(was_opened=False), "not seen to read"),
        ("/.env", SEEN, "what starts the program"),
        ("/.env.local", SEEN, "what starts the program"),
        ("/pyproject.toml", SEEN, "what starts the program"),
        ("/uv.lock", SEEN, "what starts the program"),
        ("/c.yaml", SEEN._replace(cold="*.yaml"), "is one of --cold *.yaml"),
    ],
)
def test_cold_where_nobody_can_say_who_used_it(path: str, touched: Touched, why: str) -> None:
    """Even if all else in the burst is harmless."""
    decision = decide(CHAIN, {"/z.py": SEEN, path: touched}, ())

    assert decision.candidates == ()
    assert why in decision.reason
    assert decision.path == path


def test_a_module_that_was_never_opened_as_data_is_no_riddle() -> None:
    """Control: that is how modules are used."""
    assert decide(CHAIN, {"/z.py": SEEN._replace(was_opened=False)}, ()).candidates == (2, 1, 0)


def test_a_snapshot_does_not_serve_if_what_it_made_is_gone() -> None:
    """A temporary folder that the program removed as it ended."""
    chain = [CHAIN[0], CHAIN[1]._replace(missing="/tmp/x"), CHAIN[2]._replace(missing="/tmp/x")]

    assert decide(chain, {"/z.py": SEEN}, ()).candidates == (0,)
    assert decide(chain[1:], {"/z.py": SEEN}, ()) == Decision((), "the program made {}, and removed it again", "/tmp/x")


def test_a_source_that_nobody_was_seen_to_use_may_have_been_used_by_a_child() -> None:
    """A program that runs another one before it goes on; files that it uses itself are no riddle."""
    unseen = SEEN._replace(was_opened=False)
    chain = [CHAIN[0], CHAIN[1]._replace(alone=False), CHAIN[2]._replace(alone=False)]

    assert decide(chain, {"/z.py": unseen}, ()).candidates == (0,)
    assert decide(chain, {"/z.py": SEEN}, ()).candidates == (2, 1, 0)
    assert decide(chain[1:], {"/z.py": unseen}, ()) == Decision((), "a child of the program may have used {}", "/z.py")


@pytest.mark.parametrize(
    ("changed", "stale", "nearer"),
    [
        ("/z.py", (), ("", "")),
        ("/a.py", (), ("nearer ones have used {}", "/a.py")),
        ("/b.py", (), ("", "")),
        ("/z.py", ["/c.yaml"], ("nearer ones have used {}", "/c.yaml")),
    ],
)
def test_why_nearer_snapshots_do_not_serve_is_said(changed: str, stale: Sequence[str], nearer: tuple[str, str]) -> None:
    """If it is from the root, or for a file that nobody edited."""
    decision = decide(CHAIN, {changed: SEEN}, stale)

    assert (decision.nearer, decision.nearer_path) == nearer


def test_why_nearer_snapshots_do_not_serve_though_they_have_not_used_it() -> None:
    """What they made is gone, or a child may have used it."""
    gone = [CHAIN[0], CHAIN[1]._replace(missing="/tmp/x")]
    assert decide(gone, {"/z.py": SEEN}, ()).nearer_path == "/tmp/x"

    accompanied = [CHAIN[0], CHAIN[1]._replace(alone=False)]
    decision = decide(accompanied, {"/z.py": SEEN._replace(was_opened=False)}, ())
    assert (decision.nearer, decision.nearer_path) == (
        "before nearer ones a child of the program may have used {}",
        "/z.py",
    )


def test_without_snapshots_it_is_cold() -> None:
    """As in a program that refuses them all."""
    assert decide([], {"/z.py": SEEN}, ()).candidates == ()


PATHS = st.sampled_from([f"/{name}.py" for name in "abcdef"])


@given(st.lists(st.sets(PATHS), min_size=1, max_size=6), st.sets(PATHS, min_size=1), st.sets(PATHS))
def test_no_candidate_has_used_what_changed_and_none_is_left_out(
    uses: list[set[str]], burst: set[str], stale: set[str]
) -> None:
    """Whatever the chain: each snapshot has used what those above it have."""
    chain = [Known(set().union(*uses[: place + 1])) for place in range(len(uses))]

    decision = decide(chain, dict.fromkeys(burst, SEEN), stale)

    good = [place for place, one in enumerate(chain) if not set(one.used) & (burst | stale)]
    assert sorted(decision.candidates) == good
    assert list(decision.candidates) == sorted(decision.candidates, reverse=True)
    assert bool(decision.reason) is not bool(decision.candidates)


def test_the_snapshot_that_saves_the_least_is_dropped() -> None:
    """Never the first, nor the last; one of a file that is being edited only if there are no others."""
    ages = [0.0, 0.2, 0.4, 0.45, 1.0]

    assert superfluous(ages, 5) is None
    assert superfluous(ages, 4) == 2
    assert superfluous(ages, 4, kept={2}) == 1
    assert superfluous(ages, 4, kept={1, 2, 3}) == 2
    assert superfluous(ages[:2], 1) is None


def test_the_files_edited_last_are_hot() -> None:
    """Each at the first byte that changed; at its end, if it is not known what it was."""
    hot = Hot()
    hot.changed("/a.py", b"one two")
    assert hot.places() == {"/a.py": 7}

    hot.changed("/a.py", b"one three")
    assert hot.places() == {"/a.py": 5}

    for name in "bcd"[:MOST]:
        hot.changed(f"/{name}.py", b"")
    assert list(hot.places()) == ["/b.py", "/c.py", "/d.py"]


@given(st.binary(max_size=20), st.binary(max_size=20), st.binary(max_size=20))
def test_a_common_prefix_is_common_and_the_longest(same: bytes, one: bytes, other: bytes) -> None:
    """As os.path.commonprefix, which is slow for large files."""
    one, other = same + one, same + other
    size = common_prefix(one, other)

    assert size >= len(same)
    assert one[:size] == other[:size]
    assert one[: size + 1] != other[: size + 1] or size == min(len(one), len(other))
