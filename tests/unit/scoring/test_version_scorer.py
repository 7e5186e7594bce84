from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.domain.conversation import Message
from daemon.domain.records import Coordinates, PastMessage, StoredConversation
from daemon.scoring.prompts import prompt_of
from daemon.scoring.version_scorer import ArtifactUnreachable, ChildVersionScorer
from daemon.telemetry.metrics import Metrics
from learners.errors import BadAdapter, UnknownAdapter
from learners.types import Answer, Conversation, Score, ScorerStats, Surprisals
from learners.types import Message as Turn
from registry.artifacts import FsspecArtifactStore
from registry.manifest import AlteredFile
from registry.types import Version
from tests.factories.ledger import NOW
from tests.factories.registry import a_version


class FakeScorer:
    """Remembers its calls; refuses adapters that were not loaded."""

    def __init__(self) -> None:
        self.alive = True
        self.pid: int | None = 4242
        self.loaded: list[str] = []
        self.refuses: Exception | None = None
        self.scored: list[Conversation] = []
        self.limits: tuple[int, float | None] | None = None  # of the newest answers: tokens, seconds

    @property
    def calls(self) -> "FakeScorer":
        return self

    def load(self, name: str, path: Path) -> Future[None]:
        future: Future[None] = Future()
        if self.refuses is not None:
            future.set_exception(self.refuses)
        else:
            self.loaded.append(name)
            future.set_result(None)
        return future

    def unload(self, name: str) -> Future[None]:
        self.loaded.remove(name)
        future: Future[None] = Future()
        future.set_result(None)
        return future

    def score(
        self, adapter: str | None, conversations: Sequence[Conversation], *, on_progress: object = None
    ) -> Future[list[Score]]:
        self.scored += conversations
        future: Future[list[Score]] = Future()
        if adapter is not None and adapter not in self.loaded:
            future.set_exception(UnknownAdapter(adapter))
        else:
            future.set_result(
                [Score(id=conversation.id, nll=1.0, tokens=1) for conversation in conversations]
            )
        return future

    def surprisals(
        self, adapter: str | None, conversations: Sequence[Conversation]
    ) -> Future[list[Surprisals]]:
        future: Future[list[Surprisals]] = Future()
        if adapter is not None and adapter not in self.loaded:
            future.set_exception(UnknownAdapter(adapter))
        else:
            future.set_result(
                [Surprisals(id=conversation.id, tokens=(7,), nats=(1.0,)) for conversation in conversations]
            )
        return future

    def answers(
        self,
        adapter: str | None,
        conversations: Sequence[Conversation],
        *,
        max_new_tokens: int,
        seconds: float | None = None,
        on_progress: object = None,
    ) -> Future[list[Answer]]:
        future: Future[list[Answer]] = Future()
        if adapter is not None and adapter not in self.loaded:
            future.set_exception(UnknownAdapter(adapter))
            return future
        self.limits = (max_new_tokens, seconds)
        future.set_result(
            [
                Answer(
                    id=prompt.id, text=f"after {prompt.messages[-1].content}", raw="", ended=True, tokens=2
                )
                for prompt in conversations
            ]
        )
        return future

    def generate(
        self, adapter: str | None, messages: Sequence[Turn], *, max_new_tokens: int = 128
    ) -> Future[str]:
        raise AssertionError("not asked for here")

    def stats(self) -> Future[ScorerStats]:
        raise AssertionError("not asked for here")

    def stop(self, timeout_s: float) -> None:
        self.alive = False
        self.pid = None


class FakeArtifacts(FsspecArtifactStore):
    """Has every artifact, unless told otherwise."""

    def __init__(self) -> None:
        super().__init__("memory://artifacts", cache=Path("/nowhere"))
        self.error: Exception | None = None

    def fetch(self, url: str, digest: str) -> Path:
        if self.error is not None:
            raise self.error
        return Path("/artifacts") / digest


class World:
    def __init__(self) -> None:
        self.now = NOW
        self.scorers: list[FakeScorer] = []
        self.artifacts = FakeArtifacts()
        self.loaded = ChildVersionScorer(
            self.launch, self.artifacts, histories=list, keep=2, metrics=Metrics(), clock=lambda: self.now
        )
        self.loaded.start()

    def launch(self) -> FakeScorer:
        self.scorers.append(FakeScorer())
        return self.scorers[-1]

    def score(self, number: int) -> Future[list[Score]]:
        return self.loaded.score(version(number), [TALK])


def version(number: int) -> Version:
    return a_version(number)


TALK = StoredConversation(
    seq=7, conversation_id="c7", coordinates=Coordinates(topic="t", partition=0, offset=7), at=NOW, group="g",
    held_out=True, version=None, messages=(Message(role="user", content="你好"),), feedback=None, text_digest="",
    record_sha256="",
    conversation_hash="h",
)  # fmt: skip


