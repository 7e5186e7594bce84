from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from daemon.config.live import LiveSettings
from daemon.config.settings import ReleaseSection, Settings
from daemon.domain.decisions import Action, Decision, Trigger
from daemon.domain.records import StoredConversation
from daemon.domain.runs import Run, RunState
from daemon.domain.windows import SeqRange
from daemon.ledger.erasures import ErasureLedger
from daemon.ledger.freezes import FreezeLedger
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.lesson_scores import LessonPart
from daemon.release.candidate_gate import held_out_of
from daemon.release.gate_slices import FITTING
from daemon.release.held_out import NEW, OLD
from daemon.release.stage import ReleaseStage
from daemon.telemetry.metrics import Metrics
from learners.errors import BadAdapter, ChildDied
from learners.types import Answer, Conversation, Score
from registry.artifacts import FsspecArtifactStore
from registry.looks import waits_for_data, worth_another_look
from registry.names import VersionName
from registry.sql import SqlStore
from registry.tables import metadata as registry_metadata
from registry.transitions import bootstrap, promote, roll_back
from registry.types import Actor, GateReport, GateVerdict, Lineage, SliceReport, Version
from tests.factories.ledger import NOW, a_batch, a_conversation, a_ledger, some_conversations
from tests.factories.stores import some_settings, some_stores
from tests.fakes.scorer import AnswersAlike

LINE = "chat"
ADA = Actor(kind="operator", name="ada")
#: What is scored of 60 held-out conversations: each, and its answer after another one's prompt.
TEXTS = 120


class FakeScorer(AnswersAlike):
    """Scores by a rule: so many nats per token for each version, plus a little for each conversation."""

    def __init__(self) -> None:
        self.ready = True
        self.loss = {0: 3.0, 1: 2.5, 2: 2.4}
        self.on_old: dict[int, float] = {}
        self.error: Exception | None = None
        self.always: Exception | None = None
        self.answers_error: Exception | None = None
        self.scored: list[tuple[str, int]] = []
        self.replaced = 0
        self.change_from = 61

    def step(self) -> None: ...

    def close(self, timeout_s: float) -> None: ...

    def failed(self, error: Exception) -> None:
        self.replaced += 1
        self.error = self.answers_error = None

    def score(self, version: Version, conversations: Sequence[StoredConversation]) -> Future[list[Score]]:
        raise NotImplementedError("the gate scores lessons")

    def score_conversations(
        self, version: Version, conversations: Sequence[Conversation]
    ) -> Future[list[Score]]:
        future: Future[list[Score]] = Future()
        self.scored.append((str(version.name), len(conversations)))
        if error := self.always or self.error:
            future.set_exception(error)
        else:
            future.set_result(
                [
                    Score(id=one.id, nll=10 * self._per_token(version, int(one.id.split()[0])), tokens=10)
                    for one in conversations
                ]
            )
        return future

    def answers(
        self, version: Version, prompts: Sequence[Conversation], *, max_new_tokens: int, seconds: float | None
    ) -> Future[list[Answer]]:
        if self.answers_error is None:
            return super().answers(version, prompts, max_new_tokens=max_new_tokens, seconds=seconds)
        failed: Future[list[Answer]] = Future()
        failed.set_exception(self.answers_error)
        return failed

    def _per_token(self, version: Version, seq: int) -> float:
        number = version.name.number
        old = seq < self.change_from
        per_token = self.on_old.get(number, self.loss[number]) if old else self.loss[number]
        return per_token + 0.001 * (seq * (number + 7) % 11)


class FakeTarget:
    """Says what it serves; unreachable while down."""

    def __init__(self) -> None:
        self.pointer: VersionName | None = None
        self.served: list[VersionName] = []
        self.down = False
        self.altered = False  # names the right version, with another folder

    def current(self) -> VersionName | None:
        if self.down:
            raise OSError("no route")
        return self.pointer

    def serves(self, version: Version, artifact: Path | None) -> bool:
        return not self.altered and self.current() == version.name

    def serve(self, version: Version, artifact: Path | None, *, now: datetime) -> None:
        self.altered = False
        self.pointer = version.name
        self.served.append(version.name)


class AnyArtifact(FsspecArtifactStore):
    """A store that has whatever it is asked for."""

    def fetch(self, url: str, digest: str) -> Path:
        return Path(url)


