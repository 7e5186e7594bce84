"""Losses of whole answers, in packed rows."""

from collections.abc import Sequence
from typing import cast

import torch
from peft import PeftModel
from torch.utils.checkpoint import checkpoint

from learners.encoding.packing import ROW_TOKENS, PackedRow, pack, packed_row
from learners.encoding.rows import Encoded
from learners.training.loss import token_losses
from learners.training.objectives.objective import Check
from learners.training.peers import ALONE, Peers


def losses_of(model: PeftModel, answers: Sequence[Encoded]) -> list[torch.Tensor]:
    """Return the loss of each target token of each answer, in nats, in the order given.

    Answers that don't fit into one row are computed in several. With gradients each of these is computed again as it is
    propagated back, so that no more than one row is held in memory.
    """
    rows = pack([len(answer.ids) for answer in answers], ROW_TOKENS)
    found: list[torch.Tensor] = [torch.empty(0)] * len(answers)
    for places in rows:
        members = [answers[place] for place in places]
        losses = _losses(model, packed_row(members), again=len(rows) > 1 and torch.is_grad_enabled())
        parts = torch.split(losses, [member.target_tokens for member in members])
        for place, part in zip(places, parts, strict=True):
            found[place] = part
    return found


def log_likelihoods(
    model: PeftModel, answers: Sequence[Encoded], check: Check, peers: Peers = ALONE
) -> torch.Tensor:
    """Return the log-likelihood of each answer under the model as it answers, without dropout; on the CPU.

    Raises what ``check`` raises, which is called before each row.
    """
    was_training = model.training
    model.eval()
    found = torch.zeros(len(answers))
    try:
        with torch.no_grad():
            for places in peers.share(pack([len(answer.ids) for answer in answers], ROW_TOKENS)):
                check()
                losses = losses_of(model, [answers[place] for place in places])
                found[places] = torch.stack([-part.sum() for part in losses]).to("cpu", torch.float32)
    finally:
        model.train(was_training)
    peers.add_up(found)  # each computed its share
    return found


def _losses(model: PeftModel, row: PackedRow, *, again: bool) -> torch.Tensor:
    if not again:
        return token_losses(model, row)
    return cast(torch.Tensor, checkpoint(token_losses, model, row, use_reentrant=False))
