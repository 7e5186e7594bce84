"""A run that commit 4a31a09 left running goes on."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from daemon.config.live import LiveSettings
from daemon.config.settings import Settings
from daemon.domain.decisions import Action
from daemon.domain.runs import RunState
from daemon.ledger.stores import Stores
from daemon.telemetry.metrics import Metrics
from daemon.training.dataset import build_dataset
from daemon.training.lineage import VersionLineage
from daemon.training.planned_run import PlannedRun, from_json
from daemon.training.planning import Planning
from daemon.training.protocols import Check
from daemon.training.rebuild import from_ledger, rebuild_dataset
from daemon.training.train_stage import TrainStage
from learners.codec import (
    request_to_json,
)
from learners.types import Event, Failure, TrainRequest
from tests.compatibility.written import V1, clock
from tests.fakes.executors import InPlace
from tests.fakes.trainer import FakeTrainer


@dataclass
class Child:
    """A training that fails at once."""

    request: TrainRequest
    pid: int | None = None
    job: None = None

    def poll(self) -> list[Event]:
        return [Failure(error="OutOfMemory", message="a test", permanent=False)]

    def stop(self, timeout_s: float) -> None: ...

    def abandon(self, timeout_s: float) -> None: ...


@dataclass
class Started:
    """The training stage after a start, and the children that it started."""

    stage: TrainStage = field(init=False)
    children: list[Child] = field(default_factory=list)

    def start(self, request: TrainRequest, folder: Path) -> Child:
        self.children.append(Child(request))
        return self.children[-1]


def plans_nothing(run_id: str, *, since_seq: int, folder: Path, check: Check) -> PlannedRun:
    raise AssertionError(run_id)


@pytest.fixture
def started(settings: Settings, stores: Stores, folder: Path) -> Started:
    made = Started()
    made.stage = TrainStage(
        stores, LiveSettings(settings), planning=Planning(plans_nothing, InPlace()), trainer=FakeTrainer(made.start), register=lambda *_: None,
        runs_dir=folder / "state" / "runs", metrics=Metrics(), clock=clock,
    )  # fmt: skip
    made.stage.start()
    return made


def test_the_run_that_was_cut_short_is_started_again_as_it_was(started: Started, folder: Path) -> None:
    text = (folder / "state" / "runs" / "r4" / "request.json").read_text("utf-8")

    assert [request_to_json(child.request) for child in started.children] == [text]


def test_how_the_run_ends_is_written(started: Started, stores: Stores) -> None:
    started.stage.step()

    run = stores.runs.run("r4")
    assert run is not None
    assert run.state is RunState.FAILED


def test_the_same_new_conversations_would_be_chosen_again(
    stores: Stores, settings: Settings, tmp_path: Path
) -> None:
    """Replay is drawn in another way since, so the file as a whole differs; and own answers that nobody judged are left out."""
    run = stores.runs.run("r4")
    assert run is not None

    again = build_dataset(
        stores.conversations, settings, since_seq=run.since_seq, path=tmp_path / "again.jsonl", tuned=str(V1)
    )

    chosen = [record.at for record in stores.runs.training_records("r4") if record.origin == "new"]
    unjudged = {
        one.coordinates
        for one in stores.conversations.at(chosen)
        if one.version is not None and one.feedback is None
    }
    assert len(unjudged) == 3
    assert again.left_out == {"own answers that nobody judged": 3}
    assert [record.at for record in again.records if record.origin == "new"] == [
        at for at in chosen if at not in unjudged
    ]


def test_the_last_decision_is_the_one_that_led_to_the_run(stores: Stores) -> None:
    [decision] = stores.decisions.recent(1)
    run = stores.runs.run("r4")

    assert run is not None
    assert (decision.id, decision.action) == (run.decision_id, Action.TRAIN)


def test_the_training_file_is_rebuilt_from_its_records_byte_for_byte(stores: Stores) -> None:
    run = stores.runs.run("r4")
    assert run is not None
    lineage = VersionLineage(
        version=V1, parent=None, run="r4", data_digest=from_json(run.request).dataset.digest,
        records=stores.runs.training_records("r4"), skipped={},
    )  # fmt: skip

    assert rebuild_dataset(lineage, from_ledger(stores.conversations)).report.equal