class SomeErasures(ErasureLedger):
    """Erasures that hit the runs that a test names."""

    erased: frozenset[str] = frozenset()

    def runs_with_erased_records(self) -> frozenset[str]:
        return self.erased


class World:
    """A base that is live, a run that learned from conversation 61 on, and a version that came of it."""

    def __init__(self, folder: Path, *, automatic: bool = True, answers: int = 0) -> None:
        self.engine = a_ledger(folder)
        registry_metadata.create_all(self.engine)
        self.target = FakeTarget()
        self.erasures = SomeErasures(self.engine)
        self.settings = some_settings(
            folder,
            gate={"max_conversations": 100, "answers": answers},
            windows={"reference_size": 50, "reference_days": 0},
            release={"automatic": automatic},
        )
        self.stores = replace(
            some_stores(self.engine, self.settings),
            versions=SqlStore(self.engine),
            target=self.target,
            artifacts=AnyArtifact(folder.as_uri(), cache=folder / "cache"),
            erasures=self.erasures,
        )
        self.store = self.stores.versions
        self.references = self.stores.references
        self.decisions = self.stores.decisions
        self.runs = self.stores.runs
        self.scorer = FakeScorer()
        self.metrics = Metrics()
        self.held_out = held_out_of(self.stores, self.settings)
        self.store.add_version(a_version(0))
        self.store.append(
            bootstrap(self.store.history(LINE), VersionName(LINE, 0), reason="base", by=ADA, now=NOW),
            expected=0,
        )
        self.stage = self.start(self.settings)
        self.stage.step()
        IntakeLedger(self.engine, window_size=20).record(
            a_batch(some_conversations(0, 120, held_out_every=2))
        )

    def start(self, settings: Settings) -> ReleaseStage:
        """A new process on the same ledger."""
        return ReleaseStage(
            self.stores, LiveSettings(settings), self.scorer, metrics=self.metrics, clock=lambda: NOW
        )

    def finish_run(self, number: int = 1, since: int = 61) -> None:
        decision = self.decisions.decide(
            Decision(at=NOW, trigger=Trigger.DRIFT, action=Action.TRAIN, reason="drift", since_seq=since)
        )
        assert decision.id is not None
        self.runs.start(
            Run(
                id=f"r{number}",
                decision_id=decision.id,
                state=RunState.FINISHED,
                request={},
                started_at=NOW,
                since_seq=since,
                until_seq=120,
            )
        )
        self.store.add_version(a_version(number))

    def turn(self, times: int = 4) -> None:
        for _ in range(times):
            self.stage.step()

    @property
    def live(self) -> int:
        live = self.store.history(LINE).live
        assert live is not None
        return live.number

    def reports(self, number: int) -> list[GateReport]:
        return list(self.store.gate_reports(VersionName(LINE, number)))


def a_version(number: int) -> Version:
    lineage = Lineage(
        base="base", base_digest="b", parent=None, method="lora", settings={}, seed=0, packages={}, sources=(),
        conversations=0, data_digest="",
    )  # fmt: skip
    return Version(
        name=VersionName(LINE, number), run=f"r{number}" if number else None, artifact=f"file:///v{number}" if number else None,
        digest="d" * 64, size_bytes=1, lineage=lineage, created_at=NOW,
    )  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_the_base_is_served_and_gets_a_reference_at_the_first_start(world: World) -> None:
    reference = world.references.newest()

    assert world.target.served == [VersionName(LINE, 0)]
    assert reference is not None
    assert (reference.version, reference.range) == ("chat-v0", SeqRange(first=1, last=50))


def test_a_candidate_that_wins_goes_live_with_its_numbers(world: World) -> None:
    world.finish_run()

    world.turn()

    entry = world.store.history(LINE).entries[-1]
    assert (str(entry.version), entry.by.kind) == ("chat-v1", "daemon")
    assert entry.gate is not None
    assert {found.name for found in entry.gate.slices} == {NEW, OLD, FITTING}
    assert world.target.served[-1] == VersionName(LINE, 1)


def test_promotion_refreshes_the_reference_with_what_is_new(world: World) -> None:
    world.finish_run()

    world.turn()

    reference = world.references.newest()
    assert reference is not None
    assert (reference.version, reference.range) == ("chat-v1", SeqRange(first=71, last=120))


