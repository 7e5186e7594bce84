import logging
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.drift.detector_state import state_to_json
from daemon.drift.judge_stage import JudgeStage
from daemon.ledger.detectors import DetectorLedger, RaisedAlarm, StoredDetector
from daemon.ledger.erasures import ErasureLedger, Subject
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.provenance import ProvenanceLedger
from daemon.ledger.references import ReferenceLedger
from daemon.ledger.reports import ReportLedger
from daemon.ledger.windows import JudgedWindow, WindowLedger
from daemon.telemetry.metrics import Metrics
from monitors.judge_process import JudgeDied
from monitors.sequential.detector_state import DetectorState
from monitors.settings import MonitorSettings
from monitors.suite import Judgement
from monitors.types import Explanation, Finding, Reference, Verdict, Window
from monitors.window.recurrence_result import Recurrence, RecurrenceResult
from tests.factories.ledger import NOW, a_batch, a_ledger, some_conversations
from tests.factories.stores import some_settings, some_stores


class FakeJudge:
    """Answers at the second poll, or dies. ``launch`` brings it back to life."""

    def __init__(self) -> None:
        self.findings = {"mmd": Finding.STABLE, "columns": Finding.STABLE}
        self.deaths = 0
        self.report: bytes | None = b"a page"
        self.recurrence: RecurrenceResult | None = None
        self.asked: list[tuple[Window, Reference]] = []
        self.settings: list[MonitorSettings] = []
        self.earlier: list[tuple[str, ...]] = []
        self._polls = 0
        self.launches = 0
        self.stopped_within: list[float] = []
        self.alive = False

    def launch(self) -> "FakeJudge":
        self.launches += 1
        self.alive = True
        return self

    @property
    def pid(self) -> int | None:
        return self.launches if self.alive else None

    def submit(
        self, window: Window, reference: Reference, settings: MonitorSettings, earlier: Sequence[Reference]
    ) -> None:
        assert self.alive
        self.asked.append((window, reference))
        self.earlier.append(tuple(one.title for one in earlier))
        self.settings.append(settings)
        self._polls = 0

    def poll(self) -> tuple[Judgement, float] | None:
        self._polls += 1
        if self.deaths > 0:
            self.deaths -= 1
            self.alive = False
            raise JudgeDied("exit status -9")
        if self._polls < 2:
            return None
        window = self.asked[-1][0]
        verdicts = tuple(
            Verdict(
                monitor=name,
                window_id=window.id,
                finding=finding,
                score=0.5,
                threshold=1.0,
                reason=f"{name} says {finding}",
            )
            for name, finding in self.findings.items()
        )
        settings = self.settings[-1]
        drifted = settings.alarmed or (settings.confirming and self.findings["mmd"] is Finding.DRIFT)
        explanation = Explanation(
            window_id=window.id, changes=(), examples=(window.samples[0].id,), share_new=0.5
        )
        report = self.report if drifted else None
        judgement = Judgement(
            verdicts=verdicts,
            explanation=explanation if drifted else None,
            recurrence=self.recurrence,
            report=report,
        )
        return judgement, 0.1

    def stop(self, timeout_s: float) -> None:
        self.alive = False
        self.stopped_within.append(timeout_s)


