from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.config.settings import GateSection
from daemon.domain.answer_judge import Preference
from daemon.domain.conversation import Message
from daemon.ledger.gate_answers import GateAnswerLedger
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.lesson_scores import LessonScoreLedger
from daemon.release.answers.behaviour_prompts import Behaviour
from daemon.release.answers.checks import Check
from daemon.release.answers.outcomes import JUDGED, TOKEN_F1
from daemon.release.gate_comparison import GateComparison, GateServices, Look
from daemon.release.gate_slices import ACCURACY, AGREEMENT, PREFERRED
from daemon.release.held_out import NEW, OLD
from daemon.release.held_out_lessons import HeldOutLesson
from learners.errors import ChildDied
from learners.types import Conversation
from registry.types import CheckReport, Figure, GateReport, GateVerdict
from tests.factories.gate import a_lesson, a_version, assistant, user
from tests.factories.ledger import a_batch, a_ledger, some_conversations
from tests.fakes.scorer import GateScorer

LIVE, CANDIDATE = "chat-v0", "chat-v1"
GOOD = "You can change the address until your order has left our warehouse."


class PrefersTheFirst:
    """A judge that prefers the live version's answer, or can't say."""

    def __init__(self, preference: Preference | None = "a", *, answers: bool = True) -> None:
        self.preference = preference
        self.answers = answers
        self.asked: list[tuple[str, str]] = []

    def compare(self, prompt: Sequence[Message], a: str, b: str) -> Future[Preference | None]:
        self.asked.append((a, b))
        found: Future[Preference | None] = Future()
        if self.answers:
            found.set_result(self.preference)
        return found


class Bench:
    """A ledger of 100 held-out conversations, and both versions."""

    def __init__(self, folder: Path) -> None:
        self.engine = a_ledger(folder)
        IntakeLedger(self.engine, window_size=200).record(a_batch(some_conversations(0, 100)))
        self.scorer = GateScorer()
        self.scorer.losses = {LIVE: 2.0, CANDIDATE: 1.5}
        self.scorer.says = {LIVE: GOOD, CANDIDATE: GOOD}
        self.answers = GateAnswerLedger(self.engine)
        self.judge: PrefersTheFirst | None = None
        self.now = 0.0
        self.new = [a_lesson(seq, user(f"why {seq}?"), assistant(GOOD)) for seq in range(41, 81)]
        self.old = [a_lesson(seq, user(f"how {seq}?"), assistant(GOOD)) for seq in range(1, 41)]

    def look(self, *, number: int = 1, own_prompts: bool = False) -> Look:
        return Look(
            number=number,
            candidate=a_version(1),
            live=a_version(0),
            lessons={NEW: self.new, OLD: self.old},
            own_prompts=own_prompts,
            seed=0,
        )

    def comparison(
        self, *, own_prompts: bool = False, redact: Callable[[str], str] = str, **gate: object
    ) -> GateComparison:
        services = GateServices(
            scorer=self.scorer,
            lesson_scores=LessonScoreLedger(self.engine),
            gate_answers=self.answers,
            judge=self.judge,
            redact=redact,
            clock=lambda: self.now,
        )
        section = GateSection.model_validate(gate)
        return GateComparison(self.look(own_prompts=own_prompts), section, services)

    def report(self, **gate: object) -> GateReport:
        comparison = self.comparison(**gate)  # type: ignore[arg-type]
        run(comparison)
        return comparison.conclude()

    def per_conversation(self, losses: Mapping[str, Callable[[Conversation], float]]) -> None:
        """Let each version's loss depend on the conversation."""
        self.scorer.loss = lambda version, conversation: losses[version](conversation)  # type: ignore[method-assign]


def run(comparison: GateComparison) -> None:
    comparison.start()
    for _ in range(100):
        if comparison.done():
            return
        comparison.step()
    raise AssertionError("the comparison never ends")


def noisy(loss: float) -> Callable[[Conversation], float]:
    return lambda conversation: loss + 0.001 * (len(conversation.id) * 7 % 11)


def check(report: GateReport, name: str) -> CheckReport:
    return next(one for one in report.checks if one.name == name)


def figure(report: GateReport, name: str) -> Figure:
    return next(one for one in report.figures if one.name == name)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.per_conversation({LIVE: noisy(2.0), CANDIDATE: noisy(1.5)})
    return bench


