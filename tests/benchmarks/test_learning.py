"""Training and scoring of a small model, against the loop that people write first.

Of a real one, or of the folder that RETUNED_TEST_BENCH_BASE names; on what RETUNED_TEST_DEVICE names.
"""

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from peft import PeftModel

from daemon.demo.base_model import prepare_base
from daemon.demo.data import chit_chat, knowledge_questions
from learners.encoding.chat import ChatEncoder
from learners.encoding.packing import ROW_TOKENS, pack, packed_row
from learners.encoding.rows import Encoded
from learners.models.loading import choose_dtype, load_base, prepare_torch
from learners.models.lora import adapter_config, attach, linears_of
from learners.models.tokenizer import load_tokenizer
from learners.training.loss import mixed_precision, token_losses
from learners.types import Conversation, LoraSettings, Message
from tests.benchmarks.figures import show
from tests.support.devices import DEVICE

TALKS, PADDED_BATCH = 48, 4
_DEVICE = torch.device(DEVICE)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if named := os.environ.get("RETUNED_TEST_BENCH_BASE"):
        return Path(named)
    return prepare_base(
        None, cache=Path(".cache"), log=tmp_path_factory.mktemp("base") / "log", tell=lambda _: None
    )


@pytest.fixture(scope="module")
def encoded(base: Path) -> list[Encoded]:
    """Questions and chit-chat, of very different lengths, as they come."""
    encoder = ChatEncoder(load_tokenizer(base))
    conversations = [
        *knowledge_questions(0)[: TALKS * 2 // 3],
        *chit_chat(TALKS // 3, order="shuffled", seed=0),
    ]
    random.Random(0).shuffle(conversations)
    messages = [
        tuple(Message(role=m.role, content=m.content) for m in conversation.messages)
        for conversation in conversations
    ]
    return [
        row
        for n, said in enumerate(messages)
        for row in encoder.encode(Conversation(id=str(n), messages=said), max_tokens=ROW_TOKENS).rows
    ]


@pytest.fixture(scope="module")
def model(base: Path) -> PeftModel:
    prepare_torch(0)
    loaded = load_base(base, choose_dtype("auto", _DEVICE), _DEVICE)
    linears = linears_of(loaded)
    return attach(loaded, adapter_config(LoraSettings(), linears), linears).train()


def packed_losses(model: PeftModel, encoded: list[Encoded]) -> Iterator[torch.Tensor]:
    """One loss a row, as training computes it."""
    for row in pack([len(conversation.ids) for conversation in encoded], ROW_TOKENS):
        yield token_losses(model, packed_row([encoded[index] for index in row])).mean()


def padded_losses(model: PeftModel, encoded: list[Encoded]) -> Iterator[torch.Tensor]:
    """One loss a batch of four, padded to the longest, head and loss left to transformers."""
    for first in range(0, len(encoded), PADDED_BATCH):
        batch = encoded[first : first + PADDED_BATCH]
        width = max(len(conversation.ids) for conversation in batch)
        ids, labels = torch.zeros(len(batch), width, dtype=torch.long), torch.full((len(batch), width), -100)
        mask = torch.zeros(len(batch), width, dtype=torch.long)
        for place, conversation in enumerate(batch):
            length = len(conversation.ids)
            ids[place, :length] = torch.tensor(conversation.ids)
            mask[place, :length] = 1
            labels[place, :length] = torch.where(
                torch.tensor(conversation.targets), ids[place, :length], -100
            )
        # The packed rows' own attention needs to be told where conversations end; a batch uses PyTorch's.
        with mixed_precision(model):
            yield model(
                input_ids=ids.to(_DEVICE),
                attention_mask=mask.to(_DEVICE),
                labels=labels.to(_DEVICE),
                use_cache=False,
            ).loss


def seconds(losses: Iterator[torch.Tensor], *, train: bool) -> float:
    started = time.monotonic()
    with torch.set_grad_enabled(train):
        for loss in losses:
            if train:
                loss.backward()  # type: ignore[no-untyped-call]
    if _DEVICE.type == "cuda":
        torch.cuda.synchronize()
    return time.monotonic() - started


@pytest.mark.parametrize("train", [True, False], ids=["training", "scoring"])
@pytest.mark.timeout(900)
def test_tokens_a_second(model: PeftModel, encoded: list[Encoded], train: bool) -> None:
    tokens = sum(len(conversation.ids) for conversation in encoded)
    seconds(packed_losses(model, encoded[:8]), train=train)  # warms up

    ours = tokens / seconds(packed_losses(model, encoded), train=train)
    padded = tokens / seconds(padded_losses(model, encoded), train=train)

    what = "training" if train else "scoring"
    assert (
        show(
            what,
            ours=ours,
            peer=padded,
            unit="tokens/s",
            peer_is=f"padded batches of {PADDED_BATCH}, full head",
        )
        > 0
    )
