from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from daemon.config.settings import MonitorsSection
from daemon.domain.conversation import Feedback
from daemon.domain.lessons import LessonRules
from daemon.domain.records import NewConversation, StoredConversation
from daemon.drift.detector_state import state_to_json
from daemon.drift.live_loss_stage import LiveLossStage
from daemon.ledger.detectors import DetectorLedger, StoredDetector
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.references import ReferenceLedger
from daemon.ledger.signals import SignalLedger
from daemon.ledger.windows import WindowLedger
from learners.errors import ChildDied
from learners.types import Score
from monitors.sequential.detector_state import DetectorState
from registry.types import Version
from tests.factories.ledger import NOW, a_batch, a_conversation, a_ledger
from tests.factories.registry import a_version
from tests.factories.stores import some_settings, some_stores
from tests.fakes.scorer import AnswersAlike

RULES = LessonRules(model_line="chat", own_names=frozenset({"base"}))


class FakeScorer(AnswersAlike):
    """Two nats per token; answers when it is told to."""

    def __init__(self) -> None:
        self.ready = True
        self.asked: list[tuple[str, list[int]]] = []
        self.read: list[str] = []  # the last answers
        self._waiting: list[tuple[Future[list[Score]], list[int]]] = []

    def step(self) -> None: ...

    def close(self, timeout_s: float) -> None: ...

    def failed(self, error: Exception) -> None: ...

    def score(self, version: Version, talks: Sequence[StoredConversation]) -> Future[list[Score]]:
        future: Future[list[Score]] = Future()
        seqs = [talk.seq for talk in talks]
        self.asked.append((str(version.name), seqs))
        self.read += [talk.messages[-1].content for talk in talks]
        self._waiting.append((future, seqs))
        return future

    @property
    def waits(self) -> bool:
        return bool(self._waiting)

    def answer(self) -> None:
        for future, seqs in self._waiting:
            future.set_result([Score(id=str(seq), nll=10.0, tokens=5) for seq in seqs])
        self._waiting.clear()

    def fail(self) -> None:
        for future, _ in self._waiting:
            future.set_exception(ChildDied("out of memory"))
        self._waiting.clear()


class World:
    """A reference of twenty conversations, and a detector that has begun."""

    def __init__(self, folder: Path) -> None:
        self.engine = a_ledger(folder)
        self.stores = some_stores(self.engine, some_settings(folder))
        self.windows = WindowLedger(self.engine)
        ReferenceLedger(self.engine).start("chat-v0", size=20, after_seq=0, now=NOW)
        self.signals = SignalLedger(self.engine)
        self.scorer = FakeScorer()
        self.live = 0
        self.busy = False
        self.now = NOW
        self.read = 0
        self.talk(20)
        self.watch(1, begins=20)
        self.stage = self.start()

    def start(self, share: float = 0.5) -> LiveLossStage:
        def live() -> Version:
            return a_version(self.live, line="chat")

        return LiveLossStage(
            self.stores, MonitorsSection(loss_share=share), self.scorer, rules=RULES, live=live,
            busy=lambda: self.busy, clock=lambda: self.now,
        )  # fmt: skip

    def watch(self, reference: int, *, begins: int) -> None:
        state = state_to_json(DetectorState(begins=begins))
        DetectorLedger(self.engine).store(
            StoredDetector(reference_id=reference, seq=begins, state=state, at=NOW)
        )

    def talk(self, count: int) -> None:
        new = [a_hashed_talk(n) for n in range(self.read, self.read + count)]
        IntakeLedger(self.engine, window_size=5_000).record(a_batch(new))
        self.read += count

    def work(self) -> list[int]:
        """Let it score all that it wants to; return what it scored."""
        before, idle = len(self.scorer.asked), 0
        while idle < 6:  # an empty page, or two, is passed over
            idle = 0 if self.scorer.waits else idle + 1
            self.scorer.answer()
            self.stage.step()
        return [seq for _, seqs in self.scorer.asked[before:] for seq in seqs]

    def kept(self, version: str = "chat-v0") -> list[int]:
        return [one.seq for one in self.signals.losses(version, after=0, limit=9_999)]


