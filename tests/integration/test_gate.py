"""The gate with real versions of the tiny model: good candidates pass, sabotaged ones are rejected for what is wrong."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from daemon.config.settings import GateSection
from daemon.ledger.gate_answers import GateAnswerLedger
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.lesson_scores import LessonScoreLedger
from daemon.release.answers.checks import Check
from daemon.release.gate_comparison import GateComparison, GateServices, Look
from daemon.release.gate_slices import PREFERRED
from daemon.release.held_out import NEW, OLD
from daemon.release.held_out_lessons import HeldOutLesson
from daemon.scoring.version_scorer import ChildVersionScorer
from daemon.telemetry.metrics import Metrics
from learners.scoring.process import scorer_process
from learners.training.methods import METHODS
from registry.artifacts import FsspecArtifactStore
from registry.types import GateReport, GateVerdict, Version
from tests.factories.gate import a_lesson, a_version, assistant, user
from tests.factories.learners import QUESTIONS, a_conversation, a_request, quick_settings
from tests.factories.ledger import a_batch, a_ledger, some_conversations
from tests.support.devices import DEVICE
from tests.support.tiny_model import make_tiny_model

#: What users disliked: the answer to another question.
DISLIKED = [(question, QUESTIONS[place - 1][1]) for place, (question, _) in enumerate(QUESTIONS)]
SECONDS = 120


class Folders(FsspecArtifactStore):
    """Artifacts that lie in folders of the test."""

    def fetch(self, url: str, digest: str) -> Path:
        return Path(url)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def scorer(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChildVersionScorer]:
    folder = tmp_path_factory.mktemp("artifacts")
    process = scorer_process(base, device=DEVICE, threads=1, dtype="float32")
    process.start()
    scorer = ChildVersionScorer(
        lambda: process,
        Folders(folder.as_uri(), cache=folder / "cache"),
        histories=list,
        keep=9,
        metrics=Metrics(),
        clock=lambda: datetime.now(UTC),
    )
    scorer.start()
    yield scorer
    scorer.close(5)


@pytest.fixture(scope="module")
def train(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Version]:
    """Return a version that learned answers for so many epochs."""

    def train(number: int, answers: Sequence[tuple[str, str]], *, epochs: float) -> Version:
        folder = tmp_path_factory.mktemp(f"v{number}")
        lessons = [a_conversation(f"c{place}", *answers[place % len(answers)]) for place in range(20)]
        request = a_request(folder, base, conversations=lessons, settings=quick_settings(epochs=epochs))
        artifact = METHODS["lora"](request, lambda _: None, lambda: False).artifact
        return replace(a_version(number), artifact=str(artifact))

    return train


@pytest.fixture(scope="module")
def live(train: Callable[..., Version]) -> Version:
    return train(1, QUESTIONS, epochs=6)


@pytest.fixture
def gate(scorer: ChildVersionScorer, live: Version, tmp_path: Path) -> Callable[[Version], GateReport]:
    """Return what the gate says of a candidate, on held-out corrections of the disliked answers."""
    engine = a_ledger(tmp_path)
    IntakeLedger(engine, window_size=200).record(a_batch(some_conversations(0, 60)))
    services = GateServices(
        scorer=scorer,
        lesson_scores=LessonScoreLedger(engine),
        gate_answers=GateAnswerLedger(engine),
        judge=None,
        redact=str,
        clock=time.monotonic,
    )

    def judge(candidate: Version) -> GateReport:
        look = Look(
            number=1,
            candidate=candidate,
            live=live,
            lessons={
                NEW: [_corrected(seq) for seq in range(31, 61)],
                OLD: [_given(seq) for seq in range(1, 31)],
            },
            own_prompts=False,
            seed=0,
        )
        comparison = GateComparison(look, GateSection(answer_tokens=24, answer_seconds=60), services)
        comparison.start()
        until = time.monotonic() + SECONDS
        while not comparison.done():
            assert time.monotonic() < until
            comparison.step()
            time.sleep(0.01)
        return comparison.conclude()

    return judge


def _corrected(seq: int) -> HeldOutLesson:
    question, disliked = DISLIKED[seq % len(DISLIKED)]
    good = QUESTIONS[seq % len(QUESTIONS)][1]
    return a_lesson(
        seq, user(question), assistant(disliked), version="chat-v1", feedback=-1.0, correction=good
    )


def _given(seq: int) -> HeldOutLesson:
    question, good = QUESTIONS[seq % len(QUESTIONS)]
    return a_lesson(seq, user(question), assistant(good))


def test_a_candidate_that_learned_the_corrections_passes(
    gate: Callable[[Version], GateReport], train: Callable[..., Version]
) -> None:
    report = gate(train(2, QUESTIONS, epochs=30))

    assert report.verdict is GateVerdict.PROMOTE, report.reason
    assert {one.prompts for one in report.checks if one.name == Check.ENDS} == {40}
    assert all(one.candidate >= one.live for one in report.figures)


def test_a_candidate_that_learned_the_disliked_answers_is_rejected(
    gate: Callable[[Version], GateReport], train: Callable[..., Version]
) -> None:
    report = gate(train(3, DISLIKED, epochs=30))

    assert report.verdict is GateVerdict.REJECT
    assert NEW in report.reason
    assert PREFERRED in report.reason


def test_a_candidate_that_does_not_end_its_answers_is_rejected(
    gate: Callable[[Version], GateReport], train: Callable[..., Version]
) -> None:
    endless = [(question, f"{good} " * 6) for question, good in QUESTIONS]

    report = gate(train(4, endless, epochs=30))

    assert report.verdict is GateVerdict.REJECT
    assert Check.ENDS in report.reason


def test_a_candidate_that_learned_replies_to_other_questions_is_rejected(
    gate: Callable[[Version], GateReport], train: Callable[..., Version]
) -> None:
    shuffled = [(question, QUESTIONS[(place + 2) % 5][1]) for place, (question, _) in enumerate(QUESTIONS)]

    report = gate(train(5, shuffled, epochs=30))

    assert report.verdict is GateVerdict.REJECT
    assert NEW in report.reason
