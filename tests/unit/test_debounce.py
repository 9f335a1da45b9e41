"""When a burst is over, told to the millisecond by a clock that is an argument."""

from __future__ import annotations

import pytest

from autoreload.core.change import Change, Kind
from autoreload.core.debounce import (
    CLOSE_WITHIN,
    LEAD,
    LONGEST_BURST_OF_GIT,
    LONGEST_BURST_OF_ONE,
    LONGEST_BURST_OF_SEVERAL,
    LONGEST_WRITE,
    QUIET,
    QUIET_OVERTAKEN,
    QUIET_SEVERAL,
    RETURN_WITHIN,
    Debounce,
    Phase,
)

MS = 0.001


def written(name: str) -> Change:
    """A save of this file is complete."""
    return Change(Kind.WRITTEN, name)


class Clock:
    """Drives a debounce as the loop does: it looks whenever a deadline says so, and starts when a burst is settled."""

    def __init__(self, debounce: Debounce) -> None:
        self.debounce = debounce
        self.now = 100.0
        self.starts: list[tuple[float, list[str]]] = []
        self.first_stop: float | None = None

    def at(self, when: float, *changes: Change) -> None:
        """Let time pass until `when` (seconds since the beginning), then tell of these changes."""
        self._pass_until(100.0 + when)
        for change in changes:
            self.debounce.add(change, self.now)
        self._look()

    def finish(self) -> list[tuple[float, list[str]]]:
        """Let time pass until nothing is due; the starts: (when, for which files)."""
        self._pass_until(1e9)
        return self.starts

    def _pass_until(self, when: float) -> None:
        while (due := self.debounce.deadline()) is not None and due <= when:
            self.now = due
            self._look()
        if when < 1e9:
            self.now = when

    def _look(self) -> None:
        phase = self.debounce.phase(self.now)
        if phase in (Phase.CERTAIN, Phase.SETTLED) and self.first_stop is None:
            self.first_stop = round(self.now - 100.0, 6)
        if phase is Phase.SETTLED:
            self.starts.append((round(self.now - 100.0, 6), list(self.debounce.take(self.now))))


@pytest.fixture
def clock() -> Clock:
    """A clock at 0 with a debounce of default times."""
    return Clock(Debounce())


def test_one_save_starts_after_five_milliseconds_of_quiet(clock: Clock) -> None:
    """The everyday case is the fastest."""
    clock.at(0, written("a"))

    assert clock.finish() == [(pytest.approx(QUIET), ["a"])]


def test_nothing_changed_is_never_due(clock: Clock) -> None:
    """An idle debounce wakes nobody."""
    assert clock.debounce.phase(0.0) is Phase.QUIET
    assert clock.debounce.deadline() is None


def test_a_moment_that_passes_between_the_look_and_the_wait_is_not_missed() -> None:
    """The loop may be slow, or stopped by Ctrl-Z, after it has looked: the deadline is in the past then."""
    debounce = Debounce()
    debounce.add(written("a"), 100.0)
    assert debounce.phase(100.0) is Phase.CHANGING

    assert debounce.deadline() == 100.0 + QUIET - LEAD
    assert debounce.phase(200.0) is Phase.SETTLED


def test_several_writes_of_one_save_are_one_start(clock: Clock) -> None:
    """Each write within the quiet time puts the start off, but not the stop."""
    for i in range(5):
        clock.at(i * 4 * MS, written("a"))

    assert clock.finish() == [(pytest.approx(16 * MS + QUIET), ["a"])]
    assert clock.first_stop == pytest.approx(QUIET - LEAD)


def test_a_checkout_of_300_files_is_one_start_whose_stop_began_at_once(clock: Clock) -> None:
    """The stop of the old process overlaps the wait for the rest of the burst."""
    for i in range(300):
        clock.at(i * 0.1 * MS, written(f"f{i}"))

    [(when, files)] = clock.finish()
    assert len(files) == 300
    assert when == pytest.approx(29.9 * MS + QUIET_SEVERAL)
    assert clock.first_stop is not None
    assert clock.first_stop <= 6 * MS


