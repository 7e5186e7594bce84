from concurrent.futures import Executor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.config.live import LiveSettings
from daemon.domain.decisions import Action, Decision, Trigger
from daemon.domain.runs import Run, RunState
from daemon.domain.training_job import JobState, JobStatus
from daemon.ledger.counts import LedgerCounts
from daemon.ledger.intake import IntakeLedger
from daemon.telemetry.metrics import Metrics
from daemon.training.dataset import build_dataset
from daemon.training.planned_run import PlannedRun, from_json, to_json
from daemon.training.planning import Planning
from daemon.training.protocols import Check, Planner
from daemon.training.train_stage import TrainStage
from learners.types import Event, Failure, Progress, RunResult, TrainRequest
from registry.errors import RegistryError
from registry.manifest import BadArtifact
from registry.tables import metadata as registry_metadata
from tests.factories.ledger import NOW, a_batch, a_ledger, some_conversations
from tests.factories.stores import some_settings, some_stores
from tests.fakes.executors import InPlace
from tests.fakes.trainer import FakeTrainer

PROGRESS = Progress(
    phase="training", step=3, steps=10, loss=1.5, learning_rate=1e-4, tokens=900, tokens_per_s=300.0,
    seconds_left=7.0, rss_bytes=1,
)  # fmt: skip


class FakeChild:
    """Says what the test puts into its mouth."""

    def __init__(self, request: TrainRequest) -> None:
        self.request = request
        self.pid: int | None = 4242
        self.says: list[Event] = []
        self.stopped = False
        self.abandoned = False
        self.job: JobStatus | None = None

    def poll(self) -> list[Event]:
        events, self.says = self.says, []
        return events

    def stop(self, timeout_s: float) -> None:
        self.stopped = True
        self.pid = None

    def abandon(self, timeout_s: float) -> None:
        self.stop(timeout_s)
        self.abandoned = True


def a_result(run: str) -> RunResult:
    return RunResult(
        run=run, artifact=Path("artifact"), digest="d" * 64, steps=10, tokens=3000, target_tokens=900,
        conversations=20, first_loss=3.0, last_loss=1.5, seconds=10.0, packages={},
    )  # fmt: skip


class World:
    """Twenty conversations, a stage, and the children it started."""

    def __init__(self, folder: Path) -> None:
        engine = a_ledger(folder)
        registry_metadata.create_all(engine)
        IntakeLedger(engine, window_size=20).record(a_batch(some_conversations(0, 20)))
        self.settings = some_settings(folder, learning={"timeout_s": 3_600})
        self.stores = some_stores(engine, self.settings)
        self.decisions = self.stores.decisions
        self.runs = self.stores.runs
        self.conversations = self.stores.conversations
        self.folder = folder
        self.now = NOW
        self.children: list[FakeChild] = []
        self.trainer = FakeTrainer(self.launch)
        self.registered: list[str] = []
        self.store_error: Exception | None = None  # of registering
        self.plan_error: Exception | None = None
        self.planner: Planner = self.plan
        self.executor: Executor = InPlace()
        self.stage = self.start()

    def start(self) -> TrainStage:
        """A new process on the same ledger."""
        self.trainer.timeout_s = self.settings.learning.timeout_s
        stage = TrainStage(
            self.stores, LiveSettings(self.settings), planning=Planning(self.planner, self.executor), trainer=self.trainer, register=self.register,
            runs_dir=self.folder / "runs", metrics=Metrics(), clock=lambda: self.now,
        )  # fmt: skip
        stage.start()
        return stage

    def plan(self, run_id: str, *, since_seq: int, folder: Path, check: Check = lambda: None) -> PlannedRun:
        dataset = build_dataset(
            self.conversations, self.settings, since_seq=since_seq, path=folder / "data.jsonl", check=check
        )
        if self.plan_error is not None:
            raise self.plan_error
        request = TrainRequest(
            run=run_id, base=Path("base"), base_digest="b", parent=None, data=dataset.path,
            data_digest=dataset.digest, output=folder / "artifact",
        )  # fmt: skip
        return PlannedRun(
            request=request, dataset=dataset, parent=None, until_seq=self.conversations.last_seq()
        )

    def launch(self, request: TrainRequest, folder: Path) -> FakeChild:
        self.children.append(FakeChild(request))
        return self.children[-1]

    def register(self, planned: PlannedRun, result: RunResult) -> None:
        if self.store_error is not None:
            raise self.store_error
        self.registered.append(result.run)

    def submit(self, since: int = 11) -> None:
        decision = Decision(
            at=self.now, trigger=Trigger.DRIFT, action=Action.TRAIN, reason="drift", since_seq=since
        )
        self.stage.submit(self.decisions.decide(decision))

    def run(self, name: str) -> Run:
        run = self.runs.run(name)
        assert run is not None
        return run


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_decision_starts_a_run_on_the_data_since_the_change(world: World) -> None:
    world.submit(since=11)
    world.stage.step()

    run = world.run("r1")
    assert (run.state, run.since_seq, run.until_seq) == (RunState.RUNNING, 11, 20)
    assert world.children[0].request.data.is_file()
    assert world.stage.pending_work == "run r1"