@pytest.fixture
def world() -> World:
    return World()


def test_the_base_needs_no_loading_and_conversations_go_by_their_seq(world: World) -> None:
    assert [score.id for score in world.score(0).result()] == ["7"]
    assert world.scorers[0].loaded == []


def test_only_new_answers_are_scored_after_their_history(world: World) -> None:
    before = (Message(role="user", content="Hi"), Message(role="assistant", content="Hello"))
    grown = replace(TALK, history=tuple(PastMessage(message, 1, at) for at, message in enumerate(before)))

    world.loaded.score(version(0), [grown]).result()

    [scored] = world.scorers[-1].scored
    assert [(turn.content, turn.learned) for turn in scored.messages[:2]] == [("Hi", False), ("Hello", False)]
    assert all(turn.learned for turn in scored.messages[2:])


def test_a_version_is_loaded_once_and_the_least_recently_used_makes_room(world: World) -> None:
    for number in (1, 2, 1, 3):
        world.score(number).result()

    assert [name.rpartition("-")[2] for name in world.scorers[0].loaded] == ["v1", "v3"]


def test_tokens_are_looked_at_under_a_loaded_version_too(world: World) -> None:
    found = world.loaded.surprisals(version(1), [TALK]).result()

    assert [each.id for each in found] == ["7"]
    assert world.scorers[0].loaded == [str(version(1).name)]


def test_ready_conversations_are_scored_under_their_ids_without_history(world: World) -> None:
    lesson = Conversation(id="7/1", messages=(Turn(role="user", content="Hi"),))

    found = world.loaded.score_conversations(version(1), [lesson]).result()

    assert [score.id for score in found] == ["7/1"]
    assert world.scorers[0].scored == [lesson]
    assert world.scorers[0].loaded == [str(version(1).name)]


def test_a_version_answers_prompts_within_limits(world: World) -> None:
    prompt = Conversation(id="p", messages=(Turn(role="user", content="Hi"),))

    [answer] = world.loaded.answers(version(1), [prompt], max_new_tokens=9, seconds=2.5).result()

    assert (answer.id, answer.text) == ("p", "after Hi")
    assert world.scorers[0].limits == (9, 2.5)
    assert world.scorers[0].loaded == [str(version(1).name)]


def test_the_prompt_of_an_answer_is_all_that_came_before_it() -> None:
    past = (PastMessage(Message(role="system", content="Be kind."), 1, 0),)
    turns = (
        Message(role="user", content="Hi"),
        Message(role="assistant", content="Hello", cut_off=True),
        Message(role="user", content="And you?"),
        Message(role="assistant", content="Fine"),
    )
    grown = replace(TALK, history=past, messages=turns, tools=({"name": "f"},), documents=({"text": "d"},))

    assert [turn.content for turn in prompt_of(grown, 1).messages] == ["Be kind.", "Hi"]
    prompt = prompt_of(grown, 3)
    assert [turn.content for turn in prompt.messages] == ["Be kind.", "Hi", "Hello", "And you?"]
    assert (prompt.id, prompt.tools, prompt.documents) == ("7", ({"name": "f"},), ({"text": "d"},))


def test_a_damaged_artifact_is_a_permanent_failure(world: World) -> None:
    world.artifacts.error = AlteredFile("adapter_model.safetensors differs from its manifest")

    error = world.score(1).exception()

    assert isinstance(error, BadAdapter)
    assert error.permanent


def test_a_store_that_does_not_answer_is_a_passing_failure(world: World) -> None:
    world.artifacts.error = TimeoutError("no route")

    error = world.score(1).exception()

    assert isinstance(error, ArtifactUnreachable)
    assert not error.permanent


def test_a_failed_load_is_told_with_its_own_reason_and_tried_again(world: World) -> None:
    world.scorers[0].refuses = BadAdapter("weights are not finite")
    assert str(world.score(1).exception()) == "weights are not finite"

    world.scorers[0].refuses = None
    assert world.score(1).exception() is None


def test_a_dead_scorer_is_replaced_after_a_pause_and_starts_empty(world: World) -> None:
    world.score(1).result()
    world.scorers[0].alive = False

    world.loaded.step()
    assert not world.loaded.ready
    world.now += timedelta(seconds=11)
    world.loaded.step()

    assert world.loaded.ready
    assert world.scorers[1].loaded == []
    assert world.score(1).exception() is None


def test_a_scorer_that_was_not_started_is_not_ready_and_closes() -> None:
    launched: list[FakeScorer] = []

    def launch() -> FakeScorer:
        launched.append(FakeScorer())
        return launched[-1]

    scorer = ChildVersionScorer(
        launch, FakeArtifacts(), histories=list, keep=2, metrics=Metrics(), clock=lambda: NOW
    )
    scorer.step()
    scorer.close(1)

    assert (scorer.ready, scorer.pid, launched) == (False, None, [])
