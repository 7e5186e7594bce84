"""The stage that asks the teacher, without threads."""

from collections.abc import Sequence
from concurrent.futures import Executor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.config.sections.teacher import TeacherSection
from daemon.domain.teaching import Reply, TeacherOutcome, TeacherPurpose
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.teacher import TeacherLedger
from daemon.teaching.question import ChatMessages, Question
from daemon.teaching.stage import TeacherStage
from daemon.telemetry.exposition import read_samples
from daemon.telemetry.metrics import Metrics
from tests.factories.ledger import NOW, a_batch, a_conversation, a_ledger
from tests.fakes.executors import InPlace, OnDemand

GOOD = Reply(outcome=TeacherOutcome.ANSWERED, text="fine", input_tokens=20, output_tokens=10)
BUSY = Reply(outcome=TeacherOutcome.RATE_LIMITED, reason="too many calls", retry_after_s=60.0)
EMPTY = Reply(outcome=TeacherOutcome.EMPTY, reason="the answer is empty")


class Bench:
    """A stage over a ledger, with a clock and a teacher that a test sets."""

    def __init__(self, folder: Path, *, executor: Executor | None = None, **settings: Any) -> None:
        engine = a_ledger(folder)
        IntakeLedger(engine, window_size=20).record(a_batch([a_conversation(n) for n in range(10)]))
        self.now = NOW
        self.replies: list[Reply] = []
        self.sent: list[ChatMessages] = []
        self.prompts: list[Question] = []
        self.ledger = TeacherLedger(engine)
        self.metrics = Metrics()
        self.section = TeacherSection(url="https://api.example.com/v1", model="large", **settings)
        self.executor = executor or InPlace()
        self.stage = self.another()

    def another(self) -> TeacherStage:
        """The stage of the next process."""
        return TeacherStage(
            self.ledger,
            self.section,
            ask=self.ask,
            choose=self.choose,
            redact=lambda text: text.replace("ann@x.org", "[EMAIL]"),
            executor=self.executor,
            metrics=self.metrics,
            clock=self.clock,
        )

    def clock(self) -> datetime:
        """The time, which goes on while a step works."""
        self.now += timedelta(microseconds=1)
        return self.now

    def ask(self, messages: ChatMessages, max_tokens: int) -> Reply:
        self.sent.append(messages)
        return self.replies.pop(0) if self.replies else GOOD

    def choose(self) -> Sequence[Question]:
        asked = self.ledger.asked([one.digest for one in self.prompts], model="large")
        return [one for one in self.prompts if not (one.digest in asked and asked[one.digest].answered)]

    def run(self, steps: int = 6, *, every: timedelta = timedelta(seconds=1)) -> None:
        for _ in range(steps):
            self.stage.step()
            self.now += every

    def outcomes(self) -> list[TeacherOutcome]:
        return [record.outcome for record in reversed(self.ledger.newest(100))]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def prompts(count: int, *, text: str = "question") -> list[Question]:
    return [
        Question(
            purpose=TeacherPurpose.ANSWER,
            digest=f"d{n}",
            messages=[{"role": "user", "content": f"{text} {n}"}],
            max_tokens=100,
            seq=n,
        )
        for n in range(1, count + 1)
    ]


def series(metrics: Metrics, name: str) -> dict[tuple[str, ...], float]:
    _, text = metrics.exposition("")
    return {tuple(sample.labels.values()): sample.value for sample in read_samples(text.decode(), name)}


def test_prompts_are_asked_once_and_their_answers_kept(bench: Bench) -> None:
    bench.prompts = prompts(3)

    bench.run(100)

    assert [messages[0]["content"] for messages in bench.sent] == ["question 1", "question 2", "question 3"]
    assert [(one.seq, one.answer) for one in bench.ledger.newest(10)] == [
        (3, "fine"),
        (2, "fine"),
        (1, "fine"),
    ]