def a_hashed_talk(number: int) -> NewConversation:
    return replace(a_conversation(number), conversation_hash=sha256(b"%d" % number).hexdigest())


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_the_reference_is_scored_once_and_then_a_share_of_the_stream(world: World) -> None:
    assert world.work() == list(range(1, 21))
    world.talk(400)

    fresh = world.work()

    assert fresh == sorted(fresh)
    assert all(seq > 20 for seq in fresh)
    assert 150 < len(fresh) < 250
    assert world.kept() == [*range(1, 21), *fresh]
    assert world.work() == []


def test_one_batch_at_a_time_and_nothing_blocks(world: World) -> None:
    for _ in range(5):
        world.stage.step()

    assert [len(seqs) for _, seqs in world.scorer.asked] == [8]


def test_what_is_drawn_depends_on_the_conversation_alone(world: World, tmp_path: Path) -> None:
    world.talk(100)
    at_once = world.work()
    other = World(tmp_path / "other")
    for _ in range(10):
        other.talk(10)
        other.work()

    assert other.kept() == at_once


def test_a_new_process_goes_on_where_the_old_one_stopped(world: World) -> None:
    world.talk(300)
    for _ in range(9):
        world.stage.step()
        world.scorer.answer()
    some = world.kept()
    world.stage = world.start()

    rest = world.work()

    assert len(some) < len(world.kept())
    assert set(some).isdisjoint(rest)
    assert world.kept() == some + rest


def test_the_gate_goes_first(world: World) -> None:
    world.busy = True
    assert world.work() == []

    world.busy = False
    world.scorer.ready = False
    assert world.work() == []


def test_switched_off_it_scores_nothing(world: World) -> None:
    world.stage = world.start(share=0.0)

    assert world.work() == []


def test_far_behind_it_draws_fewer_evenly_and_says_so(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.work()
    world.talk(4_000)

    fresh = world.work()

    assert 150 < len(fresh) < 250
    quarters = [sum(first <= seq < first + 1_000 for seq in fresh) for first in range(21, 4_021, 1_000)]
    assert min(quarters) > 30
    assert caplog.text.count("about 2000 conversations wait to be scored under the live version") == 1


def test_a_batch_that_fails_is_passed_over_after_a_pause(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.stage.step()
    world.scorer.fail()
    world.stage.step()
    assert "could not be scored under chat-v0 and are skipped: out of memory" in caplog.text
    assert world.work() == []

    world.now += timedelta(minutes=2)

    assert world.work() == list(range(9, 21))


def test_a_promotion_begins_anew_under_the_new_version(world: World) -> None:
    world.talk(40)
    world.work()
    world.live = 1
    assert world.work() == []  # until the reference follows

    ReferenceLedger(world.engine).start("chat-v1", size=20, after_seq=30, now=NOW)
    assert world.work() == []  # until the detector begins with it
    world.watch(2, begins=60)

    assert world.work() == list(range(41, 61))
    assert world.kept("chat-v1") == list(range(41, 61))


def test_own_answers_are_not_scored_but_their_corrections_are(world: World) -> None:
    def own(number: int, version: str, feedback: Feedback | None) -> NewConversation:
        talk = a_hashed_talk(number)
        said = replace(talk.conversation, model_version=version, feedback=feedback)
        return replace(talk, conversation=said)

    given = [None, Feedback(thumb="down"), Feedback(thumb="up"), Feedback(correction="rather so")]
    versions = ["base", "chat", "chat-v0"]
    world.work()
    world.scorer.read.clear()
    new = [own(20 + n, versions[n % 3], given[n % 4]) for n in range(240)]
    IntakeLedger(world.engine, window_size=5_000).record(a_batch(new))

    fresh = world.work()

    assert set(world.scorer.read) == {"rather so"}
    assert all(seq % 4 == 0 for seq in fresh)  # those with a correction
    assert 15 < len(fresh) < 45


def test_of_a_reference_those_with_answers_to_imitate_are_drawn(tmp_path: Path) -> None:
    world = World(tmp_path)
    with world.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE conversations SET version = 'chat-v0' WHERE seq % 2 = 0")

    assert world.work() == list(range(1, 21, 2))
