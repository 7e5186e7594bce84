import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from daemon.facts import NewConversation
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.detectors import DetectorLedger
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.windows import WindowLedger
from daemon.metrics import Metrics
from daemon.stages.watching import WatchingStage
from monitors.edetector import DetectorState, EDetector
from monitors.types import Aspect, Sample
from tests.factories_ledger import NOW, a_batch, a_ledger, a_talk
from tests.unit.test_edetector import SHOP, SPORT
from tests.unit.test_edetector import a_talk as a_sample


class World:
    """A reference of two hundred conversations about the shop."""

    def __init__(self, folder: Path) -> None:
        self.engine = a_ledger(folder)
        self.windows = WindowLedger(self.engine)
        self.windows.start_reference("chat-v0", size=200, after_seq=0, now=NOW)
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

    world.windows.start_reference("chat-v1", size=40, after_seq=0, now=NOW)
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


class FakeVectors:
    """Vectors that tell the shop from sport, once they are let go."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.lets_go = self.answers = True
        self.closed = False

    def of(self, texts: Mapping[int, str]) -> Mapping[int, bytes] | None:
        self.asked.append(len(texts))
        if not self.answers:
            return {}
        return {key: _meaning(text) for key, text in texts.items()} if self.lets_go else None

    def close(self, timeout_s: float) -> None:
        self.closed = timeout_s >= 0


def _meaning(text: str) -> bytes:
    chance = np.random.default_rng(zlib.crc32(text.encode()))
    topic = np.zeros(16) if text.split()[0] in SHOP else np.ones(16)
    return bytes((topic + 0.5 * chance.standard_normal(16)).astype("<f4").tobytes())


@pytest.fixture
def embedded(world: World) -> FakeVectors:
    """Has the stage of the world show vectors."""

    def new(reference: tuple[Sample, ...], state: DetectorState, recent: dict[int, Sample]) -> EDetector:
        return EDetector(reference, aspects=[Aspect.EMBEDDING], state=state, recent=recent)

    vectors = FakeVectors()
    world.stage = WatchingStage(
        world.windows, ConversationLedger(world.engine), world.detectors, new_detector=new,
        metrics=world.metrics, clock=lambda: NOW, vectors=vectors,
    )  # fmt: skip
    return vectors


def test_conversations_wait_for_their_vectors_and_what_comes_meanwhile_waits_behind_them(
    world: World, embedded: FakeVectors
) -> None:
    world.talk(210, SHOP)
    world.stage.step()
    embedded.lets_go = False
    world.talk(10, SHOP)
    world.stage.step()
    world.talk(10, SHOP)
    world.stage.step()
    waiting = world.detectors.stored(1)
    embedded.lets_go = True

    world.stage.step()
    world.stage.step()

    shown = world.detectors.stored(1)
    assert waiting is not None
    assert shown is not None
    assert (waiting.seq, shown.seq) == (210, 230)
    assert embedded.asked == [200, 10, 10, 10, 10, 10]


def test_no_detector_begins_before_the_references_vectors_are_there(
    world: World, embedded: FakeVectors
) -> None:
    embedded.lets_go = False
    world.talk(210, SHOP)
    world.stage.step()

    assert world.detectors.stored(1) is None

    embedded.lets_go = True
    world.stage.step()

    assert world.detectors.stored(1) is not None


def test_a_change_that_only_vectors_tell_is_noticed(world: World, embedded: FakeVectors) -> None:
    world.talk(250, SHOP)
    world.talk(60, SPORT)

    for _ in range(4):
        world.stage.step()

    assert embedded.asked[0] == 200
    assert world.detectors.newest(9)[-1].evidence.keys() == {"embedding"}


def test_without_vectors_conversations_go_on_and_are_bet_on_again_once_they_are_back(
    world: World, embedded: FakeVectors
) -> None:
    embedded.answers = False
    world.talk(250, SHOP)
    world.stage.step()
    blind = world.detectors.stored(1)
    embedded.answers = True
    world.talk(40, SPORT)

    for _ in range(3):
        world.stage.step()

    assert blind is not None
    assert blind.seq == 250
    assert world.detectors.newest(9)[-1].seq > 255


def test_closing_ends_the_embedder(world: World, embedded: FakeVectors) -> None:
    world.stage.close(1)

    assert embedded.closed
