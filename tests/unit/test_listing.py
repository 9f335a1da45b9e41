"""What a node knows of its files, in few bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from autoreload.watch.tree import AS_NEW, LARGE, Look, Node

NAMES = st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=4)


@given(st.none() | st.sets(NAMES), st.lists(st.tuples(NAMES, st.booleans())))
def test_a_listing_is_the_set_of_names_that_it_stands_for(
    listed: set[str] | None, events: list[tuple[str, bool]]
) -> None:
    """Whatever was listed first and said since, each name once."""
    node = Node("", None, 1)
    truth = set(listed or ())
    if listed is not None:
        node.set_names(sorted(listed))
    for name, there in events:
        assert node.note(name, there) is ((name in truth) is not there)
        (truth.add if there else truth.discard)(name)
    assert node.listed is (listed is not None)
    assert sorted(node.known()) == sorted(truth)


def test_what_events_said_is_folded_in_before_it_grows() -> None:
    """A folder in which files come and go for a year stays as small as its files are few."""
    node = Node("", None, 1)
    node.set_names(["stays"])
    for number in range(10_000):
        node.note(f"f{number}", True)
        node.note(f"f{number}", False)
    assert node.known() == ["stays"]
    assert len(node._since or ()) < 100


def test_two_large_folders_that_are_emptied_in_turns_are_what_is_left_in_them() -> None:
    """Their names are looked up in a set, of which there is one at a time."""
    names = [f"file{number}.py" for number in range(2000)]
    nodes = [Node("", None, 1), Node("", None, 2)]
    for node in nodes:
        node.set_names(names)
        assert sum(map(len, names)) > LARGE
    for number in range(0, 2000, 3):
        for node in nodes:
            assert node.note(names[number], False)
            assert not node.note(names[number], False)
            assert not node.note(names[number - 1], number == 0 or (number - 1) % 3 != 0)
    for node in nodes:
        assert sorted(node.known()) == sorted(name for number, name in enumerate(names) if number % 3)


def test_names_that_contain_one_another_are_not_confused() -> None:
    """A name is found as a whole only."""
    node = Node("", None, 1)
    node.set_names(["models.py"])
    node.note("models", True)
    node.note("odels.py", False)
    assert sorted(node.known()) == ["models", "models.py"]


def test_the_path_of_a_node_is_made_of_the_names_above_it() -> None:
    """Also below the root directory, whose name is empty."""
    root = Node("", None, 1)
    inner = Node("b", Node("a", root, 2), 3)
    assert (root.path(), inner.path(), inner.depth()) == ("", "/a/b", 2)
    assert Node("src", Node("/srv/app", None, 1), 2).path() == "/srv/app/src"
    assert inner.has_above(1)
    assert not inner.has_above(9)


LOOKS = st.builds(Look, st.integers(0, 5), st.booleans(), st.booleans())


@given(LOOKS, LOOKS)
def test_two_looks_in_one_tell_what_either_would_tell(one: Look, other: Look) -> None:
    """Older files, more of what was unknown, deeper; and looking as if all was new tells most."""
    both = one.with_(other)
    for each in one, other:
        assert both.since <= each.since
        assert both.quiet <= each.quiet
        assert both.deep >= each.deep
    assert both == other.with_(one)
    assert one.with_(AS_NEW) == AS_NEW
