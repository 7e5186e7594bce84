import zlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from daemon.config.settings import MonitorsSection
from daemon.domain.records import NewConversation
from daemon.drift.detect_stage import DetectStage
from daemon.drift.detector_state import state_from_json
from daemon.drift.late_signals import LateSignalFeed
from daemon.ledger.detectors import DetectorLedger
from daemon.ledger.erasures import ErasureLedger, Subject
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.references import ReferenceLedger
from daemon.ledger.signals import SignalLedger
from daemon.ledger.windows import WindowLedger
from daemon.telemetry.metrics import Metrics
from monitors.sequential.conformal_bets import LATE_ASPECTS
from monitors.sequential.detector_state import DetectorState, LateState
from monitors.sequential.edetector import DetectorSettings, EDetector
from monitors.types import Aspect, Sample
from tests.factories.ledger import NOW, a_batch, a_conversation, a_feedback, a_ledger
from tests.factories.stores import some_settings, some_stores
from tests.unit.monitors.sequential.test_edetector import SHOP, SPORT
from tests.unit.monitors.sequential.test_edetector import a_conversation as a_sample

DAY = timedelta(days=1)


class World:
    """A reference of two hundred conversations about the shop."""

    def __init__(self, folder: Path) -> None:
        self.engine = a_ledger(folder)
        self.stores = some_stores(self.engine, some_settings(folder))
        self.windows = WindowLedger(self.engine)
        self.references = ReferenceLedger(self.engine)
        self.references.start("chat-v0", size=200, after_seq=0, now=NOW)
        self.detectors = DetectorLedger(self.engine)
        self.metrics = Metrics()
        self.now = NOW
        self.stage = self.start()
        self.read = 0

    def start(self) -> DetectStage:
        """A new process on the same ledger."""

        def new(
            reference: tuple[Sample, ...], block: int, state: DetectorState, recent: dict[int, Sample]
        ) -> EDetector:
            return EDetector(
                reference,
                DetectorSettings(late_aspects=LATE_ASPECTS),
                state=state,
                recent=recent,
                block=block,
            )

        return DetectStage(
            self.stores, self.late_signals(), new_detector=new, metrics=self.metrics, clock=lambda: NOW
        )  # fmt: skip

    def late_signals(self) -> LateSignalFeed:
        """Users have a day to say what they think."""
        return LateSignalFeed(self.stores, MonitorsSection(feedback_wait_h=24), clock=lambda: self.now)

    def talk(self, count: int, topic: list[str], *, window_size: int = 500) -> None:
        new = [conversation_about(n, topic, at=self.now) for n in range(self.read, self.read + count)]
        IntakeLedger(self.engine, window_size=window_size).record(a_batch(new, at=self.now))
        self.read += count

    def told(self) -> float:
        """The alarms that the metrics count."""
        exposed = self.metrics.exposition("")[1].decode()
        counted = [line for line in exposed.splitlines() if line.startswith("retuned_alarms_total{")]
        return sum(float(line.split()[-1]) for line in counted)

    def pass_a_day(self) -> None:
        """The users of all conversations had the time to say what they think."""
        self.now += DAY
        self.talk(1, SHOP)


def conversation_about(number: int, topic: list[str], *, at: datetime = NOW) -> NewConversation:
    return a_conversation(number, user=f"u{number}", text=a_sample(number, topic).turns[0].content, at=at)


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
    assert 250 < raised.seq <= 310
    assert 235 <= raised.since_seq <= 265
    window = world.windows.next_to_judge()
    assert window is not None
    assert (window.range.first, window.range.last) == (201, raised.seq)
    assert b'retuned_change_evidence{aspect="input"}' in world.metrics.exposition("")[1]