def test_a_formatter_over_60_files_at_100_ms_a_file_is_one_start_for_the_first_and_one_for_the_rest(
    clock: Clock,
) -> None:
    """Changes of other files that overtake a start belong to its burst, and are waited for longer."""
    for i in range(60):
        clock.at(i * 0.1, written(f"f{i}"))

    starts = clock.finish()
    assert [files for _, files in starts] == [["f0"], [f"f{i}" for i in range(1, 60)]]
    assert starts[1][0] == pytest.approx(5.9 + QUIET_OVERTAKEN)


def test_saves_of_one_file_100_ms_after_every_start_all_restart_at_full_speed(clock: Clock) -> None:
    """An editor's autosave is never slowed down nor dropped."""
    for i in range(100):
        clock.at(i * (0.1 + QUIET), written("a"))

    starts = clock.finish()
    assert len(starts) == 100
    assert all(when == pytest.approx(i * (0.1 + QUIET) + QUIET) for i, (when, _) in enumerate(starts))


def test_a_hundred_writes_of_one_file_5_ms_apart_are_few_starts(clock: Clock) -> None:
    """No person saves within 50 ms after a start: from then on it is waited for as several files are."""
    for i in range(100):
        clock.at(i * 5.5 * MS, written("a"))

    assert len(clock.finish()) <= 3


def test_a_formatter_that_runs_on_save_costs_two_starts_once(clock: Clock) -> None:
    """Its pause is learned: from the second save on there is one start for the save and what it causes."""
    for i in range(5):
        clock.at(i * 2.0, written("a"))
        clock.at(i * 2.0 + 20 * MS, written("a"))

    assert [round(when, 3) for when, _ in clock.finish()][2:] == [pytest.approx(i * 2.0 + 0.05) for i in range(1, 5)]


def test_less_than_the_default_is_taken_at_its_word() -> None:
    """--debounce 0: a start for each save of a file, and nothing is learned."""
    clock = Clock(Debounce(0.0))
    for i in range(20):
        clock.at(i * 10 * MS, written("a"))

    assert len(clock.finish()) == 20


def test_what_was_learned_is_forgotten(clock: Clock) -> None:
    """Single saves are at full speed again after some dozens."""
    clock.at(0, written("a"))
    clock.at(20 * MS, written("a"))
    for i in range(1, 60):
        clock.at(i * 1.0, written("a"))

    delays = [when % 1.0 for when, _ in clock.finish()[2:]]
    assert delays[0] == pytest.approx(30 * MS)
    assert delays[-1] == pytest.approx(QUIET)


def test_one_file_saved_again_and_again_after_the_start_for_another_is_not_put_off_for_long(clock: Clock) -> None:
    """It belongs to the burst before, but it is one file: half a second at most."""
    clock.at(0, written("a"))
    for i in range(1, 40):
        clock.at(i * 0.1, written("b"))

    assert clock.starts[1] == (pytest.approx(0.1 + LONGEST_BURST_OF_ONE), ["b"])


def test_saves_of_two_files_in_turn_after_every_start_all_restart(clock: Clock) -> None:
    """They are waited for longer, within the half second that is the limit, but each has a start after it."""
    for i in range(50):
        clock.at(i * 1.0, written("ab"[i % 2]))

    assert len(clock.finish()) == 50


@pytest.mark.parametrize(
    ("names", "limit"),
    [(["a"], LONGEST_BURST_OF_ONE), (["a", "b", "c"], LONGEST_BURST_OF_SEVERAL)],
    ids=["one file", "several files"],
)
def test_a_writer_that_never_pauses_cannot_starve_the_start(clock: Clock, names: list[str], limit: float) -> None:
    """However many changes come, a start is made once the longest burst is over."""
    moment = 0.0
    while not clock.starts:
        clock.at(moment, written(names[round(moment / (2 * MS)) % len(names)]))
        moment += 2 * MS

    assert clock.starts[0][0] == pytest.approx(limit, abs=3 * MS)


