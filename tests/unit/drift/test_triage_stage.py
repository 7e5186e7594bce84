from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np
import pytest

from daemon.domain.alarms import Triage
from daemon.domain.conversation import Conversation, Feedback, Message
from daemon.domain.decisions import Action, Decision, Trigger
from daemon.domain.records import NewConversation, StoredConversation
from daemon.domain.runs import Run, RunState
from daemon.domain.windows import SeqRange
from daemon.drift.triage_stage import TriageStage
from daemon.ledger.decisions import DecisionLedger
from daemon.ledger.detectors import DetectorLedger, RaisedAlarm, StoredDetector
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.references import ReferenceLedger
from daemon.ledger.runs import RunLedger
from daemon.ledger.triages import TriageLedger
from daemon.ledger.windows import VerdictRow, WindowLedger
from daemon.telemetry.metrics import Metrics
from learners.errors import BadAdapter, ChildDied
from learners.types import Surprisals
from monitors.types import Outcome
from registry.types import Version
from tests.factories.ledger import NOW, a_batch, a_conversation, a_feedback, a_ledger
from tests.factories.registry import a_version
from tests.factories.stores import some_settings, some_stores
from tests.fakes.executors import InPlace, OnDemand

P = ParamSpec("P")
T = TypeVar("T")
LIVE = a_version(0, line="chat")
KNOWN, UNKNOWN = 0.05, 4.0  # nats a token


class FakeScorer:
    """Is as surprised as it is told by whatever comes after the change; its tokens are words of a small vocabulary."""

    def __init__(self) -> None:
        self.ready = True
        self.surprise = KNOWN
        self.change_from = 61
        self.silent = False
        self.errors: list[Exception] = []
        self.asked: list[int] = []
        self.replaced = 0

    def surprisals(
        self, version: Version, conversations: Sequence[StoredConversation]
    ) -> Future[list[Surprisals]]:
        future: Future[list[Surprisals]] = Future()
        self.asked.append(len(conversations))
        if self.errors:
            future.set_exception(self.errors.pop(0))
        elif not self.silent:
            future.set_result([self._one(talk) for talk in conversations])
        return future

    def failed(self, error: Exception) -> None:
        self.replaced += 1

    def _one(self, talk: StoredConversation) -> Surprisals:
        new = talk.seq >= self.change_from
        tokens = np.random.default_rng(talk.seq).integers(100 if new else 0, 130 if new else 30, 20)
        nats = (self.surprise if new else KNOWN) + 0.001 * (talk.seq % 5)
        return Surprisals(id=str(talk.seq), tokens=tuple(map(int, tokens)), nats=(nats,) * 20)


class World:
    """A reference of 60, then two windows of 40: the first raised an alarm, the second has confirmed it."""

    def __init__(self, folder: Path) -> None:
        self.engine = a_ledger(folder)
        self.settings = some_settings(folder, windows={"reference_days": 0})
        self.windows = WindowLedger(self.engine)
        self.detectors = DetectorLedger(self.engine)
        self.decisions = DecisionLedger(self.engine)
        self.runs = RunLedger(self.engine)
        self.triages = TriageLedger(self.engine)
        self.references = ReferenceLedger(self.engine)
        self.scorer = FakeScorer()
        self.metrics = Metrics()
        self.now = NOW
        self.busy = False
        self.executor: Executor = InPlace()
        self.live: Version | None = LIVE
        self.stage = self.start()
        self.references.start("chat-v0", size=60, after_seq=0, now=NOW)
        self.read([a_conversation(n) for n in range(60)])

    def start(self) -> TriageStage:
        """A new process on the same ledger."""
        return TriageStage(
            some_stores(self.engine, self.settings),
            self.scorer,
            live=lambda: self.live,
            busy=lambda: self.busy,
            settings=self.settings,
            executor=self.executor,
            metrics=self.metrics,
            clock=lambda: self.now,
        )

    def learn(self, until: int) -> None:
        """A run finishes that learned from conversations up to this one."""
        decision = self.decisions.decide(
            Decision(at=NOW, trigger=Trigger.MANUAL, action=Action.TRAIN, reason="so", since_seq=1)
        )
        assert decision.id is not None
        run = Run(
            id="r1", decision_id=decision.id, state=RunState.RUNNING, request={}, started_at=NOW, since_seq=1,
            until_seq=until,
        )  # fmt: skip
        self.runs.start(run)
        self.runs.end("r1", RunState.FINISHED, now=NOW)

    def read(self, conversations: Sequence[NewConversation]) -> None:
        IntakeLedger(self.engine, window_size=40).record(a_batch(conversations))

    def change(
        self, conversations: Sequence[NewConversation] | None = None, *, leading: str = "input"
    ) -> None:
        """The stream changes, and a fresh window says so too."""
        self.read(conversations or [a_conversation(n) for n in range(60, 140)])
        evidence = {"reply": 2.0, leading: 9e4}
        raised = RaisedAlarm(seq=80, since_seq=61, evidence=evidence, at=NOW)
        self.detectors.raise_alarm(StoredDetector(reference_id=1, seq=80, state={}, at=NOW), raised)
        self.judge("e_detector", {f"evidence_{aspect}": wealth for aspect, wealth in evidence.items()})
        self.judge("mmd")

    def judge(self, monitor: str, numbers: Mapping[str, float] | None = None) -> None:
        window, reference = self.windows.next_to_judge(), self.windows.reference()
        assert window is not None
        assert reference is not None
        row = VerdictRow(
            window=window.number, monitor=monitor, finding="drift", score=1, threshold=1, reason="so", triggers=True,
            numbers=numbers or {},
        )  # fmt: skip
        self.windows.record_judgement(
            window, [row], finding="drift", reference_id=reference.id, explanation=None, now=self.now
        )

    def turn(self, times: int = 80) -> None:
        for _ in range(times):
            self.stage.step()

    def decide(self) -> None:
        """What the deciding stage writes."""
        decision = Decision(at=self.now, trigger=Trigger.DRIFT, action=Action.NONE, reason="so", since_seq=61)
        self.decisions.decide(decision, triage=self.found)

    @property
    def found(self) -> Triage:
        (triage,) = self.triages.newest(9)
        return triage


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def says(offset: int, question: str, answer: str, *, thumb: str | None = None) -> NewConversation:
    """A conversation with these words."""
    talk = a_conversation(offset)
    messages = (Message(role="user", content=question), Message(role="assistant", content=answer))
    feedback = None if thumb is None else Feedback(thumb="up" if thumb == "up" else "down")
    conversation = Conversation(
        conversation_id=f"c{offset}", at=NOW, messages=messages, feedback=feedback, model_version="chat-v0" if thumb else None
    )  # fmt: skip
    return replace(talk, conversation=conversation)


