"""What is learned from repetition, and what must not be."""

from __future__ import annotations

from autoreload.core.habits import OUTPUT_AFTER, SPACED_AFTER, TOLD_AFTER, Advice, Habits


def test_a_file_that_changes_right_after_each_of_ten_starts_is_told_of_once() -> None:
    """It may be the command's own output; nothing is held back for that."""
    habits = Habits()
    advice = [habits.starting(["a"], i * 0.2) for i in range(40)]

    assert [a.repeating for a in advice].count("a") == 1
    assert advice[TOLD_AFTER] == Advice(repeating="a")
    assert all(a.spacing == 0 for a in advice)


def test_after_hundreds_of_such_starts_they_are_spaced_by_up_to_a_second() -> None:
    """Never dropped, and back to full speed once the series is over."""
    habits = Habits()
    spacings = [habits.starting(["a"], i * 0.2).spacing for i in range(330)]

    assert spacings[SPACED_AFTER] == 0
    assert spacings[SPACED_AFTER + 1] > 0
    assert spacings[-1] == 1.0
    assert habits.starting(["a"], 1e6) == Advice()


def test_starts_overtaken_at_once_are_spaced_after_fifty() -> None:
    """No person saves 20 ms after each start: a command that writes what it watches must not melt the laptop."""
    habits = Habits()
    spacings = [habits.starting(["a"], i * 0.02).spacing for i in range(70)]

    assert not any(spacings[:51])
    assert spacings[-1] == 1.0


def test_changes_of_other_files_or_after_a_pause_are_no_series() -> None:
    """A person at work."""
    habits = Habits()

    assert all(habits.starting([f"f{i}"], i * 0.2) == Advice() for i in range(60))
    assert all(habits.starting(["a"], 100 + i * 5.0) == Advice() for i in range(60))


def test_a_file_written_during_each_of_the_last_runs_that_ended_by_themselves_is_output() -> None:
    """make, pytest: after three runs it no longer counts."""
    habits = Habits()
    habits.starting([], 0.0)
    for run in range(OUTPUT_AFTER):
        habits.changed("out")
        habits.exited()
        advice = habits.starting(["out"], run + 1.0)

    assert advice.outputs == ("out",)
    assert habits.is_output("out")


def test_the_product_of_make_is_output_though_the_run_it_causes_writes_nothing() -> None:
    """Each save is one build, and one more that finds nothing to do, until that is learned."""
    habits = Habits()
    outputs: list[str] = []
    for save in range(OUTPUT_AFTER):
        outputs += habits.starting(["in"], save * 100.0).outputs
        habits.changed("out")
        habits.exited()
        outputs += habits.starting(["out"], save * 100.0 + 0.3).outputs
        habits.exited()

    assert outputs == ["out"]


def test_a_file_saved_while_a_run_was_ended_by_its_change_is_not_output() -> None:
    """A person who saves while the tests run."""
    habits = Habits()
    for run in range(10):
        assert not habits.starting(["a"], run * 5.0).outputs
        habits.changed("a")

    assert not habits.is_output("a")


def test_a_file_saved_between_the_runs_is_not_output() -> None:
    """A person who waits for the end of each run before the next save."""
    habits = Habits()
    for run in range(10):
        habits.starting(["a"], run * 5.0)
        habits.exited()
        habits.changed("a")

    assert not habits.is_output("a")