def test_a_burst_that_overtakes_a_start_stops_nothing_before_it_settles(clock: Clock) -> None:
    """A command that writes without a pause what counts lives until its next start; else it would never run."""
    moment = 0.0
    for number in (1, 2):
        clock.first_stop = None
        while len(clock.starts) < number:
            clock.at(moment, written("a"))
            moment += 4 * MS

    assert clock.starts[1][0] == pytest.approx(clock.starts[0][0] + LONGEST_BURST_OF_ONE, abs=5 * MS)
    assert clock.first_stop == clock.starts[1][0]


def test_a_file_that_vanished_is_waited_for_a_moment(clock: Clock) -> None:
    """Backup and rename: the file is away for an instant, and one start follows its return."""
    clock.at(0, Change(Kind.VANISHED, "a"))
    clock.at(30 * MS, Change(Kind.APPEARED, "a"))

    assert clock.finish() == [(pytest.approx(30 * MS + QUIET), ["a"])]


def test_a_file_that_stays_away_counts_as_deleted(clock: Clock) -> None:
    """A deletion restarts, once it is clear that it is one."""
    clock.at(0, Change(Kind.VANISHED, "a"))

    assert clock.finish() == [(pytest.approx(RETURN_WITHIN + QUIET), ["a"])]


def test_vims_rename_write_close_over_half_a_second_is_one_start(clock: Clock) -> None:
    """Half a file is never run: the new one is waited for until it is closed."""
    clock.at(0, Change(Kind.VANISHED, "a"))
    clock.at(5 * MS, Change(Kind.OPENED, "a"))
    for i in range(1, 6):
        clock.at(i * 0.1, Change(Kind.MODIFIED, "a"))
    clock.at(0.55, written("a"))

    assert clock.finish() == [(pytest.approx(0.55 + QUIET), ["a"])]


def test_a_half_written_new_file_holds_the_start_for_a_finished_one(clock: Clock) -> None:
    """A start in between would be in vain: another must follow."""
    clock.at(0, Change(Kind.OPENED, "b"))
    clock.at(1 * MS, written("a"))
    clock.at(60 * MS, written("b"))

    assert clock.finish() == [(pytest.approx(60 * MS + QUIET_SEVERAL), ["a", "b"])]
    assert clock.first_stop == pytest.approx(1 * MS + QUIET - LEAD)


def test_a_new_file_that_is_never_closed_holds_the_others_for_a_second_only(clock: Clock) -> None:
    """A log that the command has just begun."""
    clock.at(0, Change(Kind.OPENED, "log"))
    for i in range(1, 30):
        clock.at(i * 0.05, Change(Kind.MODIFIED, "log"), *([written("a")] if i == 1 else []))

    assert clock.starts[0] == (pytest.approx(CLOSE_WITHIN), ["a"])


def test_a_file_that_is_only_written_to_holds_nothing(clock: Clock) -> None:
    """A program that writes for ever without closing must not delay the saves of others."""
    clock.at(0, Change(Kind.MODIFIED, "b"))
    clock.at(1 * MS, written("a"))

    assert clock.finish()[0] == (pytest.approx(1 * MS + QUIET), ["a"])


@pytest.mark.parametrize("kind", [Kind.MODIFIED, Kind.OPENED])
def test_a_write_without_a_close_counts_after_a_second(clock: Clock, kind: Kind) -> None:
    """Programs that never close, and truncate(2), which has nothing to close."""
    clock.at(0, Change(kind, "a"))

    assert clock.finish() == [(pytest.approx(CLOSE_WITHIN + QUIET), ["a"])]


def test_endless_writing_counts_in_the_end(clock: Clock) -> None:
    """Each write puts it off, but not beyond the limit."""
    for i in range(200):
        clock.at(i * 0.1, Change(Kind.MODIFIED, "a"))
        if clock.starts:
            break

    assert clock.starts[0][0] == pytest.approx(LONGEST_WRITE + QUIET, abs=0.11)