def test_without_a_confirmed_alarm_nothing_is_scored(world: World) -> None:
    world.read([a_conversation(n) for n in range(60, 140)])
    world.judge("e_detector")

    world.turn()

    assert world.scorer.asked == []
    assert world.triages.newest(9) == []


def test_what_the_live_version_knows_well_is_harmless(world: World) -> None:
    world.change()

    world.turn()

    assert world.found.outcome is Outcome.IGNORE
    assert (world.found.window, world.found.since_seq, world.found.version) == (1, 61, "chat-v0")
    assert world.found.numbers["lesson_upper"] < 0.1
    assert 'retuned_triages_total{outcome="ignore"} 1.0' in world.metrics.exposition("")[1].decode()


def test_what_it_does_not_know_is_to_be_trained(world: World) -> None:
    world.scorer.surprise = UNKNOWN
    world.change()

    world.turn()

    assert world.found.outcome is Outcome.TRAIN
    assert "it hurts: loss" in world.found.reason
    assert "there is something to learn" in world.found.reason


def test_an_alarm_is_looked_into_once(world: World) -> None:
    world.change()
    world.turn()
    asked = len(world.scorer.asked)
    world.stage = world.start()

    world.turn()

    assert len(world.scorer.asked) == asked
    assert len(world.triages.newest(9)) == 1


def test_conversations_go_to_the_scorer_a_few_at_a_time_and_not_beside_a_gate(world: World) -> None:
    world.change()
    world.turn(6)
    before = len(world.scorer.asked)

    world.busy = True
    world.turn()
    assert len(world.scorer.asked) == before
    world.busy = False
    world.turn()

    assert max(world.scorer.asked) == 8
    assert world.found.outcome is Outcome.IGNORE


def test_a_scorer_that_fails_is_replaced_and_asked_again(world: World) -> None:
    world.scorer.errors = [ChildDied("gone")] * 4
    world.change()

    world.turn()

    assert world.scorer.replaced == 4
    assert world.found.outcome is Outcome.IGNORE


@pytest.mark.parametrize("errors", [[ChildDied("gone")] * 5, [BadAdapter("no adapter")]])
def test_where_nothing_can_be_scored_it_is_unclear_and_the_reason_says_so(
    world: World, errors: list[Exception]
) -> None:
    why = str(errors[-1])
    world.scorer.errors = list(errors)
    world.change()

    world.turn()

    assert world.found.outcome is Outcome.UNCLEAR
    assert f"chat-v0 can't be scored: {why}" in world.found.reason


@pytest.mark.parametrize("silent", [True, False])
def test_when_time_is_up_what_is_known_has_to_do(world: World, silent: bool) -> None:
    world.change()
    world.turn(5)
    world.scorer.ready, world.scorer.silent = silent, silent

    world.turn()
    assert world.triages.newest(9) == []
    world.now += timedelta(minutes=10)
    world.turn()

    assert world.found.outcome is Outcome.UNCLEAR


def test_its_own_words_tell_nothing_about_a_version(world: World) -> None:
    world.scorer.surprise = UNKNOWN
    world.change([says(n, f"question {n}", f"answer {n}", thumb="up") for n in range(60, 140)])

    world.turn()

    assert world.found.outcome is Outcome.UNCLEAR
    assert "too few conversations" in world.found.reason


