from pathlib import Path

import pytest

from daemon.judge_process import JudgeDied
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.windows import JudgedWindow, WindowLedger
from daemon.metrics import Metrics
from daemon.stages.judging import JudgingStage
from monitors.suite import Judgement, MonitorSettings
from monitors.types import Explanation, Finding, Reference, Verdict, Window
from tests.factories_ledger import NOW, a_batch, a_ledger, talks


class FakeJudge:
    """Answers at the second poll, or dies."""

    def __init__(self) -> None:
        self.findings = {"mmd": Finding.STABLE, "columns": Finding.STABLE}
        self.deaths = 0
        self.asked: list[tuple[Window, Reference]] = []
        self._polls = 0
        self.stopped = False

    def start(self) -> None: ...

    def submit(self, window: Window, reference: Reference, settings: MonitorSettings) -> None:
        self.asked.append((window, reference))
        self._polls = 0

    def poll(self) -> tuple[Judgement, float] | None:
        self._polls += 1
        if self.deaths > 0:
            self.deaths -= 1
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
        drifted = self.findings["mmd"] is Finding.DRIFT
        told = Explanation(window_id=window.id, changes=(), examples=(window.samples[0].id,), share_new=0.5)
        return Judgement(verdicts=verdicts, explanation=told if drifted else None), 0.1

    def stop(self, timeout_s: float) -> None:
        self.stopped = True


class World:
    """A filled reference, windows of 20, a fake judge."""

    def __init__(self, folder: Path) -> None:
        self.engine = a_ledger(folder)
        self.windows = WindowLedger(self.engine)
        self.windows.start_reference("chat-v0", size=10, after_seq=0, now=NOW)
        self.judge = FakeJudge()
        self.metrics = Metrics()
        self.stage = JudgingStage(
            self.windows, ConversationLedger(self.engine), self.judge, model_line="chat", settings=MonitorSettings(),
            max_age_s=60, min_size=10, metrics=self.metrics, clock=lambda: NOW,
        )  # fmt: skip

    def read(self, first: int, count: int) -> None:
        IntakeLedger(self.engine, window_size=20).record(a_batch(talks(first, count)))

    def turn(self, times: int) -> list[JudgedWindow]:
        for _ in range(times):
            self.stage.step()
        return self.windows.judged(limit=9)


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
    assert [verdict.monitor for verdict in judged.verdicts] == ["columns", "mmd"]


@pytest.mark.parametrize(
    ("mmd", "columns", "overall"),
    [
        (Finding.DRIFT, Finding.STABLE, "drift"),
        (Finding.STABLE, Finding.DRIFT, "stable"),  # it may inform, not trigger
        (Finding.INCONCLUSIVE, Finding.STABLE, "inconclusive"),
    ],
)
def test_only_a_triggering_monitor_makes_a_window_drift(
    world: World, mmd: Finding, columns: Finding, overall: str
) -> None:
    world.judge.findings = {"mmd": mmd, "columns": columns}
    world.read(0, 30)

    [judged] = world.turn(3)

    assert judged.finding == overall
    assert (judged.explanation is not None) == (overall == "drift")


def test_windows_are_judged_one_after_the_other(world: World) -> None:
    world.read(0, 50)

    world.turn(6)

    assert [window.id for window, _ in world.judge.asked] == ["1", "2"]


def test_a_window_whose_judging_died_is_judged_again(world: World) -> None:
    world.judge.deaths = 2
    world.read(0, 30)

    [judged] = world.turn(8)

    assert judged.finding == "stable"


def test_a_window_that_kills_the_judge_is_inconclusive_and_does_not_block_the_next(world: World) -> None:
    world.judge.deaths = 3
    world.read(0, 50)

    second, first = world.turn(12)

    assert (first.finding, second.finding) == ("inconclusive", "stable")
    assert b'retuned_monitor_errors_total{monitor="process"} 1.0' in world.metrics.exposition("")[1]
    assert "died 3 times" in first.verdicts[0].reason


def test_after_a_restart_an_unfinished_window_is_judged(world: World) -> None:
    world.read(0, 30)
    world.turn(1)
    world.stage.close(1)

    again = JudgingStage(
        world.windows, ConversationLedger(world.engine), FakeJudge(), model_line="chat", settings=MonitorSettings(),
        max_age_s=60, min_size=10, metrics=Metrics(), clock=lambda: NOW,
    )  # fmt: skip
    for _ in range(3):
        again.step()

    assert world.judge.stopped
    assert len(world.windows.judged(limit=9)) == 1