def test_a_candidate_that_is_better_and_writes_as_well_passes(bench: Bench) -> None:
    report = bench.report()

    assert report.verdict is GateVerdict.PROMOTE
    assert {one.name for one in report.slices} == {NEW, OLD}
    assert {one.name for one in report.checks} == set(Check) - {Check.JSON, Check.TOOL_CALLS}
    assert {one.prompts for one in report.checks} == {40}
    assert figure(report, TOKEN_F1) == Figure(name=TOKEN_F1, live=1.0, candidate=1.0, count=40)


@pytest.mark.parametrize(
    ("says", "ends", "name"),
    [
        (GOOD, False, Check.ENDS),
        ("I can say that. " * 20, True, Check.NO_REPETITION),
        ("", True, Check.NOT_EMPTY),
        ("您可以在订单离开仓库之前修改收货地址。", True, Check.LANGUAGE),
        ("I'm sorry, but I can't help with that.", True, Check.NO_REFUSAL),
    ],
)
def test_a_candidate_with_a_better_loss_that_writes_worse_is_rejected(
    bench: Bench, says: str, ends: bool, name: Check
) -> None:
    bench.scorer.says[CANDIDATE], bench.scorer.ends[CANDIDATE] = says, ends

    report = bench.report()

    assert report.verdict is GateVerdict.REJECT
    assert check(report, name).verdict is GateVerdict.REJECT
    assert name in report.reason


def test_a_look_that_asks_no_prompts_is_one_of_losses(bench: Bench) -> None:
    report = bench.report(answers=0)

    assert (report.verdict, report.checks, report.figures) == (GateVerdict.PROMOTE, (), ())
    assert bench.answers.of(CANDIDATE) == []


def test_the_pairs_of_answers_are_kept_without_personal_data(bench: Bench) -> None:
    comparison = bench.comparison(answers=3, redact=lambda text: text.replace("address", "[ADDRESS]"))
    run(comparison)
    comparison.conclude()

    pairs = bench.answers.of(CANDIDATE, 1)
    assert len(pairs) == 3
    assert {pair.question.split()[0] for pair in pairs} == {"why"}  # new lessons come first
    assert {pair.candidate for pair in pairs} == {GOOD.replace("address", "[ADDRESS]")}
    assert {(pair.good, pair.live_f1) for pair in pairs} == {(GOOD, 1.0)}


def test_one_prompt_a_user_is_asked(bench: Bench) -> None:
    bench.new = [replace(one, group=f"u{one.seq % 5}") for one in bench.new]
    bench.old = [replace(one, group=f"u{one.seq % 7}") for one in bench.old]

    report = bench.report()

    assert check(report, Check.ENDS).prompts == 7


def test_what_is_new_to_the_ledger_is_scored_and_then_known(bench: Bench) -> None:
    bench.report(answers=0)
    bench.report(answers=0)

    assert [len(ids) for _, ids in bench.scorer.scored] == [80, 80, 0, 0]


def test_a_lesson_that_was_corrected_since_is_scored_again(bench: Bench) -> None:
    bench.report(answers=0)
    bench.new[0] = a_lesson(41, user("why 41?"), assistant(GOOD), correction="Ask us.")

    bench.report(answers=0)

    assert [ids for _, ids in bench.scorer.scored[2:]] == [("41 lesson", "41 worse")] * 2


def pairs_of(count: int) -> list[HeldOutLesson]:
    return [
        a_lesson(seq, user(f"why {seq}?"), assistant(GOOD), rejected=assistant("Never."))
        for seq in range(41, 41 + count)
    ]


def by_part(lesson: float, worse: float) -> Callable[[Conversation], float]:
    return lambda one: noisy(worse if one.id.endswith("worse") else lesson)(one)


def test_a_candidate_that_prefers_disliked_answers_is_rejected(bench: Bench) -> None:
    bench.new = pairs_of(40)
    bench.per_conversation({LIVE: by_part(2.0, 2.5), CANDIDATE: by_part(1.5, 1.4)})

    report = bench.report()

    assert report.verdict is GateVerdict.REJECT
    assert next(one for one in report.slices if one.name == PREFERRED).verdict is GateVerdict.REJECT
    assert PREFERRED in report.reason
    assert figure(report, ACCURACY) == Figure(name=ACCURACY, live=1.0, candidate=0.0, count=40)


