"""Answers of a batch are those of greedy decoding one by one, token for token in float32."""

import json
import shutil
from collections.abc import Iterator, Sequence
from copy import copy
from itertools import count
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import (
    GenerationConfig,
    Lfm2Config,
    Lfm2ForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from learners.encoding.chat import ChatEncoder
from learners.errors import BadRequest
from learners.models.adapters import Adapters
from learners.models.attention import attention_for
from learners.models.loading import load_base
from learners.models.tokenizer import load_tokenizer
from learners.scoring import generating
from learners.scoring.batch_cache import can_be_batched
from learners.training.methods import METHODS
from learners.types import Answer, Conversation
from tests.factories.learners import QUESTIONS, a_conversation, a_request, quick_settings
from tests.support.devices import DEVICE
from tests.support.tiny_model import make_tiny_model

HERE = torch.device(DEVICE)
#: Prompts of very different lengths, some with turns before the last question.
PROMPTS = [
    *(a_conversation(f"q{n}", question) for n, (question, _) in enumerate(QUESTIONS)),
    a_conversation("long", *QUESTIONS[0], *QUESTIONS[1], *QUESTIONS[2], QUESTIONS[3][0]),
    a_conversation("longer", "weather " * 120),
    a_conversation("short", "Hi"),
    a_conversation("longest", *(QUESTIONS[0] * 12), "And of Spain?"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    return load_tokenizer(folder)


@pytest.fixture(scope="module")
def encoder(tokenizer: PreTrainedTokenizerFast) -> ChatEncoder:
    return ChatEncoder(tokenizer)


@pytest.fixture(scope="module")
def trained(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter whose answers end by themselves, after different numbers of tokens."""
    request = a_request(tmp_path_factory.mktemp("trained"), folder, settings=quick_settings(epochs=8.0))
    return METHODS["lora"](request, lambda _: None, lambda: False).artifact


@pytest.fixture(scope="module", params=["packed", "masks", "sliding window"])
def base(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> PreTrainedModel:
    """With our attention, with PyTorch's behind transformers' masks, and with windows that are shorter than prompts."""
    if request.param == "sliding window":
        folder = as_mistral(folder, tmp_path_factory.mktemp("mistral") / "model")
    model = load_base(folder, torch.float32, HERE)
    if request.param == "masks":
        model.config.sliding_window = 10_000  # ignored by Llama; it only keeps our attention from being used
        model.set_attn_implementation(attention_for(model.config, HERE))
    return model


def as_mistral(llama: Path, folder: Path) -> Path:
    """The same weights, with windows that are shorter than most prompts."""
    shutil.copytree(llama, folder)
    config = json.loads((folder / "config.json").read_bytes())
    config |= {"model_type": "mistral", "architectures": ["MistralForCausalLM"], "sliding_window": 24}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(params=[None, "trained"])
def model(
    base: PreTrainedModel, trained: Path, request: pytest.FixtureRequest
) -> Iterator[PreTrainedModel | PeftModel]:
    adapters = Adapters(base)
    adapters.load("trained", trained)
    with adapters.using(request.param) as model:
        yield model
    adapters.unload("trained")


def answers_of(
    model: PreTrainedModel | PeftModel,
    encoder: ChatEncoder,
    tokenizer: PreTrainedTokenizerFast,
    prompts: Sequence[Conversation],
    *,
    tokens: int = 40,
    **changes: object,
) -> list[Answer]:
    given = {"seconds": None, "on_progress": lambda *_: None, **changes}
    return generating.answers(model, tokenizer, encoder, prompts, max_new_tokens=tokens, **given)  # type: ignore[arg-type]


def alone(
    model: PreTrainedModel | PeftModel,
    encoder: ChatEncoder,
    tokenizer: PreTrainedTokenizerFast,
    prompt: Conversation,
    *,
    tokens: int = 40,
) -> Answer:
    """The answer that transformers' own loop gives."""
    ids = encoder.prompt(prompt)
    settings = GenerationConfig(  # type: ignore[no-untyped-call]
        max_new_tokens=tokens, do_sample=False, eos_token_id=[2], pad_token_id=0
    )
    with torch.inference_mode():
        output = model.generate(  # type: ignore[operator]
            input_ids=torch.tensor([ids], device=HERE),
            attention_mask=torch.ones(1, len(ids), device=HERE),
            generation_config=settings,
        )
    written = output[0, len(ids) :].tolist()
    ended = written[-1] == 2
    shown = written[:-1] if ended else written
    return Answer(
        id=prompt.id,
        text=str(tokenizer.decode(shown, skip_special_tokens=True)).strip(),
        raw=str(tokenizer.decode(shown, skip_special_tokens=False)),
        ended=ended,
        tokens=len(written),
    )


def test_a_batch_answers_as_one_by_one(
    model: PreTrainedModel | PeftModel, encoder: ChatEncoder, tokenizer: PreTrainedTokenizerFast
) -> None:
    found = answers_of(model, encoder, tokenizer, PROMPTS)

    assert found == [alone(model, encoder, tokenizer, prompt) for prompt in PROMPTS]
    assert len({answer.tokens for answer in found}) > 1 or not any(answer.ended for answer in found)


def test_batches_of_any_size_answer_alike(
    model: PreTrainedModel | PeftModel,
    encoder: ChatEncoder,
    tokenizer: PreTrainedTokenizerFast,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    together = answers_of(model, encoder, tokenizer, PROMPTS)
    monkeypatch.setattr(generating, "_BATCH_ROWS", 2)

    assert answers_of(model, encoder, tokenizer, PROMPTS) == together


def test_a_batch_that_is_not_finished_in_time_is_left_out_as_a_whole(
    folder: Path,
    encoder: ChatEncoder,
    tokenizer: PreTrainedTokenizerFast,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = load_base(folder, torch.float32, HERE)
    monkeypatch.setattr(generating, "_BATCH_ROWS", 3)
    everything = answers_of(model, encoder, tokenizer, PROMPTS)
    told: list[tuple[int, int]] = []

    def within(turns: int) -> list[Answer]:
        told.clear()
        return answers_of(
            model,
            encoder,
            tokenizer,
            PROMPTS,
            seconds=turns,
            clock=count().__next__,
            on_progress=lambda done, of: told.append((done, of)),
        )

    assert within(3) == []
    assert within(60) == everything[:3]
    assert told == [(3, 9)]
    assert within(10_000) == everything
    assert told == [(3, 9), (6, 9), (9, 9)]


def test_a_prompt_that_cannot_be_answered_is_left_out_and_refused_alone(
    folder: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    model = load_base(folder, torch.float32, HERE)
    too_long = a_conversation("too long", "weather " * 3_000)
    tokenizer = copy(tokenizer)
    tokenizer.chat_template = (
        "{% if messages[0]['content'] == 'refuse' %}{{ raise_exception('no') }}{% endif %}"
        + tokenizer.chat_template
    )
    encoder = ChatEncoder(tokenizer)
    refused = a_conversation("refused", "refuse")
    told: list[tuple[int, int]] = []

    found = answers_of(
        model,
        encoder,
        tokenizer,
        [refused, PROMPTS[0], too_long],
        on_progress=lambda done, of: told.append((done, of)),
    )

    assert [answer.id for answer in found] == ["q0"]
    assert told == [(3, 3)]
    assert answers_of(model, encoder, tokenizer, []) == []
    with pytest.raises(BadRequest, match="can't render"):
        answers_of(model, encoder, tokenizer, [refused])
    with pytest.raises(BadRequest, match="don't fit into a context of 2048"):
        answers_of(model, encoder, tokenizer, [too_long])
    with pytest.raises(BadRequest, match="at least 1"):
        answers_of(model, encoder, tokenizer, PROMPTS, tokens=0)


def test_control_tokens_stand_in_the_raw_text_only(
    folder: Path, encoder: ChatEncoder, tokenizer: PreTrainedTokenizerFast
) -> None:
    decoder = generating._Decoder(load_base(folder, torch.float32, HERE), tokenizer, encoder)
    start, end = tokenizer.vocab["<|im_start|>"], tokenizer.vocab["<|im_end|>"]
    word = tokenizer.encode(" fine", add_special_tokens=False)

    answer = decoder.answer("c", generating._Written([*word, start, *word, end], ended=True))

    assert (answer.text, answer.raw) == ("fine fine", " fine<|im_start|> fine")
    assert (answer.ended, answer.tokens) == (True, 2 * len(word) + 2)


def test_a_model_that_keeps_more_than_keys_and_values_answers_one_prompt_at_a_time(
    encoder: ChatEncoder, tokenizer: PreTrainedTokenizerFast
) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Lfm2ForCausalLM(
            Lfm2Config(
                vocab_size=512,
                hidden_size=64,
                intermediate_size=128,
                num_hidden_layers=3,
                num_attention_heads=4,
                num_key_value_heads=2,
                layer_types=["conv", "full_attention", "conv"],
                initializer_range=0.2,
            )
        )
    model.to(HERE).eval()  # type: ignore[arg-type]

    assert not can_be_batched(model)
    found = answers_of(model, encoder, tokenizer, PROMPTS[:3], tokens=12)
    assert found == [alone(model, encoder, tokenizer, prompt, tokens=12) for prompt in PROMPTS[:3]]


@pytest.mark.parametrize(
    ("lengths", "rows", "size"),
    [([10] * 5, 3, 3), ([10] * 2, 64, 2), ([3_000] * 9, 64, 5), ([90_000], 64, 1), ([10, 9_000, 10], 64, 1)],
)
def test_a_batch_is_as_large_as_rows_and_tokens_allow(lengths: list[int], rows: int, size: int) -> None:
    assert generating._batch_size(lengths, 100, rows) == size