def test_a_frozen_reference_outlasts_a_promotion_and_is_refreshed_once_it_is_let_go(world: World) -> None:
    freezes = FreezeLedger(world.engine)
    freezes.freeze(by="ada", why="the audit", now=NOW)
    world.finish_run()
    world.turn()
    frozen = world.references.newest()

    freezes.unfreeze(by="ada", now=NOW)
    world.turn(1)

    followed = world.references.newest()
    assert frozen is not None
    assert followed is not None
    assert (world.live, frozen.version) == (1, "chat-v0")
    assert (followed.version, followed.range) == ("chat-v1", SeqRange(first=71, last=120))


def test_a_candidate_that_forgets_is_rejected_and_stays_a_candidate(world: World) -> None:
    world.scorer.on_old = {1: 3.4}
    world.finish_run()

    world.turn()

    assert world.live == 0
    assert [report.verdict for report in world.reports(1)] == [GateVerdict.REJECT]
    assert world.stage.read_pending_work() is None


def test_the_gate_judges_each_candidate_once(world: World) -> None:
    world.scorer.on_old = {1: 3.4}
    world.finish_run()

    world.turn(9)

    assert len(world.reports(1)) == 1


def test_without_automatic_release_a_winner_waits_for_the_operator(tmp_path: Path) -> None:
    world = World(tmp_path, automatic=False)
    world.finish_run()
    world.turn()
    assert (world.live, world.reports(1)[0].verdict) == (0, GateVerdict.PROMOTE)

    history = world.store.history(LINE)
    entry = promote(history, VersionName(LINE, 1), gate=world.reports(1)[0], reason="seen", by=ADA, now=NOW)
    world.store.append(entry, expected=1)
    world.turn(1)

    assert world.target.served[-1] == VersionName(LINE, 1)


def test_an_operators_rollback_brings_the_earlier_reference_back(world: World) -> None:
    world.finish_run()
    world.turn()
    history = world.store.history(LINE)
    world.store.append(roll_back(history, to=None, reason="bad", by=ADA, now=NOW), expected=history.position)

    world.turn(1)

    reference = world.references.newest()
    assert reference is not None
    assert (world.target.served[-1], reference.version) == (VersionName(LINE, 0), "chat-v0")
    assert reference.range == SeqRange(first=1, last=50)


def test_a_version_that_was_taken_back_is_no_candidate_again(world: World) -> None:
    world.finish_run()
    world.turn()
    history = world.store.history(LINE)
    world.store.append(roll_back(history, to=None, reason="bad", by=ADA, now=NOW), expected=history.position)

    world.turn(5)

    assert world.live == 0


def test_what_was_scored_is_not_scored_again(world: World) -> None:
    world.finish_run()
    world.turn()
    world.finish_run(2)
    world.turn()

    live_again = [count for name, count in world.scorer.scored if name == "chat-v1"]
    assert live_again == [TEXTS, 0]


def test_scoring_that_fails_replaces_the_scorer_and_is_tried_again(world: World) -> None:
    world.scorer.error = ChildDied("killed")
    world.finish_run()

    world.turn(5)

    assert world.scorer.replaced == 1
    assert world.live == 1


def test_both_versions_answer_before_a_candidate_goes_live(tmp_path: Path) -> None:
    world = World(tmp_path, answers=10)
    world.finish_run()

    world.turn(8)

    assert world.live == 1
    assert {one.prompts for one in world.reports(1)[0].checks} == {10}
    pairs = world.stores.gate_answers.of("chat-v1")
    assert {(pair.live, pair.candidate) for pair in pairs} == {("This is chat-v0.", "This is chat-v1.")}


def test_a_scorer_that_dies_while_it_answers_is_replaced_and_nothing_is_scored_twice(tmp_path: Path) -> None:
    world = World(tmp_path, answers=10)
    world.scorer.answers_error = ChildDied("killed")
    world.finish_run()

    world.turn(12)

    assert (world.scorer.replaced, world.live) == (1, 1)
    assert [count for _, count in world.scorer.scored] == [TEXTS, TEXTS, 0, 0]


def test_a_candidate_that_can_never_be_scored_is_rejected(world: World) -> None:
    world.scorer.error = BadAdapter("weights are not finite")
    world.finish_run()

    world.turn()

    assert world.live == 0
    assert world.scorer.replaced == 0
    assert [(report.verdict, "not finite" in report.reason) for report in world.reports(1)] == [
        (GateVerdict.REJECT, True)
    ]


def test_nothing_is_compared_while_the_scorer_is_down(world: World) -> None:
    world.scorer.ready = False
    world.finish_run()

    world.turn()

    assert world.scorer.scored == []
    assert world.stage.read_pending_work() == "the gate on chat-v1"


