"""The scorer in its child process, on the tiny model."""

import math
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from learners.children.rpc_client import RpcClient
from learners.errors import BadAdapter, BadRequest, ChildDied, NameTaken, UnknownAdapter, UnusableModel
from learners.scoring.process import Scorer, scorer_process
from learners.training.methods import METHODS
from learners.types import Message
from tests.factories.learners import QUESTIONS, a_conversation, a_request, quick_settings, some_conversations
from tests.support.devices import DEVICE
from tests.support.orphans import ends_with_its_parent
from tests.support.tiny_model import make_tiny_model

SECONDS = 60


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def adapters(base: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two adapters that learnt for different times."""
    folder = tmp_path_factory.mktemp("adapters")
    return [
        METHODS["lora"](
            a_request(folder / str(epochs), base, settings=quick_settings(epochs=epochs)),
            lambda _: None,
            lambda: False,
        ).artifact
        for epochs in (2.0, 20.0)
    ]


@pytest.fixture(scope="module")
def process(base: Path) -> Iterator[RpcClient[Scorer]]:
    process = scorer_process(base, device=DEVICE, threads=1, dtype="float32")
    process.start()
    yield process
    process.stop(5)


@pytest.fixture(scope="module")
def scorer(process: RpcClient[Scorer]) -> Scorer:
    return process.calls


def test_a_trained_adapter_scores_better_than_its_base(scorer: Scorer, adapters: list[Path]) -> None:
    scorer.load("trained", adapters[1])

    before = scorer.score(None, some_conversations(5)).result(SECONDS)
    after = scorer.score("trained", some_conversations(5)).result(SECONDS)

    assert all(a.loss < b.loss / 2 for a, b in zip(after, before, strict=True))


def test_without_an_adapter_the_base_is_untouched_by_those_that_are_loaded(
    base: Path, scorer: Scorer, adapters: list[Path]
) -> None:
    scorer.load("first", adapters[0]).result(SECONDS)
    scorer.load("second", adapters[1]).result(SECONDS)
    scorer.score("second", some_conversations()).result(SECONDS)
    fresh = scorer_process(base, device=DEVICE, threads=1, dtype="float32")
    fresh.start()
    try:
        untouched = fresh.calls.score(None, some_conversations()).result(SECONDS)
    finally:
        fresh.stop(5)

    assert scorer.score(None, some_conversations()).result(SECONDS) == untouched


def test_each_adapter_is_itself_whatever_was_used_before(scorer: Scorer, adapters: list[Path]) -> None:
    scorer.load("short", adapters[0])
    scorer.load("long", adapters[1])
    conversations = some_conversations(5)
    first = scorer.score("short", conversations).result(SECONDS)
    scorer.score("long", conversations)
    scorer.score(None, conversations)

    assert scorer.score("short", conversations).result(SECONDS) == first


def test_scores_come_in_the_order_of_the_conversations(scorer: Scorer) -> None:
    conversations = [a_conversation(f"n{n}", "Hello?", "word " * n) for n in (30, 1, 200, 7)]

    scores = scorer.score(None, conversations).result(SECONDS)

    assert [score.id for score in scores] == ["n30", "n1", "n200", "n7"]
    assert scores[2].tokens > scores[0].tokens > scores[3].tokens > scores[1].tokens > 0


def test_a_conversation_without_an_answer_has_nothing_to_score(scorer: Scorer) -> None:
    (score,) = scorer.score(None, [a_conversation("lonely", "Is anybody there?")]).result(SECONDS)

    assert score.tokens == 0
    assert math.isnan(score.loss)


def test_surprisals_add_up_to_the_scores_and_name_their_tokens(scorer: Scorer, adapters: list[Path]) -> None:
    scorer.load("trained", adapters[1])
    conversations = [*some_conversations(5), a_conversation("lonely", "Is anybody there?")]

    for adapter in (None, "trained"):
        scores = scorer.score(adapter, conversations).result(SECONDS)
        found = scorer.surprisals(adapter, conversations).result(SECONDS)

        assert [each.id for each in found] == [score.id for score in scores]
        assert [len(each.tokens) for each in found] == [score.tokens for score in scores]
        assert [sum(each.nats) for each in found] == pytest.approx([score.nll for score in scores])
        assert found[-1].nats == ()


def test_progress_is_told_while_scoring(scorer: Scorer) -> None:
    heard: list[tuple[int, int]] = []

    scorer.score(None, some_conversations(60), on_progress=lambda done, of: heard.append((done, of))).result(
        SECONDS
    )

    assert len(heard) > 1
    assert heard == sorted(heard)
    assert heard[-1] == (60, 60)


def test_what_was_memorised_is_answered(scorer: Scorer, adapters: list[Path]) -> None:
    scorer.load("memory", adapters[1])
    question = [Message(role="user", content="法国的首都是哪里？")]

    assert scorer.generate("memory", question).result(SECONDS) == "法国的首都是巴黎。"


def test_answers_come_in_order_with_their_progress(scorer: Scorer, adapters: list[Path]) -> None:
    scorer.load("memory", adapters[1])
    heard: list[tuple[int, int]] = []
    prompts = [a_conversation(f"p{n}", question) for n, (question, _) in enumerate(QUESTIONS)]

    found = scorer.answers(
        "memory", prompts, max_new_tokens=40, on_progress=lambda done, of: heard.append((done, of))
    ).result(SECONDS)

    assert [(answer.id, answer.text) for answer in found] == [
        (f"p{n}", answer) for n, (_, answer) in enumerate(QUESTIONS)
    ]
    assert all(answer.ended and answer.raw == answer.text for answer in found)
    assert heard == [(5, 5)]


def test_what_is_not_reached_in_time_is_left_out(scorer: Scorer) -> None:
    prompts = [a_conversation("p", "Hi")]

    assert scorer.answers(None, prompts, max_new_tokens=40, seconds=0).result(SECONDS) == []


def test_the_same_question_gets_the_same_answer(scorer: Scorer) -> None:
    question = [Message(role="user", content="How are you?")]

    answers = {scorer.generate(None, question, max_new_tokens=20).result(SECONDS) for _ in range(2)}

    assert len(answers) == 1


def test_an_answer_that_does_not_fit_is_refused(scorer: Scorer) -> None:
    with pytest.raises(BadRequest, match="don't fit"):
        scorer.generate(None, [Message(role="user", content="Hi")], max_new_tokens=10_000).result(SECONDS)


def test_another_adapter_under_an_old_name_is_refused_even_after_unloading(
    scorer: Scorer, adapters: list[Path]
) -> None:
    scorer.load("mine", adapters[0]).result(SECONDS)
    scorer.unload("mine").result(SECONDS)

    with pytest.raises(NameTaken):
        scorer.load("mine", adapters[1]).result(SECONDS)


def test_an_adapter_can_be_unloaded_and_loaded_again(scorer: Scorer, adapters: list[Path]) -> None:
    scorer.load("again", adapters[0])
    before = scorer.score("again", some_conversations(5)).result(SECONDS)
    scorer.unload("again").result(SECONDS)
    assert "again" not in scorer.stats().result(SECONDS).adapters
    scorer.load("again", adapters[0])

    assert scorer.score("again", some_conversations(5)).result(SECONDS) == before


def test_the_last_adapter_can_be_unloaded(base: Path, adapters: list[Path]) -> None:
    process = scorer_process(base, device=DEVICE, threads=1, dtype="float32")
    process.start()
    try:
        conversations = some_conversations(5)
        before = process.calls.score(None, conversations).result(SECONDS)
        process.calls.load("only", adapters[0])
        process.calls.unload("only").result(SECONDS)

        assert process.calls.stats().result(SECONDS).adapters == ()
        assert process.calls.score(None, conversations).result(SECONDS) == before
    finally:
        process.stop(5)


def test_an_adapter_that_is_not_loaded_is_refused_and_the_process_goes_on(
    process: RpcClient[Scorer], scorer: Scorer
) -> None:
    with pytest.raises(UnknownAdapter):
        scorer.score("nobody", some_conversations(1)).result(SECONDS)

    assert process.alive


def test_a_damaged_adapter_is_refused_and_the_process_goes_on(scorer: Scorer, tmp_path: Path) -> None:
    with pytest.raises(BadAdapter):
        scorer.load("damaged", tmp_path).result(SECONDS)

    assert scorer.score(None, some_conversations(1)).result(SECONDS)


def test_its_memory_is_known(scorer: Scorer) -> None:
    assert scorer.stats().result(SECONDS).rss_bytes > 100_000_000


def test_a_killed_scorer_fails_all_calls_that_wait_and_that_come(base: Path) -> None:
    process = scorer_process(base, device=DEVICE, threads=1)
    process.start()
    waiting = [process.calls.score(None, some_conversations(50)) for _ in range(20)]
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)

    for future in waiting:
        with pytest.raises(ChildDied, match="signal 9"):
            future.result(SECONDS)
    with pytest.raises(ChildDied):
        process.calls.stats().result(SECONDS)
    assert not process.alive
    assert process.pid is None
    process.stop(1)


def test_a_scorer_ends_with_a_parent_that_is_killed_whatever_it_does(base: Path) -> None:
    code = """if True:
        import sys, time
        from pathlib import Path
        from learners.scoring.process import scorer_process

        scorer = scorer_process(Path(sys.argv[1]), device="cpu", threads=1)
        scorer.start()
        scorer.calls.stats().result(60)
        print(scorer.pid, flush=True)
        time.sleep(60)
        """
    assert ends_with_its_parent(code, str(base))


def test_a_base_that_cannot_be_loaded_is_named_in_every_call(tmp_path: Path) -> None:
    process = scorer_process(tmp_path)
    process.start()

    with pytest.raises(UnusableModel, match=tmp_path.name):
        process.calls.stats().result(SECONDS)
    process.stop(1)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_listener_that_fails_fails_the_calls_instead_of_leaving_them_waiting(base: Path) -> None:
    def fail(done: int, of: int) -> None:
        raise ZeroDivisionError

    process = scorer_process(base, device=DEVICE, threads=1)
    process.start()
    try:
        with pytest.raises(ChildDied):
            process.calls.score(None, some_conversations(5), on_progress=fail).result(SECONDS)
    finally:
        process.stop(1)


def test_weights_that_are_none_are_named(tmp_path: Path) -> None:
    folder = make_tiny_model(tmp_path / "spoilt")
    (folder / "model.safetensors").write_bytes(b"no weights at all")
    process = scorer_process(folder, device=DEVICE, threads=1, dtype="float32")
    process.start()

    with pytest.raises(UnusableModel, match="spoilt can't be loaded"):
        process.calls.score(None, some_conversations(1)).result(SECONDS)
    process.stop(5)
