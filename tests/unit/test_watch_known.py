"""The packed knowledge of polling: what is put in comes out."""

from __future__ import annotations

import pytest

from autoreload.watch.known import Known

Files = dict[str, tuple[int, int, int, int, bool]]

PLAIN: Files = {
    "a.py": (1, 2, 3, 4, False),
    "in\udcffvalid\n.py": (-1, 1 << 62, 0, (1 << 64) - 1, False),
    "x" * 255: (0, 0, 0, 0, False),
}


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"a.py": (1, 2, 3, 4, False)},
        PLAIN,
        {**PLAIN, "doubted.py": (1, 2, 3, 4, True)},
        {"of no clock.py": (1 << 70, 2, 3, 4, False)},
    ],
    ids=["empty", "one", "odd", "doubted", "no time"],
)
def test_what_is_put_in_comes_out(files: Files) -> None:
    """In the same order, whether it can be packed or not; by every way out."""
    known: Known[bool] = Known(False)
    for _ in range(2):
        known["/d"] = dict(files)
        assert known.get("/d") == files
        assert list(known.get("/d") or {}) == list(files)
        assert list(known.items()) == [("/d", files)]
        assert (list(known), len(known), "/d" in known, "/e" in known) == (["/d"], 1, True, False)
        assert known.pop("/d") == files
        assert (known.get("/d"), len(known)) == (None, 0)


def test_a_folder_is_known_once_whatever_it_was_before() -> None:
    """Packed, then not, then packed again."""
    known: Known[bool] = Known(False)
    for doubted in False, True, False, True:
        known["/d"] = {"a": (1, 2, 3, 4, doubted)}
        assert len(known) == 1
        assert known.get("/d") == {"a": (1, 2, 3, 4, doubted)}
    known.clear()
    assert not len(known)


def test_what_is_given_out_is_a_copy() -> None:
    """Nothing changes by itself."""
    known: Known[bool] = Known(False)
    for doubted in False, True:
        known["/d"] = {"a": (1, 2, 3, 4, doubted)}
        files = known.get("/d")
        assert files is not None
        files.clear()
        assert known.get("/d") == {"a": (1, 2, 3, 4, doubted)}