def test_a_change_that_lasts_is_told_once_and_kept_once_a_window(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.talk(250, SHOP)
    world.talk(700, SPORT)

    for _ in range(200):  # an alarm ends a step
        world.stage.step()

    stored = world.detectors.stored(1)
    assert stored is not None
    assert stored.seq == 950
    first, again = world.detectors.newest(99)[::-1]
    assert 250 < first.seq < 300
    assert 700 < again.seq < 750  # in the window after that of five hundred
    assert [record.message.split(":")[0] for record in caplog.records if "alarm at" in record.message] == [
        f"alarm at conversation {first.seq}"
    ]
    assert world.told() == 1


def alarms_logged(caplog: pytest.LogCaptureFixture) -> int:
    return sum("alarm at" in record.message for record in caplog.records)


def test_one_change_in_a_backlog_is_one_alarm(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """All windows are closed, and the newest of them is far from the alarm, before the detector begins."""
    world.talk(260, SHOP, window_size=20)
    world.talk(1_200, SPORT, window_size=20)

    step(world, 400)

    [change] = world.detectors.changes(999)
    assert 260 < change.seq < 320
    assert change.again > 10  # it lasts
    assert (world.told(), alarms_logged(caplog)) == (1, 1)


def test_a_change_that_goes_and_comes_back_is_two(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.talk(260, SHOP, window_size=20)
    world.talk(80, SPORT, window_size=20)
    world.talk(300, SHOP, window_size=20)
    world.talk(80, SPORT, window_size=20)

    step(world, 100)

    second, first = world.detectors.changes(999)
    assert (260 < first.seq < 320, 640 < second.seq < 700) == (True, True)
    assert (world.told(), alarms_logged(caplog)) == (2, 2)


def test_a_change_after_a_promotion_is_compared_with_the_new_reference_and_is_its_own(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The second change comes within two windows of the last alarm against the old reference."""
    world.talk(260, SHOP, window_size=200)
    world.talk(240, SPORT, window_size=200)
    step(world, 60)
    world.references.start("chat-v1", size=200, after_seq=300, now=NOW)  # v1 learned the first change
    world.talk(40, SPORT, window_size=200)
    step(world, 20)
    world.talk(60, SHOP, window_size=200)

    step(world, 20)

    second, first = world.detectors.changes(999)
    assert (first.reference_id, second.reference_id) == (1, 2)
    assert second.seq - 500 < 150
    assert (world.told(), alarms_logged(caplog)) == (2, 2)


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


def opine(world: World, seqs: Iterable[int], thumb: str) -> None:
    """Feedback that comes after its conversation."""
    feedback = [a_feedback(world.read + 10_000 + seq, f"c{seq - 1}", thumb=thumb) for seq in seqs]
    IntakeLedger(world.engine, window_size=500).record(replace(a_batch(feedback=feedback), next_offsets={}))


def heard_until(world: World, reference: int = 1) -> int:
    stored = world.detectors.stored(reference)
    assert stored is not None
    return state_from_json(stored.state).late[Aspect.QUALITY].until


def test_thumbs_that_come_late_raise_an_alarm_with_the_next_conversation(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.talk(500, SHOP)
    opine(world, range(1, 201), "up")
    opine(world, range(201, 301), "up")
    step(world, 6)
    opine(world, range(301, 501), "down")
    step(world, 4)
    assert world.detectors.newest(9) == []  # all that was seen may have been judged

    world.talk(1, SHOP)
    step(world, 1)

    raised = world.detectors.newest(9)[-1]
    assert raised.seq == 501
    assert 200 < raised.since_seq <= 310
    assert max(raised.evidence, key=lambda aspect: raised.evidence[aspect]) == "quality"
    assert "mostly in what users think of the answers" in caplog.text
    assert b'retuned_change_evidence{aspect="quality"}' in world.metrics.exposition("")[1]


def step(world: World, times: int) -> None:
    for _ in range(times):
        world.stage.step()


def test_what_is_known_of_a_conversation_waits_until_it_was_seen(world: World) -> None:
    world.talk(400, SHOP)
    for seq in (250, 390, 260):
        opine(world, [seq], "up")

    step(world, 1)
    assert heard_until(world) == 0
    step(world, 1)
    assert heard_until(world) == 1  # 250; what was numbered after 390 waits with it
    step(world, 1)

    assert heard_until(world) == 3


def test_feedback_without_new_conversations_is_heard_and_kept(world: World) -> None:
    world.talk(250, SHOP)
    step(world, 2)
    opine(world, [10, 210], "down")

    step(world, 1)

    assert heard_until(world) == 2


def test_opinions_on_another_versions_answers_are_not_counted(world: World) -> None:
    world.talk(200, SHOP)
    others = [
        replace(new, conversation=replace(new.conversation, model_version="chat-v7"))
        for new in (conversation_about(n, SHOP) for n in range(200, 300))
    ]
    IntakeLedger(world.engine, window_size=500).record(a_batch(others))
    world.read = 300
    opine(world, range(1, 101), "up")
    opine(world, range(201, 301), "down")
    step(world, 5)

    stored = world.detectors.stored(1)
    assert stored is not None
    state = state_from_json(stored.state)
    assert state.wealths[Aspect.QUALITY].wealth == 1.0
    assert [sum(levels.values()) for levels in state.late[Aspect.QUALITY].levels.values()] == [100]
    assert state.late[Aspect.QUALITY].until == 200


def heard_of_the_rate(world: World, reference: int = 1) -> LateState:
    stored = world.detectors.stored(reference)
    assert stored is not None
    return state_from_json(stored.state).late[Aspect.FEEDBACK_RATE]


def test_nobody_is_silent_before_he_had_the_time_to_speak(world: World) -> None:
    world.talk(200, SHOP)
    opine(world, range(1, 51), "up")
    world.now += timedelta(hours=1)
    world.talk(20, SHOP)
    step(world, 3)
    assert heard_of_the_rate(world) == LateState()

    world.now += timedelta(hours=23)
    world.talk(1, SHOP)
    step(world, 4)

    assert heard_of_the_rate(world).until == 200
    assert heard_of_the_rate(world).levels == {"conversation, 0": {0: 150, 1: 50}}


def test_silence_about_another_versions_answers_is_not_counted(world: World) -> None:
    world.talk(200, SHOP)
    others = [
        replace(new, conversation=replace(new.conversation, model_version=f"chat-v{new.at.offset % 2}"))
        for new in (conversation_about(n, SHOP) for n in range(200, 300))
    ]
    IntakeLedger(world.engine, window_size=500).record(a_batch(others))
    world.read = 300
    world.pass_a_day()
    step(world, 6)

    assert heard_of_the_rate(world).until == 300
    assert heard_of_the_rate(world).levels == {"conversation, 0": {0: 250}}


def test_who_spoke_before_the_reference_began_is_not_asked(world: World) -> None:
    world.talk(400, SHOP)
    world.references.start("chat-v1", size=40, after_seq=0, now=NOW)
    world.pass_a_day()

    step(world, 1)

    assert heard_of_the_rate(world, 2).until == 400
    assert heard_of_the_rate(world, 2).levels == {"conversation, 0": {0: 40}}


@pytest.mark.parametrize(
    ("before", "after"), [(range(1, 401, 3), range(0)), (range(1, 401, 20), range(401, 701, 2))]
)
def test_where_other_users_speak_than_before_an_alarm_says_so(
    before: range, after: range, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.talk(700, SHOP)
    opine(world, [*before, *after], "up")
    step(world, 8)
    world.pass_a_day()
    step(world, 8)
    world.talk(1, SHOP)
    step(world, 1)

    raised = world.detectors.newest(9)[-1]
    assert 380 < raised.since_seq <= 460
    assert max(raised.evidence, key=lambda aspect: raised.evidence[aspect]) == "feedback_rate"
    assert "mostly in how many users say what they think" in caplog.text


def test_losses_of_the_references_version_are_heard_and_no_others(world: World) -> None:
    world.talk(300, SHOP)
    signals = SignalLedger(world.engine)
    signals.add_losses("chat-v0", dict.fromkeys(range(1, 151), (10.0, 5)))
    signals.add_losses("chat-v1", dict.fromkeys(range(201, 301), (90.0, 5)))
    signals.add_losses("chat-v0", {299: (0.0, 0)})  # no reply
    step(world, 4)

    stored = world.detectors.stored(1)
    assert stored is not None
    state = state_from_json(stored.state)
    assert sum(sum(levels.values()) for levels in state.late[Aspect.CONCEPT].levels.values()) == 150
    assert state.wealths[Aspect.CONCEPT].wealth == 1.0

    signals.add_losses("chat-v0", dict.fromkeys(range(201, 281), (20.0, 5)))
    step(world, 2)
    world.talk(1, SHOP)
    step(world, 1)

    assert (
        max((raised := world.detectors.newest(1)[0]).evidence.items(), key=lambda item: item[1])[0]
        == "concept"
    )
    assert raised.since_seq == 205  # the first after which chance is no explanation


def test_a_new_process_hears_on_exactly_and_without_the_forgotten(world: World) -> None:
    world.talk(300, SHOP)
    opine(world, range(1, 100), "up")
    step(world, 3)
    opine(world, range(201, 207), "down")
    step(world, 1)
    before = world.detectors.stored(1)

    world.stage = world.start()
    step(world, 3)
    assert world.detectors.stored(1) == before
    ErasureLedger(world.engine).erase(
        Subject(kind="user", id="u205", hash="u205"), by="ada", why="asked", now=NOW
    )
    world.stage = world.start()
    opine(world, [207], "down")
    step(world, 1)

    assert heard_until(world) == 106


def test_at_a_promotion_it_hears_anew_of_the_new_reference(world: World) -> None:
    world.talk(300, SHOP)
    opine(world, range(1, 301), "up")
    step(world, 5)

    ReferenceLedger(world.engine).start("chat-v1", size=40, after_seq=0, now=NOW)
    step(world, 5)

    stored = world.detectors.stored(2)
    assert stored is not None
    state = state_from_json(stored.state)
    assert state.begins == 300
    assert [sum(levels.values()) for levels in state.late[Aspect.QUALITY].levels.values()] == [40]
    assert state.wealths[Aspect.QUALITY].wealth == 1.0  # what came before it is no bet's
    assert heard_until(world, 2) == 300


def test_a_detector_of_an_older_release_hears_from_where_it_stands(world: World) -> None:
    world.talk(300, SHOP)
    step(world, 2)
    stored = world.detectors.stored(1)
    assert stored is not None
    old = {name: value for name, value in stored.state.items() if name not in ("begins", "heard")}
    world.detectors.store(replace(stored, state=old))
    opine(world, range(1, 251), "up")
    world.stage = world.start()
    step(world, 5)

    state = state_from_json(world.detectors.stored(1).state)  # type: ignore[union-attr]
    assert state.begins == 300
    assert [sum(levels.values()) for levels in state.late[Aspect.QUALITY].levels.values()] == [200]


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

    def new(
        reference: tuple[Sample, ...], block: int, state: DetectorState, recent: dict[int, Sample]
    ) -> EDetector:
        return EDetector(
            reference, DetectorSettings(aspects=[Aspect.EMBEDDING]), state=state, recent=recent, block=block
        )

    vectors = FakeVectors()
    world.stage = DetectStage(
        world.stores, world.late_signals(), new_detector=new, metrics=world.metrics, clock=lambda: NOW,
        vectors=vectors,
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
