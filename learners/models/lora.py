"""LoRA layers of a model: made new or from files, and read back as tensors."""

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import torch
from peft import LoraConfig, PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file
from transformers import PreTrainedModel

from learners.errors import BadRequest
from learners.models.adapter_files import (
    LARGEST_RANK,
    WEIGHTS,
    AdapterConfig,
    Linears,
    check_adapter,
    expected_shapes,
)
from learners.types import LoraSettings

Tensors = Mapping[str, torch.Tensor]


def linears_of(base: PreTrainedModel) -> Linears:
    """Return the linear layers that an adapter can attach to: all but the head."""
    head = base.get_output_embeddings()  # type: ignore[no-untyped-call]
    return {
        name: (module.out_features, module.in_features)
        for name, module in base.named_modules()
        if isinstance(module, torch.nn.Linear) and module is not head
    }


def norms_of(base: PreTrainedModel) -> dict[str, float]:
    """Return the norm of each linear layer's weights."""
    modules = dict(base.named_modules())
    return {name: float(torch.linalg.vector_norm(modules[name].weight)) for name in linears_of(base)}


def adapter_config(settings: LoraSettings, linears: Linears) -> AdapterConfig:
    """Return the adapter's configuration for this base. Raises BadRequest for a value that is not allowed."""
    if not 1 <= settings.rank <= LARGEST_RANK:
        raise BadRequest(f"rank must be from 1 to {LARGEST_RANK}, not {settings.rank}")
    known = {name.rpartition(".")[2] for name in linears}
    targets = known if settings.target_modules == "all-linear" else set(settings.target_modules)
    if isinstance(settings.target_modules, str) and settings.target_modules != "all-linear":
        raise BadRequest('target_modules must be "all-linear" or a list of names')
    if not targets or not targets <= known:
        raise BadRequest(f"target_modules must be among {sorted(known)}, not {sorted(targets)}")
    return AdapterConfig(
        rank=settings.rank,
        alpha=settings.alpha,
        dropout=settings.dropout,
        target_modules=tuple(sorted(targets)),
    )


def attach(
    base: PreTrainedModel, config: AdapterConfig, linears: Linears, *, name: str = "default"
) -> PeftModel:
    """Return the base with new LoRA layers in float32, which change nothing until they are trained.

    Initial values come from torch's global generator: seed it before.
    """
    with warnings.catch_warnings():  # peft 0.21 asks for an attribute that transformers 5 renamed
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing`", category=FutureWarning)
        return PeftModel(base, peft_config(config, linears), adapter_name=name)


def peft_config(config: AdapterConfig, linears: Linears) -> LoraConfig:
    """Return peft's configuration. Its pattern matches these layers' full names and nothing else."""
    names = [name for name in linears if name.rpartition(".")[2] in config.target_modules]
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=config.rank,
        lora_alpha=cast(int, config.alpha),
        lora_dropout=config.dropout,
        target_modules="|".join(re.escape(name) for name in names),
    )


def read_adapter(folder: Path, linears: Linears) -> tuple[AdapterConfig, Tensors]:
    """Return an artifact's configuration and weights after checking them. Raises BadAdapter."""
    config = check_adapter(folder, linears)
    return config, load_file(folder / WEIGHTS)


def weights_of(model: PeftModel) -> dict[str, torch.Tensor]:
    """Return the adapter's weights on the CPU, under the names of its file."""
    state = get_peft_model_state_dict(model, save_embedding_layers=False)
    return {name: tensor.detach().to("cpu", torch.float32).contiguous() for name, tensor in state.items()}


def set_weights(model: PeftModel, weights: Tensors, *, name: str = "default") -> None:
    """Replace the adapter's weights with checked ones."""
    set_peft_model_state_dict(model, dict(weights), adapter_name=name)


def same_shape(parent: AdapterConfig, config: AdapterConfig, linears: Linears) -> bool:
    """Tell whether a training with ``config`` can continue from ``parent``."""
    return parent.alpha == config.alpha and expected_shapes(linears, parent) == expected_shapes(
        linears, config
    )
