"""How many tokens a row may have: what the model's context and the machine's memory allow."""

from pathlib import Path

import psutil
import torch
from transformers import PreTrainedModel

#: Where Linux says how much memory a container may use.
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
#: Values that training keeps of a token in each layer, as multiples of the hidden and of the intermediate size.
_OF_HIDDEN, _OF_INTERMEDIATE = 10, 4
#: Values that it keeps of a target token in the head, as a multiple of the vocabulary, four bytes each.
_OF_VOCABULARY = 3
_FEWEST = 512


def most_tokens(model: PreTrainedModel) -> int:
    """Return the most tokens of a row that this model can be trained on here, a power of two or its whole context.

    A row may take half of the memory that the weights leave, as estimated from the model's sizes. It depends on how
    much memory the machine or container has, not on how much is free: the same request gives the same rows.
    """
    config = model.config.get_text_config()
    width = next(model.parameters()).element_size()
    hidden = config.hidden_size
    intermediate = getattr(config, "intermediate_size", None) or 4 * hidden
    of_token = (
        config.num_hidden_layers * (_OF_HIDDEN * hidden + _OF_INTERMEDIATE * intermediate) * width
        + _OF_VOCABULARY * 4 * config.vocab_size
    )
    weights = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    fitting = max(_FEWEST, (memory(model.device) - weights) // 2 // of_token)
    context = getattr(config, "max_position_embeddings", None) or fitting
    return int(min(context, 2 ** (int(fitting).bit_length() - 1)))


def memory(device: torch.device) -> int:
    """Return the bytes of the device's memory, or those that this process's container may use."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    total = psutil.virtual_memory().total
    try:
        limit = _CGROUP_LIMIT.read_text("ascii").strip()
    except OSError:
        return total
    return min(total, int(limit)) if limit.isdigit() else total
