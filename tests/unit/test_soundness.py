"""Which files that do not compile hold a restart back."""

from __future__ import annotations

import pytest

from autoreload.core.soundness import LEARN_FOR, REST, STUCK, Answer, Judgement, Request, Soundness, Verdict

BROKEN = Answer(Verdict.BROKEN, "SyntaxError: invalid syntax")
SOUND = Answer(Verdict.SOUND)
HELD = Judgement({"a.py": BROKEN.text})
FREE = Judgement({})


@pytest.fixture
def files() -> Soundness:
    """Nothing is known yet."""
    return Soundness()


def saved(files: Soundness, answer: Answer, path: str = "a.py") -> Judgement:
    """A file is saved, and the compiler answers; what comes of it."""
    files.heard(path)
    assert files.ask(0.0, at_rest=False) == Request(path, changed=True)
    assert files.judge([path], 0.0, patient=True).pending
    files.answered(answer, 0.0)
    return files.judge([path], 0.0, patient=True)


def learned(files: Soundness, answer: Answer, path: str = "a.py") -> None:
    """A file was there from the beginning, and the compiler answers."""
    files.met(path)
    assert files.ask(0.0, at_rest=True) == Request(path, changed=False)
    files.answered(answer, 0.0)


class TestWhatHolds:
    """Only what works can be broken."""

    def test_a_file_that_compiled_when_it_was_last_seen(self, files: Soundness) -> None:
        """Whether that was its last change or before the first."""
        learned(files, SOUND)
        assert saved(files, BROKEN) == HELD
        assert saved(files, SOUND) == FREE
        assert saved(files, BROKEN) == HELD

    def test_not_one_that_never_did(self, files: Soundness) -> None:
        """A template, a fixture; or a new file."""
        learned(files, BROKEN)
        assert saved(files, BROKEN) == FREE
        assert saved(files, BROKEN, "new.py") == FREE

    def test_one_whose_bytecode_is_there(self, files: Soundness) -> None:
        """Nobody has asked before, but Python has compiled it."""
        assert saved(files, BROKEN._replace(has_compiled=True)) == HELD

    @pytest.mark.parametrize(("imported", "judgement"), [(True, HELD), (False, FREE), (None, FREE)])
    def test_one_that_the_command_has_imported(self, imported: bool | None, judgement: Judgement) -> None:
        """Where that is known."""
        assert saved(Soundness(lambda path: imported), BROKEN) == judgement

    def test_it_does_until_it_compiles(self, files: Soundness) -> None:
        """However often it is saved, also by way of another name; with what Python says now."""
        learned(files, SOUND)
        saved(files, BROKEN)
        assert saved(files, Answer(Verdict.GONE)) == FREE
        assert saved(files, BROKEN) == HELD
        assert saved(files, Answer(Verdict.BROKEN, "another")) == Judgement({"a.py": "another"})
        assert saved(files, SOUND) == FREE

    def test_while_another_is_saved(self, files: Soundness) -> None:
        """As long as it belongs to the burst."""
        learned(files, SOUND)
        saved(files, BROKEN)
        saved(files, SOUND, "b.py")
        assert files.judge(["a.py", "b.py"], 0.0, patient=True) == HELD
        assert files.judge(["b.py"], 0.0, patient=True) == FREE

    def test_not_once_the_command_was_started_with_it(self, files: Soundness) -> None:
        """Then it is not what works."""
        learned(files, SOUND)
        saved(files, BROKEN)
        files.started()
        assert saved(files, BROKEN) == FREE
        assert saved(files, SOUND) == FREE
        assert saved(files, BROKEN) == HELD

    @pytest.mark.parametrize("verdict", [Verdict.GONE, Verdict.UNKNOWN])
    def test_not_one_that_is_gone_or_cannot_be_judged(self, verdict: Verdict, files: Soundness) -> None:
        """It held before."""
        learned(files, SOUND)
        saved(files, BROKEN)
        assert saved(files, Answer(verdict)) == FREE


