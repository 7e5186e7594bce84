"""One change from the alarm to the promotion, and a second one, with the real detector and a backlog."""

from pathlib import Path

import pytest

from daemon.domain.decisions import Action, Trigger
from daemon.domain.situation import SituationState
from daemon.drift.judge_stage import JudgeStage
from daemon.ledger.situation import read_situation
from daemon.runtime.build_leader import build_detect_stage
from daemon.telemetry.metrics import Metrics
from monitors.types import Finding
from registry.types import GateVerdict
from tests.factories.daemon import LINE, Line, a_line
from tests.factories.ledger import a_batch
from tests.unit.drift.test_detect_stage import conversation_about
from tests.unit.drift.test_judge_stage import FakeJudge
from tests.unit.monitors.sequential.test_edetector import SHOP, SPORT
from tests.unit.views.test_statements_agree import Statements


class Daemon:
    """The stages that watch and judge, on a line whose reference is about the shop."""

    def __init__(self, folder: Path) -> None:
        self.line: Line = a_line(folder, monitors={"feedback_wait_h": 24})
        self.metrics = Metrics()
        self.line.stores.references.start(f"{LINE}-v0", size=200, after_seq=50, now=self.line.clock())
        self.judge = FakeJudge()
        self.talk(200, SHOP)

    def start(self) -> None:
        """The daemon begins; what was read until then is a backlog."""
        stores, settings = self.line.stores, self.line.settings
        self.detecting = build_detect_stage(settings, stores, self.metrics)
        self.judging = JudgeStage(
            stores, settings, self.judge.launch, metrics=self.metrics, clock=self.line.clock
        )
        self.judging.start()

    def talk(self, count: int, topic: list[str]) -> None:
        first = self.line.read
        new = [conversation_about(n, topic, at=self.line.now) for n in range(first, first + count)]
        self.line.stores.intake.record(a_batch(new, at=self.line.clock()))
        self.line.read += count

    def catch_up(self, *, confirms: bool = True) -> None:
        """Watch and judge everything that is there. ``confirms``: what the judge finds."""
        self.judge.findings["mmd"] = Finding.DRIFT if confirms else Finding.STABLE
        for _ in range(600):
            self.detecting.step()
            self.judging.step()
            stored = self.line.stores.detectors.stored(self.reference_id)
            seen = stored is not None and stored.seq == self.line.stores.conversations.last_seq()
            if seen and not self.line.stores.windows.waiting():
                return
        raise AssertionError("not everything was judged")

    @property
    def reference_id(self) -> int:
        reference = self.line.stores.windows.reference()
        assert reference is not None
        return reference.id

    def state(self) -> SituationState:
        """What all say."""
        said = Statements(self.line)
        said.assert_one_voice()
        return said.view.situation.state

    def told(self) -> int:
        shown = self.metrics.exposition("")[1].decode().splitlines()
        return int(sum(float(row.split()[-1]) for row in shown if row.startswith("retuned_alarms_total{")))

    def train(self) -> None:
        """A training on everything that is there."""
        situation = read_situation(self.line.stores, self.line.settings)
        decision = self.line.decide(
            Action.TRAIN, situation.sentence, trigger=Trigger.DRIFT, window=situation.window, since=300
        )
        assert self.state() is SituationState.TRAINING
        run = self.line.start_run(decision)
        assert self.state() is SituationState.TRAINING
        self.version = self.line.finish_run(run).name
        assert self.state() is SituationState.AT_GATE


def verdicts_of_the_detector(line: Line) -> list[str]:
    return [
        verdict.reason
        for window in line.stores.windows.judged(limit=999)
        for verdict in window.verdicts
        if verdict.monitor == "e_detector" and verdict.finding == "drift"
    ]


def test_one_change_is_told_once_until_a_version_answers_it_and_the_next_is_its_own(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    daemon = Daemon(tmp_path)
    line = daemon.line
    daemon.talk(50, SHOP)
    daemon.talk(500, SPORT)
    daemon.start()  # 26 windows wait, the newest of them far behind the alarm
    daemon.catch_up()

    assert (daemon.told(), len(line.stores.detectors.changes(999))) == (1, 1)
    assert sum(reason.startswith("the stream changed") for reason in verdicts_of_the_detector(line)) == 1
    assert daemon.state() is SituationState.IN_TRIAGE

    daemon.train()
    line.gate(daemon.version, GateVerdict.REJECT)
    assert daemon.state() is SituationState.UNRESOLVED
    daemon.talk(100, SPORT)
    daemon.catch_up()
    assert line.stores.windows.alarm(after_seq=line.stores.runs.learned_until()) is not None
    assert (daemon.state(), daemon.told()) == (SituationState.UNRESOLVED, 1)

    daemon.train()
    line.promote(daemon.version, line.gate(daemon.version))
    line.follow()
    assert daemon.state() in (SituationState.PROMOTED, SituationState.STABLE)
    daemon.talk(60, SPORT)
    daemon.catch_up(confirms=False)
    assert (daemon.state(), daemon.told()) == (SituationState.STABLE, 1)

    daemon.talk(100, SHOP)
    daemon.catch_up()
    second, first = line.stores.detectors.changes(999)
    assert first.reference_id != second.reference_id
    assert (daemon.told(), daemon.state()) == (2, SituationState.IN_TRIAGE)
    assert sum("alarm at conversation" in record.message for record in caplog.records) == 2


def test_a_change_that_was_not_answered_and_went_by_itself_is_said_to_have_gone(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    daemon.talk(50, SHOP)
    daemon.talk(100, SPORT)
    daemon.start()
    daemon.catch_up()
    daemon.train()
    daemon.line.gate(daemon.version, GateVerdict.REJECT)
    assert daemon.state() is SituationState.UNRESOLVED

    daemon.talk(200, SHOP)
    daemon.catch_up(confirms=False)

    said = read_situation(daemon.line.stores, daemon.line.settings)
    assert said.state is SituationState.STABLE
    assert "was not found again in the" in said.sentence
