"""The LoRA layers of a model: made anew or from files, and read back as plain tensors."""

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
    """The linear layers that an adapter can attach to: all but the head."""
    head = base.get_output_embeddings()  # type: ignore[no-untyped-call]
    return {
        name: (module.out_features, module.in_features)
        for name, module in base.named_modules()
        if isinstance(module, torch.nn.Linear) and module is not head
    }


def adapter_config(settings: LoraSettings, linears: Linears) -> AdapterConfig:
    """What the settings mean for this base. Raises BadRequest for a value that isn't allowed."""
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
    """The base with fresh LoRA layers in float32, which change nothing until they are trained.

    Their initial values come from torch's global generator: seed it before.
    """
    with warnings.catch_warnings():  # peft 0.21 asks for an attribute that transformers 5 renamed
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing`", category=FutureWarning)
        return PeftModel(base, peft_config(config, linears), adapter_name=name)


def peft_config(config: AdapterConfig, linears: Linears) -> LoraConfig:
    """In peft's words. Layers are named in full by a pattern that matches nothing else, such as a head's."""
    names = [name for name in linears if name.rpartition(".")[2] in config.target_modules]
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=config.rank,
        lora_alpha=cast(int, config.alpha),
        lora_dropout=config.dropout,
        target_modules="|".join(re.escape(name) for name in names),
    )


def read_adapter(folder: Path, linears: Linears) -> tuple[AdapterConfig, Tensors]:
    """An artifact's configuration and weights, once they are checked. Raises BadAdapter."""
    config = check_adapter(folder, linears)
    return config, load_file(folder / WEIGHTS)


def weights_of(model: PeftModel) -> dict[str, torch.Tensor]:
    """The adapter's weights under the names they have in its file, on the CPU."""
    state = get_peft_model_state_dict(model, save_embedding_layers=False)
    return {name: tensor.detach().to("cpu", torch.float32).contiguous() for name, tensor in state.items()}


def set_weights(model: PeftModel, weights: Tensors, *, name: str = "default") -> None:
    """Puts checked weights in the place of the adapter's own."""
    set_peft_model_state_dict(model, dict(weights), adapter_name=name)


def same_shape(parent: AdapterConfig, config: AdapterConfig, linears: Linears) -> bool:
    """Can a training with ``config`` go on from ``parent``?"""
    return parent.alpha == config.alpha and expected_shapes(linears, parent) == expected_shapes(
        linears, config
    )
