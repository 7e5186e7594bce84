from datetime import timedelta
from pathlib import Path

import pytest

from daemon.config.settings import RetentionSection
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.dead_letters import DeadLetterLedger
from daemon.ledger.intake import IntakeLedger
from daemon.retention.conversations import PAGE, ConversationRetention
from daemon.retention.history import HistoryRetention
from daemon.retention.stage import RetentionStage
from daemon.telemetry.metrics import Metrics
from tests.factories.ledger import NOW, a_batch, a_dead_letter, a_ledger, some_conversations
from tests.factories.retention import some_retention


class World:
    def __init__(self, folder: Path, keep: RetentionSection) -> None:
        self.now = NOW
        self.job_deletions = 0
        self.outage: OSError | None = None
        self.metrics = Metrics()
        self.engine = a_ledger(folder)
        self.runs = folder / "runs"
        self.intake = IntakeLedger(self.engine, window_size=20)
        self.stage = RetentionStage(
            ConversationRetention(self.engine, lambda: keep),
            HistoryRetention(self.engine, some_retention),
            scored=lambda: (),
            runs_dir=self.runs,
            delete_jobs=self.delete_jobs,
            metrics=self.metrics,
            clock=lambda: self.now,
        )

    def delete_jobs(self) -> None:
        self.job_deletions += 1
        if self.outage is not None:
            raise self.outage

    def count(self) -> int:
        return ConversationLedger(self.engine).count(held_out=False)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, some_retention(conversations=10, sample=0))


def test_a_page_goes_at_each_step_until_nothing_is_left_to_do(world: World) -> None:
    world.intake.record(a_batch(some_conversations(0, PAGE + 100)))

    counts = []
    for _ in range(3):
        world.stage.step()
        counts.append(world.count())

    assert counts == [100, 10, 10]
    exposition = world.metrics.exposition("")[1].decode()
    assert f'retuned_pruned_rows_total{{table="conversations"}} {PAGE + 90:.1f}' in exposition


def test_a_flood_of_dead_letters_goes_as_soon_as_it_is_old(world: World) -> None:
    letters = DeadLetterLedger(world.engine)
    flood = [a_dead_letter(n) for n in range(some_retention().dead_letters + 2 * PAGE + 100)]
    world.intake.record(a_batch(dead_letters=flood))
    letters.mark_published([stored.id for stored in letters.unpublished(len(flood))], NOW)

    counts = []
    for _ in range(4):
        world.stage.step()
        counts.append(sum(letters.counts_by_reason().values()))

    assert counts == [10_000 + PAGE + 100, 10_100, 10_000, 10_000]


def test_between_two_looks_nothing_is_done_and_a_clock_set_back_does_not_stop_it(world: World) -> None:
    world.stage.step()
    world.intake.record(a_batch(some_conversations(0, 50)))

    world.stage.step()
    assert world.count() == 50

    world.now = NOW - timedelta(hours=1)
    world.stage.step()
    assert world.count() == 10


def test_the_folders_of_the_latest_runs_stay(world: World) -> None:
    for name in ("r1", "r2", "r9", "r10", "r11", "rest"):
        (world.runs / name / "checkpoints").mkdir(parents=True)

    world.stage.step()

    assert sorted(path.name for path in world.runs.iterdir()) == ["r10", "r11", "r9", "rest"]


def test_a_ledger_under_an_endless_stream_stays_as_large_as_it_is(tmp_path: Path) -> None:
    world = World(tmp_path, some_retention(conversations=500, sample=200, known_ids=1_000))
    file, sizes = tmp_path / "ledger.db", []
    for first in range(0, 30_000, 500):
        world.intake.record(a_batch(some_conversations(first, 500)))
        world.now += timedelta(seconds=10)
        world.stage.step()
        sizes.append(file.stat().st_size)

    assert sizes[-1] <= sizes[len(sizes) // 4] * 1.1
    assert world.count() <= 500 + 500 + 200 + 20


def test_ended_jobs_go_every_minute_as_soon_as_the_store_answers(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.outage = ConnectionError("no route to host")
    world.stage.step()
    world.stage.step()
    assert world.job_deletions == 1
    assert "deleting the files of ended jobs fails and is tried again" in caplog.text

    world.outage, world.now = None, world.now + timedelta(minutes=1)
    world.stage.step()

    assert world.job_deletions == 2