def test_personal_data_leaves_neither_with_a_prompt_nor_comes_with_an_answer(bench: Bench) -> None:
    bench.prompts = prompts(1, text="I am ann@x.org")
    bench.replies = [Reply(outcome=TeacherOutcome.ANSWERED, text="Write to ann@x.org")]

    bench.run()

    assert bench.sent[0][0]["content"] == "I am [EMAIL] 1"
    assert bench.ledger.newest(1)[0].answer == "Write to [EMAIL]"


def test_no_more_calls_go_on_than_the_settings_allow(tmp_path: Path) -> None:
    executor = OnDemand()
    bench = Bench(tmp_path, executor=executor, concurrency=2)
    bench.prompts = prompts(5)
    bench.run(2)
    executor.work()

    bench.run(3)

    assert bench.outcomes() == [TeacherOutcome.UNFINISHED] * 2  # in the ledger before they begin
    executor.work()
    bench.run(1)
    assert bench.outcomes()[:2] == [TeacherOutcome.ANSWERED] * 2


def test_calls_end_with_the_budget_and_go_on_the_next_day(tmp_path: Path) -> None:
    bench = Bench(tmp_path, calls_a_day=2)
    bench.prompts = prompts(5)

    bench.run(100)
    assert len(bench.sent) == 2
    assert series(bench.metrics, "retuned_teacher_budget_left_calls") == {(): 0.0}

    bench.now = NOW + timedelta(days=1)
    bench.run(100)
    assert len(bench.sent) == 4


def test_a_restart_does_not_renew_the_budget(tmp_path: Path) -> None:
    bench = Bench(tmp_path, calls_a_day=2)
    bench.prompts = prompts(5)
    bench.run(100)

    bench.stage = bench.another()
    bench.run(100)

    assert len(bench.sent) == 2


@pytest.mark.parametrize("back", [timedelta(hours=1), timedelta(hours=13)])
def test_a_clock_that_is_set_back_does_not_renew_the_budget(tmp_path: Path, back: timedelta) -> None:
    bench = Bench(tmp_path, calls_a_day=2)
    bench.prompts = prompts(5)
    bench.run(100)

    bench.now = NOW - back
    bench.run(100)

    assert len(bench.sent) == 2


def test_money_limits_as_calls_do(tmp_path: Path) -> None:
    """Each call may cost 0.1 for its answer and a little for its prompt; it turns out to cost 0.01 and less."""
    bench = Bench(
        tmp_path, money_a_day=0.125, price_per_million_output_tokens=1_000.0, price_per_million_input_tokens=1.0
    )  # fmt: skip
    bench.prompts = prompts(9)

    bench.run(100)

    assert len(bench.sent) == 3
    assert series(bench.metrics, "retuned_teacher_cost_total")[()] == pytest.approx(0.03, abs=0.001)


def test_a_kill_in_mid_call_counts_it_and_asks_again(tmp_path: Path) -> None:
    executor = OnDemand()
    bench = Bench(tmp_path, executor=executor, concurrency=1, calls_a_day=2)
    bench.prompts = prompts(1)
    bench.run(2)
    executor.work()
    bench.run(2)
    assert bench.outcomes() == [TeacherOutcome.UNFINISHED]

    bench.executor = InPlace()
    bench.stage = bench.another()  # and nobody closed the first
    bench.run(20)

    assert bench.outcomes() == [TeacherOutcome.UNFINISHED, TeacherOutcome.ANSWERED]
    assert series(bench.metrics, "retuned_teacher_budget_left_calls") == {(): 0.0}


def test_an_endpoint_that_asks_to_wait_is_left_alone_for_so_long(bench: Bench) -> None:
    bench.prompts, bench.replies = prompts(1), [BUSY]

    bench.run(50)
    assert bench.outcomes() == [TeacherOutcome.RATE_LIMITED]

    bench.run(50)
    assert bench.outcomes() == [TeacherOutcome.RATE_LIMITED, TeacherOutcome.ANSWERED]