def test_a_file_made_and_removed_unfinished_is_nothing(clock: Clock) -> None:
    """Nobody can have read it."""
    clock.at(0, Change(Kind.OPENED, "a"))
    clock.at(10 * MS, Change(Kind.VANISHED, "a"))

    assert clock.finish() == []


def test_what_was_made_and_removed_is_told_of_once() -> None:
    """So that somebody who wonders can be told."""
    debounce = Debounce()
    for kind in (Kind.OPENED, Kind.WRITTEN, Kind.VANISHED):
        debounce.add(Change(kind, "probe.py"), 1.0)

    assert debounce.phase(2.0) is Phase.QUIET
    assert debounce.take_unmade() == ["probe.py"]
    assert debounce.take_unmade() == []


def test_an_atomic_save_is_as_fast_as_a_plain_one(clock: Clock) -> None:
    """The temporary file, made and moved away, is not waited for; nor is it named."""
    clock.at(0, Change(Kind.OPENED, "a.tmp1"), Change(Kind.MODIFIED, "a.tmp1"), written("a.tmp1"))
    clock.at(1 * MS, Change(Kind.VANISHED, "a.tmp1"), Change(Kind.APPEARED, "a"))

    assert clock.finish() == [(pytest.approx(1 * MS + QUIET), ["a"])]


def test_a_temporary_file_that_lives_too_long_costs_a_stop_and_so_has_its_start(clock: Clock) -> None:
    """What was stopped is started again, even if the reason has gone."""
    clock.at(0, Change(Kind.OPENED, "t"), written("t"))
    clock.at(2 * MS, Change(Kind.OPENED, "b"))
    clock.at(20 * MS, Change(Kind.VANISHED, "t"))

    assert [files for _, files in clock.finish()] == [["t", "b"]]


def test_a_file_that_vanished_came_back_unfinished_and_vanished_again_counts_as_deleted(clock: Clock) -> None:
    """It was there when the command was started."""
    clock.at(0, Change(Kind.VANISHED, "a"))
    clock.at(20 * MS, Change(Kind.OPENED, "a"))
    clock.at(40 * MS, Change(Kind.VANISHED, "a"))

    assert clock.finish() == [(pytest.approx(40 * MS + RETURN_WITHIN + QUIET), ["a"])]


def test_a_longer_debounce_is_kept(clock: Clock) -> None:
    """--debounce raises every quiet time."""
    clock = Clock(Debounce(0.3))
    clock.at(0, written("a"))
    clock.at(0.2, written("b"))

    assert clock.finish() == [(pytest.approx(0.5), ["a", "b"])]


def test_spaced_starts_are_put_off_but_never_dropped(clock: Clock) -> None:
    """What follows from a long series of restarts by the same file."""
    clock.debounce.space_starts(1.0)
    clock.at(0, written("a"))
    clock.at(0.1, written("a"))

    assert clock.finish() == [(pytest.approx(QUIET), ["a"]), (pytest.approx(1.0 + QUIET), ["a"])]


def test_a_burst_that_is_forgiven_starts_nothing() -> None:
    """Its files are what they were; what is left of it starts for itself."""
    debounce = Debounce()
    for name in "abc":
        debounce.add(written(name), 100.0)
    assert debounce.phase(100.0 + QUIET) is Phase.CERTAIN

    debounce.forgive(["a", "c", "unheard of"])
    assert list(debounce.changed()) == ["b"]
    assert debounce.phase(100.0 + QUIET) is Phase.SETTLED

    debounce.forgive(["b"])
    assert debounce.phase(100.0 + QUIET) is Phase.QUIET
    assert debounce.deadline() is None


def test_what_follows_a_forgiven_burst_is_a_burst_of_its_own(clock: Clock) -> None:
    """With its own times, though it came soon after."""
    clock.at(0, written("a"))
    clock.debounce.forgive(["a"])
    clock.at(2 * MS, written("b"))

    assert clock.finish() == [(pytest.approx(2 * MS + QUIET), ["b"])]


