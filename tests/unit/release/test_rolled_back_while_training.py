"""As it happened: v1 is rolled back while r2, which continues from v1, runs. The commands and both stages on one ledger."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from daemon.config.live import LiveSettings
from daemon.domain.decisions import Action
from daemon.domain.runs import Run, RunState
from daemon.release.register import register_run
from daemon.release.stage import ReleaseStage
from daemon.telemetry.metrics import Metrics
from daemon.training.plan import RunPlanner
from daemon.training.planning import Planning
from daemon.training.train_stage import TrainStage
from learners.models.artifact import write_artifact
from learners.types import TrainRequest
from registry.names import VersionName
from tests.factories.cli import type_to
from tests.factories.daemon import LINE, a_gate_report, a_line
from tests.fakes.executors import InPlace
from tests.fakes.trainer import FakeTrainer
from tests.unit.release.test_stage import FakeScorer
from tests.unit.training.test_train_stage import FakeChild, a_result

V0, V1, V2, V3 = (VersionName(LINE, number) for number in range(4))


class Daemon:
    """The stages that train and release, on a line whose version 1 is live, and a run that continues from it."""

    def __init__(self, folder: Path) -> None:
        self.line = a_line(folder)
        self.line.promoted()
        self.children: list[FakeChild] = []
        self.start()
        self.train()

    def start(self) -> None:
        """A new process on the same ledger."""
        line, settings = self.line, self.line.settings
        register = partial(
            register_run, line.stores.versions, line.stores.artifacts, model_line=LINE, base="base", clock=line.clock
        )  # fmt: skip
        self.training = TrainStage(
            line.stores,
            LiveSettings(settings),
            planning=Planning(
                RunPlanner(line.stores, LiveSettings(settings), base=Path("/base"), base_digest="b" * 64),
                InPlace(),
            ),
            trainer=FakeTrainer(self.launch),
            register=register,
            runs_dir=settings.state_dir / "runs",
            metrics=Metrics(),
            clock=line.clock,
        )
        self.release = ReleaseStage(
            line.stores, LiveSettings(settings), FakeScorer(), metrics=Metrics(), clock=line.clock
        )
        self.training.start()

    def launch(self, request: TrainRequest, folder: Path) -> FakeChild:
        self.children.append(FakeChild(request))
        return self.children[-1]

    def train(self) -> None:
        self.training.submit(self.line.decide(Action.TRAIN, "drift"))
        self.training.step()

    def finish(self) -> None:
        """The child of the run reports that it is done."""
        child = self.children[-1]
        digest = write_artifact(
            child.request.output, {"adapter_model.safetensors": child.request.run.encode()}
        )
        result = replace(a_result(child.request.run), artifact=child.request.output, digest=digest)
        child.says = [result]

    def turn(self, times: int = 4) -> None:
        for _ in range(times):
            self.training.step()
            self.release.step()

    def passes(self, name: VersionName) -> None:
        """The gate finds a version better than the base."""
        self.line.stores.versions.add_gate_report(
            name, replace(a_gate_report(), against=V0), at=self.line.clock()
        )

    def type(self, *words: str) -> None:
        assert type_to(self.line, *words).exit_code == 0

    def run(self, name: str) -> Run:
        run = self.line.stores.runs.run(name)
        assert run is not None
        return run

    @property
    def live(self) -> VersionName | None:
        assert self.line.stores.target.current() == self.line.stores.versions.history(LINE).live
        return self.line.stores.target.current()


@pytest.fixture
def daemon(tmp_path: Path) -> Daemon:
    return Daemon(tmp_path)


def test_the_run_continues_from_version_1(daemon: Daemon) -> None:
    assert daemon.run("r2").request["parent"] == str(V1)
    assert daemon.live == V1


@pytest.mark.parametrize("meanwhile", [lambda _: None, Daemon.finish], ids=["while it ran", "as it finished"])
def test_the_run_is_cancelled_and_makes_no_version(
    daemon: Daemon, meanwhile: Callable[[Daemon], None]
) -> None:
    daemon.type("rollback", "-m", "wrong refunds")
    meanwhile(daemon)

    daemon.turn()

    assert daemon.run("r2").state is RunState.CANCELLED
    assert "support-bot-v1 was rolled back" in (daemon.run("r2").error or "")
    assert [version.name for version in daemon.line.stores.versions.versions(LINE)] == [V0, V1]
    assert daemon.live == V0


def test_the_run_is_cancelled_by_the_next_start_if_no_daemon_runs(daemon: Daemon) -> None:
    daemon.training.close(1)
    daemon.type("rollback", "-m", "wrong refunds")

    daemon.start()
    daemon.turn()

    assert (daemon.run("r2").state, len(daemon.children)) == (RunState.CANCELLED, 1)
    assert daemon.live == V0


def test_a_version_that_was_made_just_before_never_goes_live_by_itself(daemon: Daemon) -> None:
    daemon.finish()
    daemon.training.step()
    daemon.type("rollback", "-m", "wrong refunds")
    daemon.passes(V2)

    daemon.turn()
    daemon.type("unhold", "-m", "the next may go live")
    daemon.turn()
    assert daemon.live == V0

    daemon.type("promote", "v2", "-m", "v2 has the refunds right")
    assert daemon.live == V2


def test_the_next_training_begins_at_the_version_that_was_returned_to_and_is_released_after_unhold(
    daemon: Daemon,
) -> None:
    daemon.finish()
    daemon.training.step()
    daemon.type("rollback", "-m", "wrong refunds")
    daemon.train()
    daemon.finish()
    daemon.training.step()
    daemon.passes(V3)
    daemon.turn()
    assert daemon.run("r3").request["parent"] is None
    assert daemon.live == V0

    daemon.type("unhold", "-m", "the next may go live")
    daemon.turn()

    assert daemon.live == V3