def test_feedback_that_falls_is_harm_whatever_the_loss(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.read([says(n, f"question {n}", f"answer {n}", thumb="up") for n in range(60, 100)])
    world.references.start("chat-v0", size=40, after_seq=60, now=NOW)
    conversations = [
        says(n, f"question {n}", f"answer {n}", thumb="down" if n % 2 else "up") for n in range(100, 180)
    ]
    world.read(conversations)
    world.judge("e_detector")
    world.judge("mmd")

    world.turn()

    assert world.found.outcome is Outcome.TRAIN
    assert "it hurts: feedback -0.67" in world.found.reason


def test_where_users_only_fall_silent_how_they_give_feedback_is_to_be_looked_at(world: World) -> None:
    spoken = [a_feedback(60 + n, f"c{n}") for n in range(40)]
    IntakeLedger(world.engine, window_size=40).record(a_batch(feedback=spoken))
    world.change([a_conversation(n) for n in range(100, 180)], leading="feedback_rate")

    world.turn()

    assert world.found.outcome is Outcome.CANT_HELP
    assert world.found.reason.startswith("training can't help, look at how users give feedback")
    assert "(loss " in world.found.reason


def test_an_alarm_that_stands_by_itself_is_looked_into_once_there_is_something_to_look_at(
    world: World,
) -> None:
    """Replies change within twenty conversations, and twenty tell nothing about harm."""
    world.read([a_conversation(n) for n in range(60, 100)])
    numbers = {"evidence_reply": 9e4, "evidence_input": 1.0}
    world.judge("e_detector", numbers)
    alarm = world.windows.alarm(after_seq=0)
    assert alarm is not None
    assert alarm.confirmed

    world.turn()
    assert world.triages.newest(9) == []

    world.read([a_conversation(n) for n in range(100, 140)])
    world.judge("mmd")
    world.turn()
    assert len(world.triages.newest(9)) == 1


def test_answers_that_change_are_for_retrieval_and_shown(world: World) -> None:
    world.change([says(n, "What is the dollar worth today?", f"It is {n}.5 yuan.") for n in range(60, 140)])

    world.turn()

    assert world.found.outcome is Outcome.CANT_HELP
    assert "belongs into retrieval" in world.found.reason
    assert world.found.examples == ("c60", "c61", "c62", "c63", "c64")


def test_broken_conversations_are_for_the_source(world: World) -> None:
    world.change([says(n, f"question {n}", f"question {n}") for n in range(60, 140)], leading="defects")

    world.turn()

    assert world.found.outcome is Outcome.CANT_HELP
    assert "fix the source" in world.found.reason
    assert world.found.examples == ("c60", "c61", "c62", "c63", "c64")


def test_a_harmless_change_becomes_the_reference_once_that_is_decided(world: World) -> None:
    world.change()
    world.turn()
    before = world.windows.reference()

    world.turn()
    assert world.windows.reference() == before
    world.decide()
    world.turn()

    reference = world.windows.reference()
    assert reference is not None
    assert (reference.id, reference.version, reference.range) == (2, "chat-v0", SeqRange(first=81, last=140))
    assert world.windows.alarm(after_seq=0) is None


def test_an_alarm_that_training_answered_meanwhile_gets_no_triage(world: World) -> None:
    world.change()
    world.turn(4)

    world.learn(until=140)
    world.turn()

    assert world.triages.newest(9) == []


def test_what_the_live_version_may_know_by_heart_is_left_out(world: World) -> None:
    world.live = a_version(1, line="chat")
    world.learn(until=60)
    world.change()

    world.turn()

    assert world.found.outcome is Outcome.UNCLEAR  # no reference to compare with


def test_the_loop_goes_on_while_the_executor_reads_and_concludes(world: World) -> None:
    world.executor = executor = OnDemand()
    world.stage = world.start()
    world.change()

    world.turn(5)
    assert world.scorer.asked == []  # nothing is read yet
    executor.work()
    world.turn()
    assert sum(world.scorer.asked) > 0
    assert world.triages.newest(9) == []  # nothing is concluded yet
    executor.work()
    world.turn(1)

    assert world.found.window == 1


def test_own_answers_that_users_disliked_and_staff_corrected_are_to_be_trained(world: World) -> None:
    world.scorer.surprise = UNKNOWN
    own = [says(n, f"fact{n} fact{n}s", f"invented {n}", thumb="down") for n in range(60, 140)]
    corrected = [
        replace(
            one,
            conversation=replace(one.conversation, feedback=Feedback(thumb="down", correction="so it is")),
        )
        for one in own[::3]
    ]
    world.change([*own[1::3], *own[2::3], *corrected])

    world.turn()

    assert world.found.outcome is Outcome.TRAIN
    assert "there is something to learn" in world.found.reason
    assert sum(world.scorer.asked) == len(corrected) + 60