def test_progress_is_in_the_ledger_for_whoever_looks(world: World) -> None:
    world.submit()
    world.stage.step()
    world.children[0].says = [replace(PROGRESS, step=2), PROGRESS]

    world.stage.step()

    progress = world.run("r1").progress
    assert progress is not None
    assert (progress["step"], progress["steps"], progress["loss"]) == (3, 10, 1.5)


def test_a_finished_run_is_registered_before_it_counts_as_finished(world: World) -> None:
    world.submit()
    world.stage.step()
    world.children[0].says = [a_result("r1")]

    world.stage.step()

    assert world.registered == ["r1"]
    assert world.run("r1").state is RunState.FINISHED
    assert world.stage.pending_work is None


@pytest.mark.parametrize(
    ("failure", "state"),
    [
        (Failure(error="Diverged", message="the loss is NaN", permanent=True), RunState.FAILED),
        (Failure(error="Cancelled", message="asked to stop", permanent=False), RunState.CANCELLED),
    ],
)
def test_a_failed_run_leaves_its_reason_and_no_version(
    world: World, failure: Failure, state: RunState
) -> None:
    world.submit()
    world.stage.step()
    world.children[0].says = [failure]

    world.stage.step()

    run = world.run("r1")
    assert (run.state, run.error) == (state, f"{failure.error}: {failure.message}")
    assert world.registered == []


def test_of_decisions_during_a_run_the_newest_is_next(world: World) -> None:
    world.submit(since=1)
    world.stage.step()
    world.submit(since=5)
    world.submit(since=9)
    world.stage.step()
    assert len(world.children) == 1

    world.children[0].says = [a_result("r1")]
    world.stage.step()
    world.stage.step()

    assert len(world.children) == 2
    assert world.run("r2").since_seq == 9


def test_a_run_that_takes_too_long_is_stopped(world: World) -> None:
    world.submit()
    world.stage.step()
    world.now += timedelta(hours=1, seconds=1)

    world.stage.step()

    assert world.children[0].stopped
    assert world.run("r1").state is RunState.FAILED
    assert "learning.timeout_s" in (world.run("r1").error or "")


def test_a_run_cut_short_goes_on_with_the_same_request_after_a_restart(world: World) -> None:
    world.submit()
    world.stage.step()
    world.stage.close(1)

    world.stage = world.start()

    assert [child.request for child in world.children] == [world.children[0].request] * 2
    assert world.stage.pending_work == "run r1"


def test_an_artifact_that_was_never_registered_is_made_again(world: World) -> None:
    world.submit()
    world.stage.step()
    output = world.children[0].request.output
    output.mkdir(parents=True)
    world.stage.close(1)

    world.stage = world.start()

    assert not output.exists()


