"""A conversation that takes several rows has one score: the sum over its answers."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from learners.encoding.chat import ChatEncoder
from learners.models.loading import load_base
from learners.models.room import memory, most_tokens
from learners.models.tokenizer import load_tokenizer
from learners.scoring.scoring import score, surprisals
from learners.types import Conversation
from tests.factories.learners import a_conversation
from tests.support.devices import DEVICE
from tests.support.tiny_model import make_tiny_model

#: Ends the newest answer otherwise than earlier ones, as gpt-oss does, so each answer needs a row of its own.
ROW_AN_ANSWER = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] }}"
    "{{ '<|endoftext|>' if loop.last and m['role'] == 'assistant' else '<|im_end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LONG = a_conversation("long", "Hi", "Yes?", "And the weather?", "It is sunny and warm.", "Bye", "See you.")
SHORT = a_conversation("short", "Hello?", "It is me.")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def model(folder: Path) -> PreTrainedModel:
    return load_base(folder, torch.float32, torch.device(DEVICE))


@pytest.fixture(scope="module")
def encoder(folder: Path) -> ChatEncoder:
    tokenizer = load_tokenizer(folder)
    tokenizer.chat_template = ROW_AN_ANSWER
    return ChatEncoder(tokenizer)


def only(conversation: Conversation, index: int) -> Conversation:
    """The conversation with one answer to learn, the others as context."""
    messages = tuple(
        replace(message, learned=place == index) for place, message in enumerate(conversation.messages)
    )
    return replace(conversation, messages=messages)


def test_the_score_of_a_conversation_is_the_sum_of_its_answers(
    model: PreTrainedModel, encoder: ChatEncoder
) -> None:
    told: list[tuple[int, int]] = []
    assert len(encoder.encode(LONG, max_tokens=500).rows) == 3

    short, long = score(
        model, encoder, [SHORT, LONG], max_tokens=500, on_progress=lambda done, of: told.append((done, of))
    )

    alone = score(
        model,
        encoder,
        [only(LONG, index) for index in (1, 3, 5)],
        max_tokens=500,
        on_progress=lambda *_: None,
    )
    assert (short.id, long.id) == ("short", "long")
    assert long.tokens == sum(one.tokens for one in alone)
    assert long.nll == pytest.approx(sum(one.nll for one in alone), rel=1e-5)
    assert told[-1] == (2, 2)


def test_surprisals_come_in_the_order_of_the_answers(model: PreTrainedModel, encoder: ChatEncoder) -> None:
    [found] = surprisals(model, encoder, [LONG], max_tokens=500, on_progress=lambda *_: None)

    alone = surprisals(
        model,
        encoder,
        [only(LONG, index) for index in (1, 3, 5)],
        max_tokens=500,
        on_progress=lambda *_: None,
    )
    assert found.tokens == tuple(token for one in alone for token in one.tokens)
    assert found.nats == pytest.approx([nats for one in alone for nats in one.nats], rel=1e-4)


def test_the_ends_of_answers_are_summed_apart(model: PreTrainedModel, encoder: ChatEncoder) -> None:
    cut = replace(SHORT, messages=(*SHORT.messages[:-1], replace(SHORT.messages[-1], cut_off=True)))
    conversations = [LONG, cut]
    options = {"max_tokens": 500, "on_progress": lambda *_: None}

    long, without_end = score(model, encoder, conversations, **options)  # type: ignore[arg-type]

    single, _ = surprisals(model, encoder, conversations, **options)  # type: ignore[arg-type]
    ends = [nats for token, nats in zip(single.tokens, single.nats, strict=True) if token in encoder.ends]
    assert (long.ends, len(ends)) == (3, 3)
    assert long.end_nll == pytest.approx(sum(ends))
    assert (without_end.ends, without_end.end_nll) == (0, 0.0)


def test_a_small_models_rows_may_fill_its_context(model: PreTrainedModel) -> None:
    assert most_tokens(model) == model.config.max_position_embeddings


def test_rows_are_shorter_where_memory_is_short(
    model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("learners.models.room.memory", lambda _: 64 * 2**20)

    assert most_tokens(model) == 512
    assert memory(model.device) > 64 * 2**20
