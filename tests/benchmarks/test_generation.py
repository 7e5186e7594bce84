"""Answers of a small model, against transformers' own loop; and what the gate's answers cost beside its scores.

Of a real model, or of the folder that RETUNED_TEST_BENCH_BASE names; on what RETUNED_TEST_DEVICE names.
"""

import os
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from peft import PeftModel
from transformers import GenerationConfig, PreTrainedTokenizerFast

from daemon.demo.base_model import prepare_base
from daemon.demo.data import chit_chat, knowledge_questions
from daemon.domain.conversation import Conversation as Chat
from learners.encoding.chat import ChatEncoder
from learners.models.loading import choose_dtype, load_base, prepare_torch
from learners.models.lora import adapter_config, attach, linears_of
from learners.models.tokenizer import load_tokenizer
from learners.scoring.generating import answers
from learners.scoring.scoring import score
from learners.training.loss import mixed_precision
from learners.types import Answer, Conversation, LoraSettings, Message
from tests.benchmarks.figures import show, tell
from tests.support.devices import DEVICE

#: Prompts that each version answers, most tokens of an answer, conversations that each version scores: the gate's defaults.
PROMPTS, TOKENS, SCORED = 40, 128, 240
#: Prompts of the peer, which takes seconds for each.
PEER_PROMPTS = 4
_DEVICE = torch.device(DEVICE)


class Bench(NamedTuple):
    model: PeftModel
    tokenizer: PreTrainedTokenizerFast
    encoder: ChatEncoder


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A model in the scorer's precision, with an adapter that changes little."""
    named = os.environ.get("RETUNED_TEST_BENCH_BASE")
    log = tmp_path_factory.mktemp("base") / "log"
    base = Path(named) if named else prepare_base(None, cache=Path(".cache"), log=log, tell=lambda _: None)
    prepare_torch(0)
    tokenizer = load_tokenizer(base)
    loaded = load_base(base, choose_dtype("auto", _DEVICE), _DEVICE)
    linears = linears_of(loaded)
    model = attach(loaded, adapter_config(LoraSettings(), linears), linears).eval()
    return Bench(model, tokenizer, ChatEncoder(tokenizer))


def learned(chats: Sequence[Chat]) -> list[Conversation]:
    return [
        Conversation(
            id=str(n), messages=tuple(Message(role=m.role, content=m.content) for m in chat.messages)
        )
        for n, chat in enumerate(chats)
    ]


def prompts_of(conversations: Sequence[Conversation]) -> list[Conversation]:
    return [Conversation(id=one.id, messages=one.messages[:-1]) for one in conversations]


def ours(bench: Bench, prompts: Sequence[Conversation], tokens: int = TOKENS) -> list[Answer]:
    return answers(
        bench.model,
        bench.tokenizer,
        bench.encoder,
        prompts,
        max_new_tokens=tokens,
        seconds=None,
        on_progress=lambda *_: None,
    )


def peer(bench: Bench, prompts: Sequence[Conversation]) -> int:
    """Generate one prompt after the other; return the number of tokens."""
    settings = GenerationConfig(  # type: ignore[no-untyped-call]
        max_new_tokens=TOKENS, do_sample=False, eos_token_id=list(bench.encoder.ends), pad_token_id=0
    )
    written = 0
    with torch.inference_mode(), mixed_precision(bench.model):
        for prompt in prompts:
            ids = torch.tensor([bench.encoder.prompt(prompt)], device=_DEVICE)
            output = bench.model.generate(  # type: ignore[no-untyped-call]
                input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=settings
            )
            written += output.shape[1] - ids.shape[1]
    return written


def seconds(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    if _DEVICE.type == "cuda":
        torch.cuda.synchronize()
    return time.monotonic() - started


@pytest.mark.timeout(900)
def test_tokens_a_second(bench: Bench) -> None:
    prompts = prompts_of(learned(list(islice(knowledge_questions(0), PROMPTS))))
    ours(bench, prompts[:2], 8)  # warms up

    found: list[Answer] = []
    took = seconds(lambda: found.extend(ours(bench, prompts)))
    written: list[int] = []
    peer_took = seconds(lambda: written.append(peer(bench, prompts[:PEER_PROMPTS])))

    ratio = show(
        "generating",
        ours=sum(answer.tokens for answer in found) / took,
        peer=sum(written) / peer_took,
        unit="tokens/s",
        peer_is="transformers' generate, one by one",
    )
    assert ratio > 0


@pytest.mark.timeout(1_800)
def test_answers_for_the_gate_beside_its_scores(bench: Bench) -> None:
    half = SCORED // 2
    questions = learned(list(islice(knowledge_questions(0), half)))
    conversations = questions + learned(list(chit_chat(half, order="shuffled", seed=0)))
    prompts = prompts_of(conversations)
    mixed = [prompt for pair in zip(prompts[:half], prompts[half:], strict=True) for prompt in pair]

    def score_all() -> None:
        score(bench.model, bench.encoder, conversations, max_tokens=1_024, on_progress=lambda *_: None)

    both = 2  # versions
    generating = both * seconds(lambda: ours(bench, mixed[:PROMPTS]))
    scoring = both * seconds(score_all)

    tell(f"answering {both} x {PROMPTS} prompts with at most {TOKENS} tokens", generating, "s")
    tell(f"scoring {both} x {SCORED} conversations", scoring, "s")
    assert generating > 0