def test_a_decision_without_data_leaves_no_run(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.submit(since=21)

    world.stage.step()

    assert world.runs.running() is None
    assert "no training: no conversation since 21" in caplog.text


def test_a_planned_run_reads_back_equal(world: World) -> None:
    planned = world.plan("r1", since_seq=11, folder=world.folder)

    read = from_json(to_json(planned), records=planned.dataset.records)

    assert read == planned


def test_the_ledger_keeps_what_a_run_learns_from(world: World) -> None:
    world.submit()
    world.stage.step()

    kept = world.runs.training_records("r1")

    assert {record.origin for record in kept} == {"new", "replay"}
    assert kept == world.plan("r1", since_seq=11, folder=world.folder).dataset.records


def test_a_finished_run_waits_for_an_artifact_store_that_does_not_answer(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.submit()
    world.stage.step()
    world.store_error = TimeoutError("no route")
    world.children[0].says = [a_result("r1")]
    for _ in range(3):
        world.stage.step()
    assert world.run("r1").state is RunState.RUNNING
    assert caplog.text.count("registering run r1 fails and is tried again: no route") == 1

    world.store_error = None
    world.stage.step()

    assert world.run("r1").state is RunState.FINISHED
    assert world.registered == ["r1"]


def test_a_result_that_the_registry_refuses_fails_the_run(world: World) -> None:
    world.submit()
    world.stage.step()
    world.store_error = RegistryError("not what its manifest says")
    world.children[0].says = [a_result("r1")]

    world.stage.step()

    assert world.run("r1").state is RunState.FAILED


def test_time_that_the_daemon_was_down_does_not_count_against_a_run(world: World) -> None:
    world.submit()
    world.stage.step()
    world.stage.close(1)
    world.now += timedelta(hours=13)

    world.stage = world.start()
    world.stage.step()

    assert world.run("r1").state is RunState.RUNNING


def test_a_decision_that_waited_when_the_daemon_stopped_is_not_lost(world: World) -> None:
    world.submit(since=1)
    world.stage.step()
    world.submit(since=9)
    world.stage.close(1)

    world.stage = world.start()
    world.children[-1].says = [a_result("r1")]
    world.stage.step()
    world.stage.step()

    assert world.run("r2").since_seq == 9


def test_a_run_whose_folder_another_replica_has_is_planned_anew(world: World) -> None:
    world.submit()
    world.stage.step()
    world.folder = world.folder / "another-machine"

    successor = world.start()
    successor.step()

    assert world.run("r1").state is RunState.FAILED
    assert "another replica's" in (world.run("r1").error or "")
    assert world.run("r2").decision_id == world.run("r1").decision_id
    assert world.children[1].request.data == world.folder / "runs" / "r2" / "data.jsonl"


@pytest.mark.parametrize("error", [OSError("no route"), BadArtifact("not what its manifest says")])
def test_a_decision_outlives_an_outage_of_the_artifact_store(
    world: World, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    world.plan_error = error
    world.submit()
    for _ in range(5):
        world.stage.step()
        world.now += timedelta(minutes=5)
    assert world.children == []
    assert not (world.folder / "runs" / "r1").exists()
    assert world.stage.pending_work == f"a training that was decided on and can't start: {error}"
    assert caplog.text.count(f"starting a training fails and is tried again: {error}") == 1

    world.plan_error = None
    world.stage.step()

    assert world.run("r1").state is RunState.RUNNING
    assert world.stage.pending_work == "run r1"


def test_a_training_that_could_not_start_is_not_tried_at_every_step(world: World) -> None:
    world.plan_error = OSError("no route")
    world.submit()
    world.stage.step()
    world.plan_error = None

    world.stage.step()
    assert world.children == []

    world.now += timedelta(seconds=5)
    world.stage.step()
    assert len(world.children) == 1


def test_a_newer_decision_replaces_one_that_could_not_start_and_is_tried_at_once(world: World) -> None:
    world.plan_error = OSError("no route")
    world.submit(since=1)
    world.stage.step()
    world.plan_error = None

    world.submit(since=9)
    world.stage.step()

    assert world.run("r1").since_seq == 9
    assert world.stage.pending_work == "run r1"


def test_a_decision_that_could_not_start_is_tried_again_after_a_restart(world: World) -> None:
    world.plan_error = OSError("no route")
    world.submit()
    world.stage.step()
    world.stage.close(1)
    world.plan_error = None

    world.stage = world.start()
    world.stage.step()

    assert world.run("r1").state is RunState.RUNNING


def test_what_a_run_skipped_is_no_part_of_what_it_learned_from(world: World) -> None:
    world.submit()
    world.stage.step()
    lines = world.runs.training_records("r1")
    result = replace(
        a_result("r1"),
        skipped={"longer than max_tokens": 2},
        skipped_lines={"longer than max_tokens": (0, 3)},
    )
    world.children[0].says = [result]
    world.stage.step()

    kept = world.runs.training_records("r1")

    assert [number for number, record in enumerate(kept) if record.skipped] == [0, 3]
    assert [replace(record, skipped=None) for record in kept] == list(lines)
    stored = world.run("r1").result or {}
    assert stored["skipped"] == {"longer than max_tokens": 2}
    assert "skipped_lines" not in stored
    newest = LedgerCounts(world.stores.engine).newest_run()
    assert newest is not None
    assert newest.skipped == {"longer than max_tokens": 2}


def copies(world: World, count: int) -> None:
    """Conversations with the same words, at the end of the ledger."""
    new = some_conversations(100, count)
    same = [
        replace(one, text_digest="same", group=f"u{number}", conversation=replace(one.conversation, messages=new[0].conversation.messages))
        for number, one in enumerate(new)
    ]  # fmt: skip
    IntakeLedger(world.stores.engine, window_size=1_000).record(a_batch(same))


def test_a_training_that_would_leave_most_out_waits_for_an_operator(world: World) -> None:
    copies(world, 60)
    world.submit(since=11)

    world.stage.step()

    assert world.children == []
    decision = world.decisions.recent(1)[0]
    assert decision.action is Action.WAIT
    assert decision.waits_for_operator
    assert "new conversations would be left out (59 same words as another)" in decision.reason
    assert "`retuned train -m REASON` trains all the same" in decision.reason
    assert (world.stage.held_back or "").startswith("an operator: 59 of ")
    assert not (world.folder / "runs" / "r1").exists()


def test_an_operator_s_request_trains_on_the_rest(world: World) -> None:
    copies(world, 60)
    world.submit(since=11)
    world.stage.step()
    asked = Decision(
        at=world.now, trigger=Trigger.MANUAL, action=Action.TRAIN, reason="asked for", since_seq=11
    )

    world.stage.submit(world.decisions.decide(asked))
    world.stage.step()

    assert len(world.children) == 1
    assert world.stage.held_back is None


def test_a_training_that_waits_is_looked_at_again_with_enough_new_conversations(world: World) -> None:
    copies(world, 60)
    world.submit(since=11)
    world.stage.step()

    fresh = some_conversations(500, world.settings.policy.min_new_lessons)
    IntakeLedger(world.stores.engine, window_size=1_000).record(a_batch(fresh))

    assert world.stage.held_back is None


def test_a_run_that_failed_on_its_data_is_not_tried_again_on_the_same(world: World) -> None:
    world.submit()
    world.stage.step()
    world.children[0].says = [Failure(error="TooManySkipped", message="90 of 100 ...", permanent=True)]
    world.stage.step()

    assert "run r1 failed, and would on the same data again (TooManySkipped: 90 of 100" in (
        world.stage.held_back or ""
    )


def test_a_run_that_failed_for_another_reason_is_tried_again(world: World) -> None:
    world.submit()
    world.stage.step()
    world.children[0].says = [Failure(error="ChildDied", message="killed", permanent=False)]
    world.stage.step()

    assert world.stage.held_back is None


JOB = JobStatus(name="retuned-1", state=JobState.WAITING, waits_for="no node takes pod a")


def test_what_the_job_of_a_run_waits_for_is_in_the_ledger_once(world: World) -> None:
    world.submit()
    world.stage.step()
    world.children[0].job = JOB

    world.stage.step()
    waiting = world.run("r1").progress
    world.children[0].says = [PROGRESS]
    world.stage.step()
    world.stage.step()

    assert waiting == {"job": {"name": "retuned-1", "state": "waiting", "waits_for": "no node takes pod a"}}
    progress = world.run("r1").progress
    assert progress is not None
    assert (progress["step"], progress["job"]) == (3, waiting["job"])


def test_a_cancelled_run_is_abandoned_and_the_daemons_end_is_no_reason_to(world: World) -> None:
    world.submit()
    world.stage.step()

    world.stage.close(1.0)

    assert (world.children[0].stopped, world.children[0].abandoned) == (True, False)
    assert world.trainer.closed


def test_at_the_start_what_other_runs_left_behind_is_cleaned_up(world: World) -> None:
    world.submit()
    world.stage.step()

    world.start()

    assert world.trainer.cleaned_up_for == [None, "r1"]


def test_a_run_whose_data_is_gone_is_planned_again(world: World) -> None:
    world.submit()
    world.stage.step()
    world.children[0].says = [Failure(error="NoJobData", message="was forgotten", permanent=True)]

    world.stage.step()
    world.stage.step()

    assert world.run("r1").state is RunState.FAILED
    assert world.run("r2").state is RunState.RUNNING
    assert world.trainer.discarded == ["r1"]