class World:
    """A filled reference, windows of 20, a fake judge."""

    def __init__(self, folder: Path) -> None:
        self.now = NOW
        self.engine = a_ledger(folder)
        self.settings = some_settings(
            folder, windows={"size": 20, "min_size": 10, "max_age_s": 60, "reference_days": 0}
        )
        self.stores = some_stores(self.engine, self.settings)
        self.windows = WindowLedger(self.engine)
        self.references = ReferenceLedger(self.engine)
        self.references.start("chat-v0", size=10, after_seq=0, now=NOW)
        self.judge = FakeJudge()
        self.metrics = Metrics()
        self.detectors = DetectorLedger(self.engine)
        self.reports = ReportLedger(self.engine)
        self.stage = self.start(self.judge)

    def start(self, judge: FakeJudge) -> JudgeStage:
        """A new process on the same ledger."""
        stage = JudgeStage(
            self.stores, self.settings, judge.launch, metrics=self.metrics, clock=lambda: self.now
        )
        stage.start()
        return stage

    def read(self, first: int, count: int, *, alarm_at: int | None = None) -> None:
        """Conversations come, and the sequential detector sees them."""
        IntakeLedger(self.engine, window_size=20).record(a_batch(some_conversations(first, count)))
        seen = StoredDetector(reference_id=1, seq=first + count, state=state_to_json(DetectorState()), at=NOW)
        if alarm_at is None:
            self.detectors.store(seen)
        else:
            raised = RaisedAlarm(seq=alarm_at, since_seq=alarm_at - 5, evidence={"input": 3e5}, at=NOW)
            self.detectors.raise_alarm(seen, raised)

    def turn(self, times: int) -> list[JudgedWindow]:
        for _ in range(times):
            self.stage.step()
        return self.windows.judged(limit=9)

    def pause(self, seconds: float) -> None:
        """The stage notices a death; then that much time passes."""
        self.stage.step()
        self.now += timedelta(seconds=seconds)
        self.stage.step()

    @property
    def restarts(self) -> float:
        return float(self.metrics.process.child_restarts("judge")._value.get())


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_window_is_judged_against_the_reference_without_waiting_for_it(world: World) -> None:
    world.read(0, 30)

    assert world.turn(2) == []
    [judged] = world.turn(1)

    window, reference = world.judge.asked[0]
    assert [sample.id for sample in reference.samples] == [f"c{n}" for n in range(10)]
    assert [sample.id for sample in window.samples] == [f"c{n}" for n in range(10, 30)]
    assert judged.finding == "stable"
    assert [verdict.monitor for verdict in judged.verdicts] == ["columns", "e_detector", "mmd"]


def test_the_judge_is_started_by_start_and_not_by_the_constructor(world: World) -> None:
    judge = FakeJudge()

    stage = JudgeStage(world.stores, world.settings, judge.launch, metrics=world.metrics, clock=lambda: NOW)
    assert (judge.launches, stage.pid) == (0, None)
    stage.start()

    assert (judge.launches, stage.pid) == (1, 1)


def test_a_window_waits_until_the_detector_has_seen_it(world: World) -> None:
    world.read(0, 10)
    IntakeLedger(world.engine, window_size=20).record(a_batch(some_conversations(10, 20)))

    assert world.turn(3) == []
    assert world.judge.asked == []


def test_without_an_alarm_no_monitor_makes_a_window_drift(world: World) -> None:
    world.judge.findings = {"mmd": Finding.DRIFT, "columns": Finding.DRIFT}
    world.read(0, 30)

    [judged] = world.turn(3)

    assert judged.finding == "stable"
    assert judged.explanation is None


def test_a_window_with_drift_gets_its_report_with_its_judgement(world: World) -> None:
    world.read(0, 30, alarm_at=25)

    world.turn(3)

    assert [entry.window for entry in world.reports.newest_first()] == [1]
    assert world.reports.html(1) == b"a page"
    detected = world.judge.settings[0].detected
    assert detected is not None
    assert detected.numbers["evidence_input"] == 3e5  # for the report


def test_a_report_that_failed_costs_no_judgement(world: World) -> None:
    world.judge.report = None
    world.read(0, 30, alarm_at=25)

    [judged] = world.turn(3)

    assert judged.explanation is not None
    assert world.reports.newest_first() == []


def test_who_is_forgotten_while_a_window_is_judged_is_in_no_report(world: World) -> None:
    world.read(0, 30, alarm_at=25)
    world.turn(2)
    subject = Subject(kind="conversation", id="c15", hash="hash of c15")
    ErasureLedger(world.engine).erase(subject, by="ada", why="asked", now=NOW)

    [judged] = world.turn(1)

    assert judged.finding == "drift"
    assert world.reports.newest_first() == []


def test_a_window_in_which_the_detector_raised_an_alarm_drifts_and_is_explained(world: World) -> None:
    world.read(0, 30, alarm_at=25)

    [judged] = world.turn(3)

    assert judged.finding == "drift"
    assert judged.explanation is not None
    [raised] = [verdict for verdict in judged.verdicts if verdict.monitor == "e_detector"]
    assert raised.reason.startswith(
        "the stream changed at about conversation 20: what users say (evidence 300,000 : 1"
    )
    alarm = world.windows.alarm(after_seq=0)
    assert alarm is not None
    assert (alarm.first_seq, alarm.confirmed) == (20, False)


