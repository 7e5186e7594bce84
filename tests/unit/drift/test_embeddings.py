from collections.abc import Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from daemon.config.settings import EmbeddingSection, MonitorsSection
from daemon.drift.embeddings import Embeddings
from daemon.drift.monitor_settings import aspects
from daemon.telemetry.metrics import Metrics
from learners.errors import ChildDied, ChildTrouble
from monitors.types import PLAIN_ASPECTS, Aspect
from tests.factories.daemon import line_settings
from tests.factories.ledger import NOW

TEXTS = {7: "seven", 9: "nine"}


class FakeEmbedder:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.alive = True
        self.pid: int | None = 42
        self.asked: list[tuple[list[str], Future[list[bytes]]]] = []

    @property
    def calls(self) -> "FakeEmbedder":
        return self

    def embed(self, texts: Sequence[str]) -> Future[list[bytes]]:
        future: Future[list[bytes]] = Future()
        if self.alive:
            self.asked.append((list(texts), future))
        else:
            future.set_exception(ChildDied("dead"))
        return future

    def answer(self) -> None:
        """Answer all calls: a text's vector is its first letter."""
        for texts, future in self.asked:
            future.set_result([text[:1].encode() for text in texts])
        self.asked = []

    def stop(self, timeout_s: float) -> None:
        self.alive = False
        for _, future in self.asked:
            future.set_exception(ChildDied("stopped"))
        self.asked = []


class Bench:
    """Embeddings whose child and clock are in the test's hands."""

    def __init__(self) -> None:
        self.now: datetime = NOW
        self.children: list[FakeEmbedder] = []
        self.metrics = Metrics()
        self.embeddings = Embeddings(self.launch, metrics=self.metrics, clock=lambda: self.now)
        self.embeddings.start()

    def launch(self) -> FakeEmbedder:
        self.children.append(FakeEmbedder())
        return self.children[-1]

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @property
    def child(self) -> FakeEmbedder:
        return self.children[-1]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_vectors_come_when_they_are_made_and_nobody_waits(bench: Bench) -> None:
    assert bench.embeddings.of(TEXTS) is None
    assert bench.embeddings.of(TEXTS) is None
    bench.child.answer()

    assert bench.embeddings.of(TEXTS) == {7: b"s", 9: b"n"}
    assert bench.embeddings.answers


def test_nothing_is_launched_before_start() -> None:
    launched: list[FakeEmbedder] = []

    def launch() -> FakeEmbedder:
        launched.append(FakeEmbedder())
        return launched[-1]

    embeddings = Embeddings(launch, metrics=Metrics(), clock=lambda: NOW)
    embeddings.close(1)

    assert (embeddings.pid, embeddings.answers, launched) == (None, False, [])


def test_many_texts_are_asked_for_in_batches_once(bench: Bench) -> None:
    texts = {number: str(number) for number in range(100)}
    bench.embeddings.of(texts)
    bench.embeddings.of(texts)

    assert [len(asked) for asked, _ in bench.child.asked] == [0, 32, 32, 32, 4]


def test_a_child_that_dies_is_started_again_after_a_pause_and_asked_again(bench: Bench) -> None:
    bench.embeddings.of(TEXTS)
    bench.child.stop(0)

    assert bench.embeddings.of(TEXTS) is None
    bench.later(9)
    assert bench.embeddings.of(TEXTS) is None
    assert len(bench.children) == 1
    bench.later(2)
    assert bench.embeddings.of(TEXTS) is None
    bench.child.answer()

    assert len(bench.children) == 2
    assert bench.embeddings.of(TEXTS) == {7: b"s", 9: b"n"}
    assert b'retuned_child_restarts_total{child="embedder"} 1.0' in bench.metrics.exposition("")[1]


def test_a_child_that_fails_is_replaced(bench: Bench) -> None:
    bench.embeddings.of(TEXTS)
    bench.child.asked.pop()[1].set_exception(ChildTrouble("out of memory"))

    assert bench.embeddings.of(TEXTS) is None

    assert not bench.child.alive


def test_without_an_answer_texts_go_on_without_vectors_and_so_do_the_next_until_it_answers(
    bench: Bench,
) -> None:
    assert bench.embeddings.of(TEXTS) is None
    bench.later(119)
    assert bench.embeddings.of(TEXTS) is None
    bench.later(2)

    assert bench.embeddings.of(TEXTS) == {}
    assert bench.embeddings.of({11: "eleven"}) == {}
    bench.later(11)
    assert bench.embeddings.of({12: "twelve"}) == {}
    bench.child.answer()
    assert bench.embeddings.of({13: "thirteen"}) is None
    bench.child.answer()
    assert bench.embeddings.of({13: "thirteen"}) == {13: b"t"}


def test_one_that_is_slow_but_answers_is_waited_for(bench: Bench) -> None:
    texts = {number: str(number) for number in range(96)}
    bench.embeddings.of(texts)
    for _, call in bench.child.asked[1:]:
        bench.later(100)
        assert bench.embeddings.of(texts) is None
        call.set_result([b"v"] * 32)

    assert bench.embeddings.of(texts) == dict.fromkeys(texts, b"v")


def test_pauses_grow_while_it_never_answers(bench: Bench) -> None:
    for _ in range(6):
        bench.child.stop(0)
        bench.embeddings.of(TEXTS)
        started = len(bench.children)
        while len(bench.children) == started:
            bench.later(5)
            bench.embeddings.of(TEXTS)

    assert bench.now - NOW >= timedelta(seconds=10 + 20 + 40 + 80 + 160 + 320)


@pytest.mark.parametrize(
    ("section", "more"),
    [
        (MonitorsSection(), ()),
        (MonitorsSection(label_fields=("intent",)), (Aspect.LABEL,)),
        (MonitorsSection(embedding=EmbeddingSection(model="encoder")), (Aspect.EMBEDDING,)),
    ],
)
def test_what_nobody_configured_takes_no_part(
    tmp_path: Path, section: MonitorsSection, more: tuple[Aspect, ...]
) -> None:
    settings = line_settings(tmp_path).model_copy(update={"monitors": section})

    assert aspects(settings) == (*PLAIN_ASPECTS, *more)
