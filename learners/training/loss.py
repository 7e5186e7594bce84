"""The loss of a packed row, shared by training and scoring."""

import torch
from peft import PeftModel
from torch.nn import functional
from transformers import PreTrainedModel

from learners.encoding.packing import PackedRow
from learners.models.attention import PACKED, attention_for


def mixed_precision(model: PreTrainedModel | PeftModel) -> torch.autocast:
    """Multiply float32 adapters on a bfloat16 base in bfloat16; change nothing on a float32 base."""
    dtype = model.get_input_embeddings().weight.dtype
    return torch.autocast(model.device.type, torch.bfloat16, enabled=dtype == torch.bfloat16)


def token_losses(model: PreTrainedModel | PeftModel, row: PackedRow) -> torch.Tensor:
    """Return the negative log-likelihood of each target token of the row, in nats, float32; shape (targets,).

    The head, a large share of a small model's work, is computed for the target tokens only. PyTorch's attention keeps the conversations apart by itself: where
    there is neither a mask nor a cache, transformers builds one wherever positions start again.
    """
    device = model.device
    extra = {"segments": row.segments} if attention_for(model.config, device) == PACKED else {}
    with mixed_precision(model):
        output = model(
            input_ids=row.ids.to(device),
            position_ids=row.positions.to(device),
            logits_to_keep=row.kept.to(device),
            use_cache=False,
            **extra,
        )
    return functional.cross_entropy(output.logits[0].float(), row.labels.to(device), reduction="none")
