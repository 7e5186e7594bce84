"""What a method learns of a line: which answers, behind which prompt."""

from dataclasses import replace

import pytest
from transformers import PreTrainedTokenizerFast

from learners.encoding.chat import ChatEncoder
from learners.encoding.lessons import NOT_TAUGHT, SAME, EncodedLesson, encode_lesson
from learners.encoding.rows import Encoded
from learners.errors import BadRequest
from learners.method_names import MethodName, compares, learns_from
from learners.types import Conversation, Message
from tests.factories.learners import a_conversation
from tests.support.tiny_model import make_tiny_model

TALK = a_conversation("c", "Hi", "Hello.", "The capital of France?", "Paris.")
PAIR = replace(
    TALK, lesson="prefer", rejected=Message(role="assistant", content="Lyon, I think."), weight=2.0
)
AVOID = replace(TALK, lesson="avoid")
METHODS: tuple[MethodName, ...] = ("lora", "dpo", "kto")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> PreTrainedTokenizerFast:
    from learners.models.tokenizer import load_tokenizer

    return load_tokenizer(make_tiny_model(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(scope="module")
def encoder(tokenizer: PreTrainedTokenizerFast) -> ChatEncoder:
    return ChatEncoder(tokenizer)


def learned(
    encoder: ChatEncoder, conversation: Conversation, method: MethodName, max_tokens: int = 256
) -> EncodedLesson:
    return encode_lesson(
        encoder,
        conversation,
        learns=learns_from(method),
        compares=compares(method),
        max_tokens=max_tokens,
    )


def targets(tokenizer: PreTrainedTokenizerFast, row: Encoded) -> str:
    ids = [id_ for id_, target in zip(row.ids, row.targets, strict=True) if target]
    return str(tokenizer.decode(ids, skip_special_tokens=False))


def prompt(row: Encoded) -> tuple[int, ...]:
    return row.ids[: row.targets.index(True)]


@pytest.mark.parametrize("method", METHODS)
def test_all_answers_of_a_talk_are_imitated(
    encoder: ChatEncoder, tokenizer: PreTrainedTokenizerFast, method: MethodName
) -> None:
    line = learned(encoder, TALK, method)

    assert targets(tokenizer, line.imitated[0]) == "Hello.<|im_end|>Paris.<|im_end|>"
    assert line.avoided == ()


@pytest.mark.parametrize("method", METHODS)
def test_of_a_pair_no_other_answer_is_learned(
    encoder: ChatEncoder, tokenizer: PreTrainedTokenizerFast, method: MethodName
) -> None:
    line = learned(encoder, PAIR, method)

    assert [targets(tokenizer, row) for row in line.imitated] == ["Paris.<|im_end|>"]
    worse = [] if method == "lora" else ["Lyon, I think.<|im_end|>"]
    assert [targets(tokenizer, row) for row in line.avoided] == worse
    assert line.weight == 2.0


def test_only_kto_learns_from_an_answer_to_avoid(
    encoder: ChatEncoder, tokenizer: PreTrainedTokenizerFast
) -> None:
    assert learned(encoder, AVOID, "lora").skipped == learned(encoder, AVOID, "dpo").skipped == NOT_TAUGHT

    line = learned(encoder, AVOID, "kto")

    assert line.skipped is None
    assert line.imitated == ()
    assert [targets(tokenizer, row) for row in line.avoided] == ["Paris.<|im_end|>"]


def test_both_answers_of_a_pair_stand_behind_the_same_prompt(encoder: ChatEncoder) -> None:
    """Also where the longer one leaves no room for the whole history."""
    long = replace(PAIR, rejected=Message(role="assistant", content="Paris, or Lyon, I think. " * 4))
    whole = learned(encoder, long, "dpo")
    room = max(len(row.ids) for row in whole.rows) - 1

    line = learned(encoder, long, "dpo", max_tokens=room)

    assert line.is_pair
    assert all(len(row.ids) <= room for row in line.rows)
    assert prompt(line.imitated[0]) == prompt(line.avoided[0]) != prompt(whole.imitated[0])


@pytest.mark.parametrize("method", ["dpo", "kto"])
def test_a_pair_whose_worse_answer_is_too_long_is_imitated(encoder: ChatEncoder, method: MethodName) -> None:
    long = replace(PAIR, rejected=Message(role="assistant", content="word " * 200))

    line = learned(encoder, long, method, max_tokens=128)

    assert line.imitated
    assert line.avoided == ()
    assert line.left_out == {"worse answer of a pair: longer than max_tokens": 1}


def test_a_pair_whose_better_answer_is_too_long_is_skipped_or_avoided(encoder: ChatEncoder) -> None:
    long = replace(PAIR, messages=(*TALK.messages[:-1], Message(role="assistant", content="word " * 200)))

    assert learned(encoder, long, "dpo", max_tokens=128).skipped == "longer than max_tokens"
    assert [len(learned(encoder, long, "kto", max_tokens=128).avoided)] == [1]


def test_a_pair_that_is_too_long_altogether_is_skipped(encoder: ChatEncoder) -> None:
    words = Message(role="assistant", content="word " * 200)
    long = replace(PAIR, messages=(*TALK.messages[:-1], words), rejected=replace(words, content="two " * 200))

    assert learned(encoder, long, "kto", max_tokens=128).skipped == "longer than max_tokens"


def test_the_same_answer_twice_is_no_pair(encoder: ChatEncoder) -> None:
    line = learned(encoder, replace(PAIR, rejected=PAIR.messages[-1]), "dpo")

    assert not line.is_pair
    assert line.left_out == {SAME: 1}


def test_a_line_without_a_worse_answer_is_no_pair(encoder: ChatEncoder) -> None:
    with pytest.raises(BadRequest, match="no pair"):
        encoder.encode_pair(TALK, max_tokens=128)
