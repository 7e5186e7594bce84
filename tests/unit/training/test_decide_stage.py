from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from daemon.config.live import LiveSettings
from daemon.config.settings import PolicySection
from daemon.domain.alarms import Triage
from daemon.domain.decisions import Action, Decision, Trigger
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.situation import read_situation
from daemon.ledger.triages import TriageLedger
from daemon.ledger.windows import VerdictRow
from daemon.telemetry.metrics import Metrics
from daemon.training.decide_stage import DecideStage
from monitors.types import Outcome
from registry.tables import metadata as registry_metadata
from tests.factories.ledger import a_batch, a_ledger, some_conversations
from tests.factories.stores import some_settings, some_stores

NIGHT = datetime(2026, 11, 24, 2, 59, tzinfo=UTC)


class World:
    """A ledger with a reference of 10, windows of 20, and a stage that hands its decisions to a list."""

    def __init__(self, folder: Path) -> None:
        self.engine = a_ledger(folder)
        registry_metadata.create_all(self.engine)
        self.settings = some_settings(folder)
        self.stores = some_stores(self.engine, self.settings)
        self.windows = self.stores.windows
        self.stores.references.start("chat-v0", size=10, after_seq=0, now=NIGHT)
        self.now = NIGHT
        self.pending_work: str | None = None
        self.pause: str | None = None
        self.submitted: list[Decision] = []
        self.stage = self.start()

    def start(self, schedule: str | None = None, *, triage: bool = False) -> DecideStage:
        """A new process on the same ledger."""
        policy = PolicySection(triage=triage, min_new_lessons=30, cooldown_s=3_600, schedule=schedule)
        settings = self.settings.model_copy(update={"policy": policy})
        stage = DecideStage(
            self.stores, LiveSettings(settings), train=self.submitted.append, read_pause=lambda: self.pause,
            read_pending_work=lambda: self.pending_work,
            read_situation=lambda: read_situation(self.stores, self.settings), metrics=Metrics(),
            clock=lambda: self.now,
        )  # fmt: skip
        stage.start()
        return stage

    def read(self, first: int, count: int) -> None:
        IntakeLedger(self.engine, window_size=20).record(a_batch(some_conversations(first, count)))

    def judge(self, finding: str) -> None:
        window, reference = self.windows.next_to_judge(), self.windows.reference()
        assert window is not None
        assert reference is not None
        alarm = self.windows.alarm(after_seq=0)
        row = VerdictRow(
            window=window.number,
            monitor="e_detector" if alarm is None else "mmd",  # who may say so
            finding=finding,
            score=1,
            threshold=1,
            reason="so",
            triggers=True,
        )
        self.windows.record_judgement(
            window, [row], finding=finding, reference_id=reference.id, explanation=None, now=self.now
        )

    def look_into(self, outcome: Outcome) -> None:
        """The triage of the alarm that stands."""
        alarm = self.windows.alarm(after_seq=0)
        assert alarm is not None
        TriageLedger(self.engine).record(
            Triage(
                window=alarm.window, reference_id=1, since_seq=alarm.first_seq, version="chat-v0", outcome=outcome,
                reason=f"it is {outcome}", numbers={}, examples=(), at=self.now,
            )
        )  # fmt: skip

    def decisions(self) -> list[tuple[Trigger | None, Action]]:
        return [(d.trigger, d.action) for d in reversed(self.stores.decisions.recent(99))]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_nothing_is_decided_without_an_occasion(world: World) -> None:
    world.read(0, 29)

    world.stage.step()

    assert world.decisions() == []


def test_each_judged_window_is_decided_on_once(world: World) -> None:
    world.read(0, 30)
    world.judge("stable")

    world.stage.step()
    world.stage.step()

    assert world.decisions() == [(None, Action.NONE)]


def test_drift_waits_for_data_and_then_trains(world: World) -> None:
    world.read(0, 30)
    world.judge("drift")
    world.stage.step()
    world.read(30, 20)
    world.judge("drift")
    world.stage.step()

    assert world.decisions() == [(Trigger.DRIFT, Action.WAIT), (Trigger.DRIFT, Action.TRAIN)]
    assert [decision.since_seq for decision in world.submitted] == [11]


def test_drift_waits_while_another_training_goes_on(world: World) -> None:
    world.pending_work = "run r1"
    world.read(0, 50)
    world.judge("drift")

    world.stage.step()

    assert world.decisions() == [(Trigger.DRIFT, Action.WAIT)]
    assert world.submitted == []


def test_an_operators_wish_is_answered_once(world: World) -> None:
    world.read(0, 5)
    world.stores.decisions.request_training(by="ada", reason="new prices", now=world.now)

    world.stage.step()
    world.stage.step()

    assert world.decisions() == [(Trigger.MANUAL, Action.TRAIN)]


def test_a_scheduled_time_is_an_occasion_once_a_day(world: World) -> None:
    world.read(0, 50)
    world.stage = world.start(schedule="0 3 * * *")

    for minutes in (0, 1, 1, 1):
        world.now += timedelta(minutes=minutes)
        world.stage.step()

    assert world.decisions() == [(Trigger.SCHEDULE, Action.TRAIN)]


def test_a_time_missed_while_the_daemon_was_down_is_not_made_up_for(world: World) -> None:
    world.read(0, 50)
    world.now += timedelta(minutes=10)
    world.stage = world.start(schedule="0 3 * * *")

    world.stage.step()

    assert world.decisions() == []


def test_a_restart_does_not_decide_again(world: World) -> None:
    world.read(0, 30)
    world.judge("stable")
    world.stage.step()

    world.stage = world.start()
    world.stage.step()

    assert len(world.decisions()) == 1


