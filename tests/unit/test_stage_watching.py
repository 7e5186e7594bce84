from dataclasses import replace
from pathlib import Path

import pytest

from daemon.facts import NewConversation
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.detectors import DetectorLedger
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.references import ReferenceLedger
from daemon.ledger.windows import WindowLedger
from daemon.metrics import Metrics
from daemon.stages.watching import WatchingStage
from monitors.edetector import DetectorState, EDetector
from monitors.types import Sample
from tests.factories_ledger import NOW, a_batch, a_ledger, a_talk
from tests.unit.test_edetector import SHOP, SPORT
from tests.unit.test_edetector import a_talk as a_sample


class World:
    """A reference of two hundred conversations about the shop."""

    def __init__(self, folder: Path) -> None:
        self.engine = a_ledger(folder)
        self.windows = WindowLedger(self.engine)
        self.references = ReferenceLedger(self.engine)
        self.references.start("chat-v0", size=200, after_seq=0, now=NOW)
        self.detectors = DetectorLedger(self.engine)
        self.metrics = Metrics()
        self.stage = self.start()
        self.read = 0

    def start(self) -> WatchingStage:
        """A new process on the same ledger."""

        def new(reference: tuple[Sample, ...], state: DetectorState, recent: dict[int, Sample]) -> EDetector:
            return EDetector(reference, state=state, recent=recent)

        return WatchingStage(
            self.windows, ConversationLedger(self.engine), self.detectors, new_detector=new,
            metrics=self.metrics, clock=lambda: NOW,
        )  # fmt: skip

    def talk(self, count: int, topic: list[str]) -> None:
        intake = IntakeLedger(self.engine, window_size=500)
        intake.record(a_batch([said(n, topic) for n in range(self.read, self.read + count)]))
        self.read += count


def said(number: int, topic: list[str]) -> NewConversation:
    return a_talk(number, user=f"u{number}", text=a_sample(number, topic).turns[0].content)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_nothing_is_watched_before_the_reference_is_full(world: World) -> None:
    world.talk(100, SHOP)

    world.stage.step()

    assert world.detectors.stored(1) is None


def test_conversations_are_seen_a_page_at_a_step_and_the_state_is_kept(world: World) -> None:
    world.talk(350, SHOP)

    world.stage.step()
    first = world.detectors.stored(1)
    world.stage.step()
    second = world.detectors.stored(1)

    assert first is not None
    assert second is not None
    assert (first.seq, second.seq) == (300, 350)
    assert second.state["count"] == 150


def test_a_change_raises_an_alarm_that_says_where_it_began(world: World) -> None:
    world.talk(250, SHOP)
    world.talk(60, SPORT)

    for _ in range(3):
        world.stage.step()

    raised = world.detectors.newest(9)[-1]
    assert 260 < raised.seq <= 310
    assert 235 <= raised.since_seq <= 265
    window = world.windows.next_to_judge()
    assert window is not None
    assert (window.range.first, window.range.last) == (201, raised.seq)
    assert b'retuned_change_evidence{aspect="input"}' in world.metrics.exposition("")[1]


def test_a_new_process_goes_on_where_the_old_one_stopped(world: World) -> None:
    world.talk(250, SHOP)
    world.talk(20, SPORT)
    world.stage.step()

    world.stage = world.start()
    world.talk(40, SPORT)
    world.stage.step()

    assert world.detectors.newest(9)[-1].since_seq <= 265


def test_a_new_reference_is_watched_from_its_own_first_window_on(world: World) -> None:
    world.talk(260, SHOP)
    world.stage.step()

    world.references.start("chat-v1", size=40, after_seq=0, now=NOW)
    world.talk(5, SHOP)
    world.stage.step()

    old, new = world.detectors.stored(1), world.detectors.stored(2)
    assert old is not None
    assert new is not None
    assert (new.seq, new.state["count"]) == (265, 5)
    assert replace(old, seq=260) == old


def test_far_behind_it_looks_at_an_even_sample_and_catches_up(world: World) -> None:
    world.talk(200, SHOP)
    world.stage.step()
    world.talk(5_000, SHOP)

    world.stage.step()

    stored = world.detectors.stored(1)
    assert stored is not None
    assert stored.seq == 5_200
    assert stored.state["count"] == 100
