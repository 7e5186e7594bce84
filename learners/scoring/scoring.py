"""Scores conversations under a model."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from peft import PeftModel
from transformers import PreTrainedModel

from learners.encoding.chat import ChatEncoder
from learners.encoding.packing import ROW_TOKENS, pack, packed_row
from learners.training.loss import token_losses
from learners.types import Conversation, Score, Surprisals

OnProgress = Callable[[int, int], None]  # conversations done, of how many


class _Losses(NamedTuple):
    """The losses of one row."""

    targets: torch.Tensor  # (targets,): their ids
    nats: torch.Tensor  # (targets,), float64, on the CPU


@torch.inference_mode()
def score(
    model: PreTrainedModel | PeftModel,
    encoder: ChatEncoder,
    conversations: Sequence[Conversation],
    *,
    max_tokens: int,
    on_progress: OnProgress,
) -> list[Score]:
    """Return the loss of each conversation's assistant turns, as training counts it, in the order given.

    A conversation that can't be scored has 0 tokens.
    """
    scored = _scored(model, encoder, conversations, max_tokens=max_tokens, on_progress=on_progress)
    ends = torch.tensor(encoder.ends)
    return [
        _score(conversation.id, found, ends)
        for conversation, found in zip(conversations, scored, strict=True)
    ]


@torch.inference_mode()
def surprisals(
    model: PreTrainedModel | PeftModel,
    encoder: ChatEncoder,
    conversations: Sequence[Conversation],
    *,
    max_tokens: int,
    on_progress: OnProgress,
) -> list[Surprisals]:
    """Return the loss of each token of the assistant turns, in the order given; their sums are those of ``score``."""
    scored = _scored(model, encoder, conversations, max_tokens=max_tokens, on_progress=on_progress)
    return [
        Surprisals(
            id=conversation.id,
            tokens=tuple(token for row in found for token in row.targets.tolist()),
            nats=tuple(loss for row in found for loss in row.nats.tolist()),
        )
        for conversation, found in zip(conversations, scored, strict=True)
    ]


def _score(id_: str, rows: Sequence[_Losses], ends: torch.Tensor) -> Score:
    """Sum the losses of a conversation's rows, and apart those of the tokens that end an answer."""
    ending = [row.nats[torch.isin(row.targets, ends)] for row in rows]
    return Score(
        id=id_,
        nll=sum(float(row.nats.sum()) for row in rows),
        tokens=sum(row.nats.numel() for row in rows),
        end_nll=sum(float(nats.sum()) for nats in ending),
        ends=sum(nats.numel() for nats in ending),
    )


def _scored(
    model: PreTrainedModel | PeftModel,
    encoder: ChatEncoder,
    conversations: Sequence[Conversation],
    *,
    max_tokens: int,
    on_progress: OnProgress,
) -> list[list[_Losses]]:
    """Return the losses of each conversation's rows, in the order of their answers."""
    encoded = [encoder.encode(conversation, max_tokens=max_tokens) for conversation in conversations]
    rows = [row for conversation in encoded for row in conversation.rows]
    owners = [place for place, conversation in enumerate(encoded) for _ in conversation.rows]
    waiting = Counter(owners)  # rows of each conversation that are still to be scored
    losses: dict[int, _Losses] = {}
    for indices in pack([len(row.ids) for row in rows], ROW_TOKENS):
        packed = packed_row([rows[index] for index in indices])
        targets = [rows[index].target_tokens for index in indices]
        found = token_losses(model, packed).to("cpu", torch.float64)
        parts = zip(torch.split(packed.labels, targets), torch.split(found, targets), strict=True)
        losses |= {index: _Losses(ids, nats) for index, (ids, nats) in zip(indices, parts, strict=True)}
        waiting -= Counter(owners[index] for index in indices)
        on_progress(len(encoded) - len(waiting), len(encoded))
    in_order = iter(range(len(rows)))
    return [[losses[next(in_order)] for _ in conversation.rows] for conversation in encoded]