@pytest.mark.parametrize(
    ("mmd", "columns", "overall", "confirmed"),
    [
        (Finding.DRIFT, Finding.STABLE, "drift", True),
        (Finding.STABLE, Finding.DRIFT, "stable", False),  # it may inform, not confirm
        (Finding.INCONCLUSIVE, Finding.STABLE, "inconclusive", False),
    ],
)
def test_a_fresh_window_confirms_an_alarm_or_not(
    world: World, mmd: Finding, columns: Finding, overall: str, confirmed: bool
) -> None:
    world.judge.findings = {"mmd": mmd, "columns": columns}
    world.read(0, 30, alarm_at=30)
    world.turn(3)
    world.read(30, 20)

    fresh, _ = world.turn(3)

    assert fresh.finding == overall
    assert [settings.confirming for settings in world.judge.settings] == [False, True]
    alarm = world.windows.alarm(after_seq=0)
    assert alarm is not None
    assert alarm.confirmed is confirmed


def test_an_alarm_that_three_fresh_windows_do_not_confirm_is_dropped(world: World) -> None:
    world.read(0, 30, alarm_at=30)
    for first in (30, 50, 70):
        world.read(first, 20)

    findings = [judged.finding for judged in reversed(world.turn(12))]

    assert findings == ["drift", "stable", "stable", "stable"]
    assert world.windows.alarm(after_seq=0) is None


def test_while_an_alarm_stands_the_detector_says_so_and_another_alarm_is_told_too(world: World) -> None:
    world.read(0, 30, alarm_at=25)
    world.turn(3)
    world.read(30, 20)
    world.turn(3)
    world.read(50, 20, alarm_at=60)

    judged = world.turn(3)

    verdicts = {
        window.window.number: verdict
        for window in judged
        for verdict in window.verdicts
        if verdict.monitor == "e_detector"
    }
    assert verdicts[2].finding == "inconclusive"
    assert verdicts[2].reason.startswith("the alarm of window 1 is still open")
    assert (verdicts[3].finding, verdicts[3].numbers["since_seq"]) == ("drift", 55)
    assert verdicts[3].reason.startswith("the change at about conversation 20 is still there: what users say")
    assert judged[0].finding == "stable"  # by those that are asked to confirm the first
    alarm = world.windows.alarm(after_seq=0)
    assert alarm is not None
    assert alarm.window == 1


def test_a_window_that_became_part_of_the_reference_while_it_waited_is_not_compared_with_it(
    world: World,
) -> None:
    world.read(0, 50)
    world.references.start("chat-v1", size=10, after_seq=0, now=NOW)
    assert world.turn(1)[0].finding == "inconclusive"

    [second, first] = world.turn(1)

    assert (first.finding, second.finding) == ("inconclusive", "inconclusive")
    assert "part of reference 2" in first.verdicts[0].reason
    assert world.judge.asked == []


def test_how_many_windows_wait_is_told(world: World) -> None:
    world.read(0, 70)

    world.turn(1)

    assert world.metrics.drift.windows_waiting._value.get() == 3


def test_windows_are_judged_one_after_the_other(world: World) -> None:
    world.read(0, 50)

    world.turn(6)

    assert [window.id for window, _ in world.judge.asked] == ["1", "2"]


def test_a_window_whose_judging_died_is_judged_again_by_the_next_judge(world: World) -> None:
    world.judge.deaths = 2
    world.read(0, 30)

    for _ in range(2):
        world.turn(2)  # until the judge has died
        world.pause(10)
    [judged] = world.turn(2)

    assert judged.finding == "stable"
    assert [window.id for window, _ in world.judge.asked] == ["1"] * 3
    assert (world.judge.launches, world.restarts) == (3, 2)


