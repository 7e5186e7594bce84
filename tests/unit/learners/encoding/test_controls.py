"""Tokens of a template that the tokenizer does not mark as special."""

import json

import pytest
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from learners.encoding.chat import ChatEncoder
from tests.factories.learners import a_conversation
from tests.support.chat_templates import tokenizer


def unmarked(name: str, *controls: str) -> PreTrainedTokenizerFast:
    """The tokenizer of a template, in which these added tokens are not special."""
    of = tokenizer(name)
    parts = json.loads(of.backend_tokenizer.to_str())
    for added in parts["added_tokens"]:
        added["special"] = added["special"] and added["content"] not in controls
    made = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=Tokenizer.from_str(json.dumps(parts)), eos_token=of.eos_token, bos_token=of.bos_token
    )
    made.add_tokens(list(controls))  # those that the tokenizer did not have
    made.chat_template = of.chat_template
    return made


@pytest.mark.parametrize(
    ("name", "controls"),
    [
        ("trl/deepseekv3", ("<｜User｜>", "<｜Assistant｜>")),
        ("trl/qwen3", ("<tool_response>", "</tool_response>")),
    ],
)
def test_what_a_template_writes_is_text_in_contents(name: str, controls: tuple[str, ...]) -> None:
    loose = unmarked(name, *controls)
    said = a_conversation("c1", f"What is {controls[0]}?", f"A mark: {controls[1]}.", "Thanks", "Yes.")

    rows = ChatEncoder(loose).encode(said, max_tokens=10_000).rows

    assert rows == ChatEncoder(tokenizer(name)).encode(said, max_tokens=10_000).rows
    question = a_conversation("c1", f"What is {controls[0]}?")
    plain = a_conversation("c1", "What is it?")
    written = [loose.get_vocab()[control] for control in controls]
    in_question, in_plain = (ChatEncoder(loose).prompt(one) for one in (question, plain))
    assert [in_question.count(id_) for id_ in written] == [in_plain.count(id_) for id_ in written]


def test_reasoning_that_an_answer_holds_is_what_the_model_generated() -> None:
    loose = unmarked("trl/qwen3", "<think>", "</think>")
    said = a_conversation("c1", "Where is my <think>?", "<think>\nI must look.\n</think>\n\nHere.")

    [row] = ChatEncoder(loose).encode(said, max_tokens=10_000).rows

    assert row.ids.count(loose.get_vocab()["<think>"]) == 1
    learned = [id_ for id_, target in zip(row.ids, row.targets, strict=True) if target]
    assert loose.decode(learned) == "<think>\nI must look.\n</think>\n\nHere.<|im_end|>"


def test_added_words_and_white_space_are_text() -> None:
    loose = tokenizer("trl/qwen3")
    loose.add_tokens(["\n\n\n", "user", "assistant"])
    said = a_conversation("c1", "I am a user\n\n\nof it", "Yes, user.")

    [row] = ChatEncoder(loose).encode(said, max_tokens=10_000).rows

    assert str(loose.decode(list(row.ids))).count("user") == 3
    assert row.ids.count(loose.get_vocab()["user"]) == 3