def a_report(
    *, look: int = 1, verdict: GateVerdict = GateVerdict.INCONCLUSIVE, needed: int = 10
) -> GateReport:
    found = SliceReport(
        name=NEW, role="target", conversations=30, clusters=30, live_loss=3, candidate_loss=3, difference=0, lower=-1,
        upper=1, verdict=verdict, needed=needed, reason="",
    )  # fmt: skip
    return GateReport(verdict=verdict, reason="", alpha=0.05, look=look, slices=(found,))


@pytest.mark.parametrize(
    ("report", "there_are", "again"),
    [
        (a_report(), 40, True),
        (a_report(), 39, False),
        (a_report(look=3), 999, False),
        (a_report(verdict=GateVerdict.REJECT), 999, False),
    ],
)
def test_an_undecided_gate_looks_again_when_it_has_what_it_asked_for(
    report: GateReport, there_are: int, again: bool
) -> None:
    assert worth_another_look(report, {NEW: there_are}, max_looks=3, limit=1_000) is again


@pytest.mark.parametrize(
    ("report", "waits"),
    [
        (a_report(needed=10), True),
        (a_report(needed=80), False),  # more than a slice may have
        (a_report(look=3), False),
        (a_report(verdict=GateVerdict.PROMOTE), False),
    ],
)
def test_an_undecided_gate_is_waited_for_only_where_data_can_decide_it(
    report: GateReport, waits: bool
) -> None:
    assert waits_for_data(report, max_looks=3, limit=100) is waits


def test_a_target_that_can_not_be_switched_now_is_tried_again(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.target.down = True
    world.finish_run()
    world.turn(6)
    reference = world.references.newest()
    assert reference is not None
    assert (world.live, reference.version) == (1, "chat-v0")
    assert caplog.text.count("switching the target fails and is tried again: no route") == 1

    world.target.down = False
    world.turn(1)

    assert world.target.served[-1] == VersionName(LINE, 1)


def test_a_pass_that_was_written_before_a_crash_is_acted_on_after_it(tmp_path: Path) -> None:
    world = World(tmp_path, automatic=False)  # stands for a daemon that died between report and promotion
    world.finish_run()
    world.turn()
    assert world.live == 0

    automatic = world.settings.model_copy(update={"release": ReleaseSection(automatic=True)})
    world.stage = world.start(automatic)
    world.turn(2)

    assert world.live == 1


def test_a_candidate_that_always_kills_the_scorer_is_rejected_in_the_end(world: World) -> None:
    world.scorer.always = ChildDied("killed")
    world.finish_run()

    world.turn(20)

    assert [report.verdict for report in world.reports(1)] == [GateVerdict.REJECT]
    assert world.scorer.replaced == 4


def test_words_that_may_have_been_learned_by_heart_are_not_judged_on(world: World) -> None:
    intake = IntakeLedger(world.engine, window_size=20)
    twins = [
        a_conversation(120, text="faq"),
        a_conversation(121, text="FAQ ", held_out=True),
        a_conversation(122, text="new", held_out=True),
    ]
    intake.record(a_batch(twins))

    found = world.held_out.slices(121)[NEW]

    assert [conversation.conversation_id for conversation in found] == ["c122"]
    assert world.held_out.sizes(121)[NEW] == 1


def test_conversations_without_a_reply_to_score_do_not_count_as_evidence(world: World) -> None:
    before = world.held_out.sizes(61)[NEW]
    conversation = world.held_out.slices(61)[NEW][0]

    world.stores.lesson_scores.add("chat-v0", {conversation.texts[LessonPart.LESSON]: (0.0, 0)})

    assert world.held_out.sizes(61)[NEW] == before - 1
    assert conversation not in world.held_out.slices(61)[NEW]


def test_a_candidate_that_learned_from_what_was_forgotten_is_not_promoted_by_itself(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.finish_run()
    world.erasures.erased = frozenset({world.store.version(VersionName(LINE, 1)).run or ""})

    world.turn()

    assert world.store.gate_reports(VersionName(LINE, 1))[-1].verdict is GateVerdict.PROMOTE
    assert world.live == 0


def test_a_target_that_a_leader_overtaken_meanwhile_has_written_is_mended(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.target.pointer = VersionName(LINE, 7)

    world.stage.step()

    assert world.target.pointer == VersionName(LINE, 0)