def test_a_file_in_the_middle_of_its_save_is_not_forgiven_with_the_rest(clock: Clock) -> None:
    """It was as before when it was looked at; what comes of the save is another change."""
    clock.at(0, written("a"))
    clock.at(1 * MS, Change(Kind.VANISHED, "a"))
    clock.debounce.forgive(["a"])

    assert clock.finish() == [(pytest.approx(1 * MS + RETURN_WITHIN + QUIET), ["a"])]


def test_patience_puts_off_the_stop_and_the_start_until_it_is_quiet(clock: Clock) -> None:
    """Git is at work: nothing is stopped in the middle of it."""
    for i in range(10):
        clock.at(i * 0.2, written(f"f{i}"))
        clock.debounce.be_patient(0.5)

    [(when, files)] = clock.finish()
    assert len(files) == 10
    assert when == pytest.approx(9 * 0.2 + 0.5)
    assert clock.first_stop == pytest.approx(when)


def test_patience_has_an_end(clock: Clock) -> None:
    """Changes that never cease, while a lock was left behind: they cannot put off the start for ever."""
    moment = 0.0
    while not clock.starts:
        clock.at(moment, written("a"))
        clock.debounce.be_patient(0.5)
        moment += 0.1

    assert clock.starts[0][0] == pytest.approx(LONGEST_BURST_OF_GIT, abs=0.11)


def test_when_the_reason_for_patience_is_gone_the_burst_is_as_any_other(clock: Clock) -> None:
    """The reason is looked at often, also when nothing happens."""
    clock.at(0, written("a"))
    clock.debounce.be_patient(0.5)
    clock.at(0.1, written("b"))
    due = clock.debounce.deadline()
    assert due is not None
    assert due < clock.now + 0.05

    clock.debounce.be_patient(0.0)
    assert clock.finish() == [(pytest.approx(0.1 + QUIET_SEVERAL), ["a", "b"])]


def test_patience_is_for_the_present_burst_alone(clock: Clock) -> None:
    """The next one begins without; and where there is none there is nothing to be patient about."""
    clock.at(0, written("a"))
    clock.debounce.be_patient(0.5)
    clock.at(2.0, written("a"))
    assert clock.debounce.patience == 0.0
    assert clock.finish()[1] == (pytest.approx(2.0 + QUIET), ["a"])

    clock.debounce.be_patient(0.5)
    assert clock.debounce.patience == 0.0


class TestHeldBursts:
    """What waits for something else than time."""

    def held(self) -> Debounce:
        """With one file."""
        debounce = Debounce()
        debounce.add(Change(Kind.WRITTEN, "a"), 0.0)
        debounce.hold()
        return debounce

    def test_it_is_over_as_far_as_time_is_concerned(self) -> None:
        """And the next one settles as if there had been none."""
        debounce = self.held()
        assert debounce.phase(9.0) is Phase.QUIET
        assert debounce.deadline() is None
        debounce.add(Change(Kind.WRITTEN, "b"), 10.0)
        assert debounce.phase(10.0) is Phase.CHANGING
        assert debounce.phase(10.0 + QUIET) is Phase.SETTLED

    def test_its_files_belong_to_the_next_start(self) -> None:
        """Whatever that is for; to one alone."""
        debounce = self.held()
        debounce.add(Change(Kind.WRITTEN, "b"), 10.0)
        debounce.hold()
        debounce.add(Change(Kind.VANISHED, "a"), 20.0)
        debounce.phase(21.0)
        assert debounce.changed() == {"b": Kind.WRITTEN, "a": Kind.VANISHED}
        assert debounce.take(30.0) == {"b": Kind.WRITTEN, "a": Kind.VANISHED}
        assert debounce.changed() == debounce.take(40.0) == {}

    def test_it_may_be_taken_up_again(self) -> None:
        """As part of the present burst; or be forgiven."""
        debounce = self.held()
        debounce.add(Change(Kind.WRITTEN, "b"), 10.0)
        debounce.release()
        debounce.forgive(["b"])
        assert debounce.phase(10.1) is Phase.SETTLED
        debounce.hold()
        debounce.forgive(["a"])
        assert debounce.changed() == {}