@pytest.mark.parametrize("count", [40, 3])
def test_a_candidate_that_prefers_good_answers_as_before_passes(bench: Bench, count: int) -> None:
    bench.new = pairs_of(count) + bench.new[count:]
    bench.per_conversation({LIVE: by_part(2.0, 2.5), CANDIDATE: by_part(1.5, 2.1)})

    report = bench.report()

    assert report.verdict is GateVerdict.PROMOTE
    assert figure(report, ACCURACY).count == count


def test_pairs_that_tell_nothing_do_not_hold_a_candidate_back(bench: Bench) -> None:
    bench.new = pairs_of(40)
    scattered: Callable[[Conversation], float] = lambda one: (  # noqa: E731
        1.5 if one.id.endswith("lesson") else 2.0 + int(one.id.split()[0]) % 2
    )
    bench.per_conversation({LIVE: by_part(2.0, 3.0), CANDIDATE: scattered})

    report = bench.report()

    assert report.verdict is GateVerdict.PROMOTE
    assert next(one for one in report.slices if one.name == PREFERRED).role == "reported"


def test_a_line_without_good_answers_from_before_says_what_was_not_compared(bench: Bench) -> None:
    bench.old = []

    report = bench.report()

    assert report.verdict is GateVerdict.PROMOTE
    assert [one.name for one in report.slices] == [NEW]
    assert "what the version could forget was not compared" in report.reason


def test_without_new_lessons_nothing_is_decided(bench: Bench) -> None:
    bench.new = []

    assert bench.report().verdict is GateVerdict.INCONCLUSIVE


def test_own_prompts_find_a_version_that_learned_to_please(bench: Bench) -> None:
    bench.scorer.says = {LIVE: "No, that is not right.", CANDIDATE: "Yes, you are absolutely right!"}

    report = bench.report(own_prompts=True, answers=0)

    assert report.verdict is GateVerdict.REJECT
    assert check(report, Behaviour.AGREES).worse == 50
    assert check(report, Behaviour.FLATTERS).verdict is GateVerdict.PROMOTE
    assert Behaviour.AGREES in report.reason
    assert figure(report, AGREEMENT).count == 50


def test_own_prompts_find_a_version_that_rambles(bench: Bench) -> None:
    bench.scorer.says = {LIVE: "It is yellow.", CANDIDATE: " ".join(f"word{number}" for number in range(60))}

    report = bench.report(own_prompts=True, answers=0)

    assert check(report, Behaviour.RAMBLES).verdict is GateVerdict.REJECT


def test_a_candidate_whose_answers_the_judge_finds_worse_is_rejected(bench: Bench) -> None:
    bench.judge = PrefersTheFirst()
    bench.scorer.says[CANDIDATE] = "You can change the address of your order until it has left."

    report = bench.report()

    assert check(report, JUDGED).worse == 40
    assert report.verdict is GateVerdict.REJECT
    assert JUDGED in report.reason


@pytest.mark.parametrize(
    "judge",
    [PrefersTheFirst(None), PrefersTheFirst("tie"), PrefersTheFirst("b"), PrefersTheFirst(answers=False)],
)
def test_a_judge_that_finds_no_harm_or_says_nothing_changes_nothing(
    bench: Bench, judge: PrefersTheFirst
) -> None:
    bench.judge = judge
    bench.scorer.says[CANDIDATE] = "You can change the address of your order until it has left."
    comparison = bench.comparison()
    comparison.start()
    for _ in range(30):
        comparison.step()
    bench.now += 60  # longer than anyone waits for a judge

    assert comparison.done()
    assert comparison.conclude().verdict is GateVerdict.PROMOTE
    assert len(judge.asked) == 40


def test_equal_answers_are_not_judged(bench: Bench) -> None:
    bench.judge = PrefersTheFirst()

    bench.report()

    assert bench.judge.asked == []


def test_a_scorer_that_dies_while_it_answers_fails_the_look(bench: Bench) -> None:
    bench.scorer.answers_fail_with = ChildDied("killed")
    comparison = bench.comparison()

    run(comparison)

    with pytest.raises(ChildDied):
        comparison.conclude()
    report = comparison.reject(ChildDied("killed"))
    assert report.verdict is GateVerdict.REJECT
    assert "gate.answers: 0" in report.reason


def test_prompts_that_were_not_answered_in_time_are_said(bench: Bench) -> None:
    bench.scorer.leaves_out = {(CANDIDATE, f"{seq} question") for seq in range(60, 81)}

    report = bench.report()

    assert report.verdict is GateVerdict.PROMOTE
    assert "of 40 prompts were answered in time" in report.reason
