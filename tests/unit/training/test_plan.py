from dataclasses import replace
from pathlib import Path

import pytest

from daemon.config.live import LiveSettings
from daemon.domain.decisions import Action
from daemon.domain.runs import RunState
from daemon.ledger.erasures import ErasureLedger
from daemon.release.orders import reject_version
from daemon.release.promotion import roll_back_version
from daemon.telemetry.metrics import Metrics
from daemon.training.plan import RunPlanner
from daemon.training.planning import Planning
from daemon.training.train_stage import TrainStage
from learners.types import Event, TrainRequest
from registry.artifacts import FsspecArtifactStore
from registry.names import VersionName
from registry.types import Actor
from tests.factories.daemon import LINE, Line, a_line
from tests.fakes.executors import InPlace
from tests.fakes.trainer import FakeTrainer


class Outage(FsspecArtifactStore):
    """An artifact store that may not answer."""

    down = True

    def fetch(self, url: str, digest: str) -> Path:
        if self.down:
            raise ConnectionError("no route to the artifact store")
        return super().fetch(url, digest)


class SecondRunErased(ErasureLedger):
    """Erasures that hit the second run alone."""

    def runs_with_erased_records(self) -> frozenset[str]:
        return frozenset({"r2"})


class SilentChild:
    pid = 4242
    job = None

    def poll(self) -> list[Event]:
        return []

    def stop(self, timeout_s: float) -> None: ...

    def abandon(self, timeout_s: float) -> None: ...


ADA = Actor(kind="operator", name="ada")


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return a_line(tmp_path)


def an_outage(line: Line) -> Outage:
    state_dir = line.settings.state_dir
    return Outage((state_dir / "artifacts").as_uri(), cache=state_dir / "another-cache")


def planner(line: Line) -> RunPlanner:
    return RunPlanner(line.stores, LiveSettings(line.settings), base=Path("/base"), base_digest="b" * 64)


def test_a_run_continues_from_the_live_version(line: Line, tmp_path: Path) -> None:
    name = line.promoted()

    planned = planner(line)("r2", since_seq=1, folder=tmp_path / "r2")

    assert planned.parent == str(name)
    assert planned.request.parent is not None
    assert (planned.request.parent / "adapter_model.safetensors").read_bytes() == b"r1"
    assert planned.request.data == tmp_path / "r2" / "data.jsonl"


def test_the_first_run_starts_from_the_bare_base(line: Line, tmp_path: Path) -> None:
    planned = planner(line)("r1", since_seq=1, folder=tmp_path / "r1")

    assert (planned.parent, planned.request.parent) == (None, None)


def test_a_run_does_not_continue_from_what_was_rolled_back(line: Line, tmp_path: Path) -> None:
    line.promoted()
    roll_back_version(line.stores, model_line=LINE, to=None, reason="bad", by=ADA, clock=line.clock)

    assert planner(line)("r2", since_seq=1, folder=tmp_path / "r2").parent is None


def test_a_run_does_not_continue_from_what_was_rejected(line: Line, tmp_path: Path) -> None:
    """Where the live version is tainted, a run continues from an earlier one."""
    first = line.promoted()
    second = line.finish_run(line.start_run(line.decide(Action.TRAIN, "again"))).name
    line.promote(second, line.gate(second))
    line.stores = replace(line.stores, erasures=SecondRunErased(line.stores.engine))
    assert planner(line)("r3", since_seq=1, folder=tmp_path / "r3").parent == str(first)

    reject_version(line.stores, first, reason="rude", by=ADA, clock=line.clock)

    assert planner(line)("r4", since_seq=1, folder=tmp_path / "r4").parent is None


def test_while_the_artifact_store_is_down_no_training_set_is_built(line: Line, tmp_path: Path) -> None:
    line.promoted()
    line.stores = replace(line.stores, artifacts=an_outage(line))

    with pytest.raises(ConnectionError):
        planner(line)("r2", since_seq=1, folder=tmp_path / "r2")

    assert not (tmp_path / "r2").exists()


def test_a_training_decided_during_an_outage_of_the_artifact_store_starts_after_it(line: Line) -> None:
    line.promoted()
    store = an_outage(line)
    line.stores = replace(line.stores, artifacts=store)
    launched: list[TrainRequest] = []

    def launch(request: TrainRequest, folder: Path) -> SilentChild:
        launched.append(request)
        return SilentChild()

    stage = TrainStage(
        line.stores, LiveSettings(line.settings), planning=Planning(planner(line), InPlace()), trainer=FakeTrainer(launch), register=lambda *_: None,
        runs_dir=line.settings.state_dir / "runs", metrics=Metrics(), clock=line.clock,
    )  # fmt: skip
    stage.start()
    stage.submit(line.drift())
    stage.step()
    assert launched == []
    assert "no route to the artifact store" in (stage.pending_work or "")

    store.down = False
    while not launched:
        stage.step()  # each moves the clock by a minute

    run = line.stores.runs.running()
    assert run is not None
    assert (run.id, run.state) == ("r2", RunState.RUNNING)
    assert line.stores.versions.history(LINE).live == VersionName(LINE, 1)
    assert launched[0].parent is not None
