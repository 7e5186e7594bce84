"""Loads the base model from local files: safetensors only, and never code from the folder."""

from pathlib import Path
from typing import Any, cast

import torch
from torch.utils import deterministic
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    PreTrainedModel,
)
from transformers.utils import logging

from learners.errors import BadRequest, UnusableModel
from learners.models.attention import attention_for
from learners.models.base import REMEDY
from learners.models.damage import check_config, unusable_where_damaged
from learners.types import Dtype


def prepare_torch(threads: int) -> None:
    """Set what holds for the whole process: threads (0: as torch decides) and reproducible kernels."""
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    if threads:
        torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    torch.use_deterministic_algorithms(True)
    deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # costs a tenth of the time


def choose_device(name: str) -> torch.device:
    """Return the device; for "auto" a GPU where there is one. Raises BadRequest for a device that is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (AssertionError, RuntimeError) as error:
        raise BadRequest(f"device {name!r} can't be used here: {error}") from error
    return device


def choose_dtype(name: Dtype, device: torch.device) -> torch.dtype:
    """For "auto", bfloat16 where the hardware multiplies it, which is about twice as fast; else float32."""
    if name != "auto":
        return torch.bfloat16 if name == "bfloat16" else torch.float32
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        capabilities = torch.cpu.get_capabilities()
        fast = bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    return torch.bfloat16 if fast else torch.float32


def load_base(folder: Path, dtype: torch.dtype, device: torch.device) -> PreTrainedModel:
    """Return the frozen base model in evaluation mode. Raises UnusableModel that names the damaged file."""
    check_config(folder)
    model = load_weights(AutoModelForCausalLM, folder, dtype, what="model")
    return frozen(model, device)


def load_weights(
    kind: type[AutoModel] | type[AutoModelForCausalLM],
    folder: Path,
    dtype: torch.dtype,
    *,
    what: str,
    unused: tuple[str, ...] = (),
) -> PreTrainedModel:
    """Return the model with all weights that its config.json asks for. Raises UnusableModel, which calls it ``what``.

    ``unused`` are beginnings of the names of weights that may be missing, as the caller does not use them.
    """
    with unusable_where_damaged(f"the {what} in {folder}", weights_of=folder):
        loaded: Any = kind.from_pretrained(
            folder,
            dtype=dtype,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
        )
    model, found = cast("tuple[PreTrainedModel, dict[str, set[str]]]", loaded)
    if missing := sorted(name for name in found["missing_keys"] if not name.startswith(unused)):
        # transformers would go on with random values in their place.
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise UnusableModel(
            f"the weights of the {what} in {folder} lack {missing[0]}{more}, which its config.json asks for; {REMEDY}"
        )
    return model


def frozen(model: PreTrainedModel, device: torch.device) -> PreTrainedModel:
    """Return the model on its device, in evaluation mode, without gradients."""
    model.set_attn_implementation(attention_for(model.config, device))
    model.requires_grad_(False)
    model.train(False)
    model.to(device)  # type: ignore[arg-type]
    return model