class TestSavesInTheMiddle:
    """An answer counts only for what is there."""

    def test_an_answer_about_an_earlier_version_does_not_count(self, files: Soundness) -> None:
        """It changed while it was compiled."""
        learned(files, SOUND)
        files.heard("a.py")
        files.ask(0.0, at_rest=False)
        files.heard("a.py")
        files.answered(BROKEN, 0.0)
        assert files.judge(["a.py"], 0.0, patient=True).pending
        assert files.ask(0.0, at_rest=False) == Request("a.py", changed=True)
        files.answered(SOUND, 0.0)
        assert files.judge(["a.py"], 0.0, patient=True) == FREE

    def test_also_one_that_was_only_to_be_learned(self, files: Soundness) -> None:
        """What was found may be half a save."""
        files.met("a.py")
        files.ask(0.0, at_rest=True)
        files.heard("a.py")
        files.answered(SOUND, 0.0)
        assert files.ask(0.0, at_rest=False) == Request("a.py", changed=True)

    def test_half_a_save_is_not_compiled(self, files: Soundness) -> None:
        """Unless its end does not come, and it counts as it is."""
        learned(files, SOUND)
        files.heard("a.py", finished=False)
        assert files.ask(0.0, at_rest=False) is None
        assert files.judge([], 0.0, patient=True) == FREE
        assert files.judge(["a.py"], 0.0, patient=True).pending
        assert files.ask(0.0, at_rest=False) == Request("a.py", changed=True)


class TestPatience:
    """A restart does not wait for ever."""

    def test_a_compiler_that_is_stuck_is_given_up(self, files: Soundness) -> None:
        """And the next file is asked about."""
        learned(files, SOUND)
        files.heard("a.py")
        files.ask(0.0, at_rest=False)
        files.heard("b.py")
        assert files.judge(["a.py", "b.py"], STUCK, patient=False) == Judgement({}, stuck=True)
        assert files.ask(STUCK, at_rest=True) == Request("b.py", changed=False)

    def test_one_that_is_busy_is_not(self, files: Soundness) -> None:
        """What it says later is of use for the next time."""
        files.heard("a.py")
        files.ask(0.5, at_rest=False)
        assert files.judge(["a.py"], 1.0, patient=False) == FREE
        files.answered(SOUND, 2.0)
        assert saved(files, BROKEN) == HELD

    def test_what_was_held_is_let_go(self, files: Soundness) -> None:
        """Rather than never started."""
        for path in ("a.py", "b.py"):
            learned(files, SOUND, path)
            saved(files, BROKEN, path)
        for path in ("a.py", "b.py"):
            files.heard(path)
        files.ask(0.0, at_rest=False)
        assert files.judge(["a.py", "b.py"], STUCK, patient=False) == Judgement({}, stuck=True)


class TestLearning:
    """The compiler is used while nobody needs it."""

    def test_it_rests_after_each_file(self, files: Soundness) -> None:
        """The longer, the longer that took."""
        files.met("a.py")
        files.met("b.py")
        files.ask(1.0, at_rest=True)
        assert files.deadline(at_rest=True) is None
        files.answered(SOUND, 1.5)
        due = 1.5 + REST * 0.5
        assert files.deadline(at_rest=True) == due
        assert files.deadline(at_rest=False) is None
        assert files.ask(due - 0.01, at_rest=True) is None
        assert files.ask(due, at_rest=False) is None
        assert files.ask(due, at_rest=True) == Request("b.py", changed=False)

    def test_it_ends(self, files: Soundness) -> None:
        """After so much time for all of them."""
        files.met("a.py")
        files.met("b.py")
        files.ask(0.0, at_rest=True)
        files.answered(SOUND, LEARN_FOR)
        assert files.deadline(at_rest=True) is None
        assert files.ask(1000.0, at_rest=True) is None

    def test_what_changed_comes_first(self, files: Soundness) -> None:
        """And is not learned as well."""
        files.met("a.py")
        files.met("b.py")
        files.heard("b.py")
        assert files.ask(0.0, at_rest=True) == Request("b.py", changed=True)
        files.answered(SOUND, 0.0)
        files.met("b.py")
        assert files.ask(0.0, at_rest=True) == Request("a.py", changed=False)
        files.answered(SOUND, 0.0)
        assert files.ask(0.0, at_rest=True) is None