def test_a_judge_that_died_is_replaced_after_a_pause_in_which_windows_wait(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    world.judge.alive = False
    world.read(0, 30)

    world.pause(9)
    assert (world.judge.launches, world.restarts, world.judge.asked) == (1, 0, [])
    world.now += timedelta(seconds=1)
    [judged] = world.turn(3)

    assert judged.finding == "stable"
    assert (world.judge.launches, world.restarts) == (2, 1)
    assert world.judge.stopped_within == [1]  # reaped
    assert caplog.messages == ["the judge died; it restarts in 10 s"]


def test_a_judge_that_dies_without_a_window_is_replaced_too(world: World) -> None:
    world.judge.alive = False

    world.pause(10)

    assert world.stage.pid == 2


def test_a_closed_judge_is_not_started_again(world: World) -> None:
    world.stage.close(3)

    world.pause(10)

    assert (world.judge.stopped_within, world.judge.launches) == ([3], 1)


def test_a_window_that_kills_the_judge_is_judged_by_the_detector_alone_and_does_not_block_the_next(
    world: World,
) -> None:
    world.judge.deaths = 3
    world.read(0, 50)

    for _ in range(3):
        world.turn(2)  # until the judge has died
        world.pause(10)
    second, first = world.turn(2)

    assert (first.finding, second.finding) == ("stable", "stable")  # as the detector found
    assert b'retuned_monitor_errors_total{monitor="process"} 1.0' in world.metrics.exposition("")[1]
    assert "died 3 times" in {verdict.monitor: verdict.reason for verdict in first.verdicts}["process"]


def test_after_a_restart_an_unfinished_window_is_judged(world: World) -> None:
    world.read(0, 30)
    world.turn(1)
    world.stage.close(1)

    again = world.start(FakeJudge())
    for _ in range(3):
        again.step()

    assert world.judge.stopped_within == [1]
    assert len(world.windows.judged(limit=9)) == 1


def test_where_windows_close_faster_than_they_are_judged_old_ones_are_left_to_the_detector(
    world: World,
) -> None:
    world.read(0, 10 + 30 * 20, alarm_at=45)  # in the second window

    world.turn(1)
    judged = world.windows.judged(limit=99)

    assert [found.window.number for found in reversed(judged)] == [1, *range(3, 21)]
    assert [found.finding for found in reversed(judged)] == ["stable", *["inconclusive"] * 18]
    reason = judged[0].verdicts[0].reason
    assert reason.startswith("the alarm of window 2 is still open, and no other was raised here")
    assert "no other monitor looked" in reason
    world.turn(1)
    assert [window.id for window, _ in world.judge.asked] == ["2"]


def test_where_a_change_is_to_be_explained_earlier_references_are_compared_with(world: World) -> None:
    world.read(0, 30)
    world.references.start("chat-v1", size=10, after_seq=10, now=NOW)
    world.turn(3)
    IntakeLedger(world.engine, window_size=20).record(a_batch(some_conversations(30, 20)))
    seen = StoredDetector(reference_id=2, seq=50, state=state_to_json(DetectorState()), at=NOW)
    world.detectors.raise_alarm(seen, RaisedAlarm(seq=45, since_seq=40, evidence={"input": 3e5}, at=NOW))

    world.turn(6)

    assert world.judge.earlier[-1] == ("reference 1, of version chat-v0, 24 November 2026",)
    assert set(world.judge.earlier[:-1]) <= {()}


@pytest.mark.parametrize(
    ("outcome", "stored"),
    [(Recurrence.RETURNED, "stable"), (Recurrence.NEW, "drift"), (Recurrence.INCONCLUSIVE, "inconclusive")],
)
def test_a_recurrence_is_stored_with_the_verdicts_but_counted_as_none(
    world: World, outcome: Recurrence, stored: str
) -> None:
    world.judge.recurrence = RecurrenceResult(window_id="1", outcome=outcome, score=0.4, reason="again")
    world.read(0, 30)

    [judged] = world.turn(3)

    (row,) = [verdict for verdict in judged.verdicts if verdict.monitor == "recurrence"]
    assert (row.finding, row.score, row.threshold, row.reason) == (stored, 0.4, 1.0, "again")
    assert not row.triggers
    assert judged.finding == "stable"
    assert b"recurrence" not in world.metrics.exposition("")[1]
    again = ProvenanceLedger(world.engine).recurrence_reason(1)
    assert again == ("again" if outcome is Recurrence.RETURNED else None)