def test_failures_become_rarer_and_are_told(bench: Bench) -> None:
    bench.prompts = prompts(8)
    bench.replies = [Reply(outcome=TeacherOutcome.UNAUTHORIZED, reason="check the key")] * 1_000

    bench.run(3_600)

    assert 10 < len(bench.sent) < 80  # two at a time, each pause between half of five minutes and all of it
    assert series(bench.metrics, "retuned_teacher_failing_since_timestamp_seconds") == {
        (): pytest.approx((NOW + timedelta(seconds=2)).timestamp(), abs=0.01)
    }

    bench.replies = []
    bench.run(600)
    assert series(bench.metrics, "retuned_teacher_failing_since_timestamp_seconds") == {}


def test_what_the_model_cannot_answer_does_not_hold_up_the_others(bench: Bench) -> None:
    bench.prompts, bench.replies = prompts(3), [EMPTY]

    bench.run(5)

    assert bench.outcomes() == [TeacherOutcome.EMPTY, TeacherOutcome.ANSWERED, TeacherOutcome.ANSWERED]
    calls = series(bench.metrics, "retuned_teacher_calls_total")
    assert calls["empty", "answer"] == 1
    assert calls["answered", "answer"] == 2


PAIR = [{"role": "user", "content": "which?"}]


def letter(text: str) -> Reply:
    return Reply(outcome=TeacherOutcome.ANSWERED, text=text, input_tokens=50, output_tokens=1)


def test_a_verdict_is_asked_before_prompts_and_cached(bench: Bench) -> None:
    bench.prompts, bench.replies = prompts(3), [letter("A")]

    first = bench.stage.ask_judge(PAIR)
    bench.run(10)
    again = bench.stage.ask_judge(PAIR)

    assert (first.result(0), again.result(0)) == ("A", "A")
    assert bench.sent[0] == PAIR
    assert bench.sent.count(PAIR) == 1


@pytest.mark.parametrize("text", ["a", "A.", "Answer A", "D", "AB", "A\nbecause"])
def test_a_verdict_is_one_letter_and_nothing_else(bench: Bench, text: str) -> None:
    bench.replies = [letter(text)]

    promised = bench.stage.ask_judge(PAIR)
    bench.run(2)

    assert promised.result(0) is None
    assert bench.outcomes() == [TeacherOutcome.NO_VERDICT]
    assert bench.stage.ask_judge(PAIR).result(0) is None  # and is not asked again


def test_who_waits_for_a_verdict_hears_at_once_that_the_budget_is_used_up(tmp_path: Path) -> None:
    bench = Bench(tmp_path, calls_a_day=1)
    bench.prompts = prompts(1)
    bench.run(3)

    promised = bench.stage.ask_judge(PAIR)
    bench.run(1)

    assert promised.result(0) is None


def test_a_verdict_is_tried_again_while_the_gate_waits_and_not_longer(bench: Bench) -> None:
    bench.replies = [BUSY, letter("B")]
    promised = bench.stage.ask_judge(PAIR)
    bench.run(70)
    assert promised.result(0) == "B"

    bench.replies = [BUSY] * 100
    late = bench.stage.ask_judge([{"role": "user", "content": "and which?"}])
    bench.run(130)
    assert late.result(0) is None


def test_closing_stores_what_has_come_and_leaves_nobody_waiting(tmp_path: Path) -> None:
    executor = OnDemand()
    bench = Bench(tmp_path, executor=executor, concurrency=1)
    bench.prompts = prompts(1)
    bench.run(2)
    executor.work()
    bench.run(2)
    promised = bench.stage.ask_judge(PAIR)
    executor.work()

    bench.stage.close(0.1)

    assert bench.outcomes() == [TeacherOutcome.ANSWERED]
    assert promised.result(0) is None
    assert series(bench.metrics, "retuned_teacher_budget_left_calls") == {}


def test_without_answers_no_prompt_is_chosen(tmp_path: Path) -> None:
    bench = Bench(tmp_path, answers=False, judges=True)
    bench.prompts = prompts(2)

    bench.run(50)

    assert bench.sent == []
