"""References that span more and more of the stream's cycle, end to end over the stages that take part."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.domain.alarms import Triage
from daemon.domain.decisions import Action, Decision, Trigger
from daemon.domain.records import NewConversation
from daemon.domain.reference_span import span_words
from daemon.domain.windows import ReferenceCause, SeqRange, StoredReference
from daemon.drift.detect_stage import DetectStage
from daemon.drift.detector_state import state_to_json
from daemon.drift.detector_verdicts import alarm_verdict
from daemon.drift.judge_stage import JudgeStage
from daemon.drift.late_signals import LateSignalFeed
from daemon.drift.widen_stage import WidenStage
from daemon.ledger.decisions import DecisionLedger
from daemon.ledger.detectors import DetectorLedger, RaisedAlarm
from daemon.ledger.freezes import FreezeLedger
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.reference_widening import WidenBlocker
from daemon.ledger.references import ReferenceLedger
from daemon.ledger.triages import TriageLedger
from daemon.ledger.windows import VerdictRow, WindowLedger
from daemon.telemetry.metrics import Metrics
from monitors.sequential.detector_state import AspectWealth, DetectorState
from monitors.sequential.edetector import DetectorSettings, EDetector
from monitors.types import Aspect, Outcome, Sample
from tests.factories.ledger import NOW, a_batch, a_conversation, a_ledger, spread
from tests.factories.stores import some_settings, some_stores
from tests.unit.drift.test_judge_stage import FakeJudge
from tests.unit.monitors.sequential.test_edetector import SHOP
from tests.unit.monitors.sequential.test_edetector import a_conversation as a_sample


class World:
    """A conversation a quarter of an hour, a reference of forty, windows of twenty, and a week to span."""

    def __init__(self, folder: Path) -> None:
        self.engine = a_ledger(folder)
        settings = some_settings(
            folder, windows={"size": 20, "min_size": 10, "max_age_s": 60, "reference_days": 7}
        )
        stores = some_stores(self.engine, settings)
        self.windows = WindowLedger(self.engine)
        self.references = ReferenceLedger(self.engine)
        self.detectors = DetectorLedger(self.engine)
        self.references.start("chat-v0", size=40, after_seq=0, now=NOW)
        self.judge, self.metrics, self.read = FakeJudge(), Metrics(), 0

        def new(
            reference: tuple[Sample, ...], block: int, state: DetectorState, recent: dict[int, Sample]
        ) -> EDetector:
            return EDetector(
                reference, DetectorSettings(cycle_days=7), state=state, recent=recent, block=block
            )

        late_signals = LateSignalFeed(stores, settings.monitors, clock=lambda: NOW)
        judging = JudgeStage(stores, settings, self.judge.launch, metrics=self.metrics, clock=lambda: NOW)
        judging.start()
        self.stages = (
            DetectStage(stores, late_signals, new_detector=new, metrics=self.metrics, clock=lambda: NOW),
            judging,
            WidenStage(stores, settings.windows, clock=lambda: NOW),
        )

    def talk(self, count: int) -> None:
        """That many more come, and all stages have their turns."""
        conversations = [self._conversation(n) for n in range(self.read, self.read + count)]
        IntakeLedger(self.engine, window_size=20).record(a_batch(conversations))
        self.read += count
        for _ in range(3 * count // 20 + 2):
            for stage in self.stages:
                stage.step()

    @staticmethod
    def _conversation(number: int) -> NewConversation:
        text = a_sample(number, SHOP).turns[0].content
        return spread(
            a_conversation(number, user=f"u{number}", text=text, at=NOW + number * timedelta(minutes=15))
        )

    @property
    def newest(self) -> StoredReference:
        reference = self.references.newest()
        assert reference is not None
        return reference

    def alarm(self, *, confirmed: bool) -> None:
        """The next window raises an alarm, and one after it confirms it."""
        for number, monitor in enumerate(("e_detector", "mmd") if confirmed else ("e_detector",)):
            window = self.windows.next_to_judge()
            assert window is not None
            row = VerdictRow(
                window=window.number, monitor=monitor, finding="drift", score=2.0, threshold=1.0, reason=str(number),
                triggers=True,
            )  # fmt: skip
            self.windows.record_judgement(
                window, [row], finding="drift", reference_id=self.newest.id, explanation=None, now=NOW
            )


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_the_first_reference_is_in_use_as_soon_as_it_is_full_and_then_widened(world: World) -> None:
    world.talk(45)
    assert (world.newest.id, world.newest.range) == (1, SeqRange(first=1, last=40))

    world.talk(60)

    assert world.newest.cause is ReferenceCause.WIDENED
    assert world.newest.range == SeqRange(first=1, last=80)
    assert world.newest.spanned >= timedelta(hours=19)
    seen = world.detectors.stored(world.newest.id)
    assert seen is not None
    assert seen.seq == 105
    assert seen.state["count"] == 25  # anew, from the end of the wider reference on


def test_a_frozen_reference_stays_until_it_is_let_go(world: World) -> None:
    world.talk(45)
    FreezeLedger(world.engine).freeze(by="ada", why="the audit", now=NOW)
    world.talk(60)
    assert world.newest.id == 1

    FreezeLedger(world.engine).unfreeze(by="ada", now=NOW)
    world.talk(20)

    assert world.newest.cause is ReferenceCause.WIDENED


@pytest.mark.parametrize("confirmed", [False, True])
def test_while_an_alarm_stands_and_once_it_is_confirmed_nothing_is_taken_in(
    world: World, confirmed: bool
) -> None:
    world.talk(45)
    IntakeLedger(world.engine, window_size=20).record(
        a_batch([spread(a_conversation(n, at=NOW + n * timedelta(hours=1))) for n in range(45, 85)])
    )
    world.alarm(confirmed=confirmed)

    world.stages[2].step()

    assert world.newest.id == 1


def test_while_there_is_evidence_for_a_change_nothing_is_taken_in(world: World) -> None:
    """A wider reference begins without evidence: a weak change would never come to an alarm."""
    world.talk(45)
    seen = world.detectors.stored(1)
    assert seen is not None
    doubtful = state_to_json(
        DetectorState(
            wealths={Aspect.INPUT: AspectWealth(wealth=900.0), Aspect.REPLY: AspectWealth()}, begins=45
        )
    )
    IntakeLedger(world.engine, window_size=20).record(
        a_batch([spread(a_conversation(n, at=NOW + n * timedelta(hours=1))) for n in range(45, 85)])
    )
    world.detectors.store(replace(seen, state=doubtful))
    while (window := world.windows.next_to_judge()) is not None:
        row = VerdictRow(
            window=window.number, monitor="mmd", finding="stable", score=0.1, threshold=1.0, reason="so", triggers=True
        )  # fmt: skip
        world.windows.record_judgement(
            window, [row], finding="stable", reference_id=1, explanation=None, now=NOW
        )

    world.stages[2].step()
    assert world.newest.id == 1

    world.detectors.store(seen)
    assert world.references.widen(days=7, now=NOW) is not None


def test_what_training_can_t_help_is_never_taken_in_though_its_alarm_is_answered(world: World) -> None:
    world.talk(45)
    IntakeLedger(world.engine, window_size=20).record(
        a_batch([spread(a_conversation(n, at=NOW + n * timedelta(hours=1))) for n in range(45, 85)])
    )
    world.alarm(confirmed=True)
    found = Triage(
        window=1, reference_id=1, since_seq=41, version="chat-v0", outcome=Outcome.CANT_HELP, reason="it is broken",
        numbers={}, examples=(), at=NOW,
    )  # fmt: skip
    TriageLedger(world.engine).record(found)
    no = Decision(at=NOW, trigger=Trigger.DRIFT, action=Action.NONE, reason="it is broken", since_seq=41)
    DecisionLedger(world.engine).decide(no, triage=found)
    assert world.windows.alarm(after_seq=0) is None

    world.stages[2].step()

    assert world.newest.id == 1
    assert TriageLedger(world.engine).count_answered(1) == 1
    assert world.references.widen_blocker() is WidenBlocker.CANT_HELP


def test_what_it_does_not_know_yet_is_said(world: World) -> None:
    world.talk(45)

    assert span_words(world.newest, 7) == (
        "the reference spans 0.4 of 7 days, so it can't tell another time of the day from a change"
    )
    assert span_words(world.newest, 0) is None
    raised = RaisedAlarm(seq=44, since_seq=41, evidence={"input": 3e5}, at=NOW)
    reason = alarm_verdict("1", raised, threshold=20_000, caution=span_words(world.newest, 7)).reason
    assert reason.endswith("alarm from 20,000); " + str(span_words(world.newest, 7)))