def test_a_confirmed_alarm_waits_for_its_triage_which_is_an_occasion_itself(world: World) -> None:
    world.stage = world.start(triage=True)
    world.read(0, 50)
    world.judge("drift")
    world.judge("drift")
    world.stage.step()

    world.look_into(Outcome.TRAIN)
    world.stage.step()
    world.stage.step()

    assert world.decisions() == [(Trigger.DRIFT, Action.WAIT), (Trigger.DRIFT, Action.TRAIN)]
    assert "it is train" in world.submitted[0].reason


@pytest.mark.parametrize("outcome", [Outcome.IGNORE, Outcome.CANT_HELP])
def test_what_is_not_trained_for_is_answered_once_with_the_reason(world: World, outcome: Outcome) -> None:
    world.stage = world.start(triage=True)
    world.read(0, 70)
    world.judge("drift")
    world.judge("drift")
    world.look_into(outcome)
    world.stage.step()
    world.judge("stable")

    world.stage.step()

    assert world.decisions() == [(Trigger.DRIFT, Action.NONE), (None, Action.NONE)]
    assert world.submitted == []
    later, first = world.stores.decisions.recent(2)
    assert f"it is {outcome}" in first.reason
    assert later.reason == (
        "the change since window 1 is answered by the decision not to train: "
        f"it is {outcome}; no other reason to train"
    )


def test_a_window_that_differs_without_an_alarm_is_said_to_differ_and_why_that_is_no_drift(
    world: World,
) -> None:
    world.read(0, 30)
    window, reference = world.windows.next_to_judge(), world.windows.reference()
    assert window is not None
    assert reference is not None
    rows = [
        VerdictRow(
            window=window.number, monitor=monitor, finding=finding, score=1, threshold=1, reason="so", triggers=triggers
        )
        for monitor, finding, triggers in (("e_detector", "stable", True), ("columns", "drift", False))
    ]  # fmt: skip
    world.windows.record_judgement(
        window, rows, finding="stable", reference_id=reference.id, explanation=None, now=world.now
    )

    world.stage.step()

    [decision] = world.stores.decisions.recent(9)
    assert decision.action is Action.NONE
    assert decision.reason == (
        "window 1 differs from the reference (columns), as one may by chance, and no alarm is open; no other reason to train"
    )


def test_an_operator_trains_for_what_was_ignored(world: World) -> None:
    world.stage = world.start(triage=True)
    world.read(0, 50)
    world.judge("drift")
    world.judge("drift")
    world.look_into(Outcome.IGNORE)
    world.stage.step()

    world.stores.decisions.request_training(by="ada", reason="all the same", now=world.now)
    world.stage.step()

    assert world.decisions()[-1] == (Trigger.MANUAL, Action.TRAIN)


def test_a_wish_that_came_first_does_not_answer_the_alarm(world: World) -> None:
    world.stage = world.start(triage=True)
    world.read(0, 70)
    world.judge("drift")
    world.judge("drift")
    world.look_into(Outcome.IGNORE)
    world.stores.decisions.request_training(by="ada", reason="all the same", now=world.now)
    world.stage.step()
    assert world.windows.alarm(after_seq=0) is not None

    world.judge("drift")
    world.stage.step()

    assert world.decisions() == [(Trigger.MANUAL, Action.TRAIN), (Trigger.DRIFT, Action.NONE)]
    assert world.windows.alarm(after_seq=0) is None


def test_a_triage_skips_no_scheduled_time(world: World) -> None:
    world.stage = world.start(schedule="0 3 * * *", triage=True)
    world.read(0, 50)
    world.judge("drift")
    world.judge("drift")
    world.look_into(Outcome.IGNORE)
    world.now += timedelta(minutes=1)

    world.stage.step()
    world.stage.step()

    assert world.decisions() == [(Trigger.DRIFT, Action.NONE), (Trigger.SCHEDULE, Action.TRAIN)]


def test_while_training_is_paused_drift_waits_and_the_decision_says_why(world: World) -> None:
    world.read(0, 70)
    for finding in ("drift", "drift"):
        world.judge(finding)
    world.pause = "training is paused by ada: the audit"

    world.stage.step()

    [decision] = world.stores.decisions.recent(1)
    assert (decision.trigger, decision.action) == (Trigger.DRIFT, Action.WAIT)
    assert decision.reason.endswith("waits: training is paused by ada: the audit")
    assert world.submitted == []


def test_a_request_stays_open_while_training_is_paused(world: World) -> None:
    world.read(0, 30)
    world.stores.decisions.request_training(by="bob", reason="new shop", now=NIGHT)
    world.pause = "training is paused by ada: the audit"
    world.stage.step()
    assert world.stores.decisions.open_request() is not None

    world.pause = None
    world.stage.step()

    assert world.stores.decisions.open_request() is None
    assert [decision.trigger for decision in world.submitted] == [Trigger.MANUAL]


def test_a_schedule_that_is_reloaded_counts_from_then(world: World) -> None:
    world.read(0, 50)
    settings = LiveSettings(world.settings)
    stage = DecideStage(
        world.stores, settings, train=world.submitted.append, read_pause=lambda: None,
        read_pending_work=lambda: None,
        read_situation=lambda: read_situation(world.stores, world.settings), metrics=Metrics(),
        clock=lambda: world.now,
    )  # fmt: skip
    stage.start()
    settings.replace(
        some_settings(world.settings.state_dir, policy={"schedule": "30 3 * * *", "min_new_lessons": 30})
    )

    taken = []
    for minutes in (0, 20, 11, 1):  # it is 2:59, 3:19, 3:30 and 3:31
        world.now += timedelta(minutes=minutes)
        stage.step()
        taken.append(len(world.submitted))

    assert taken == [0, 0, 1, 1]
