"""Loads the base model and its tokenizer from local files: safetensors only, and never code from the folder."""

from pathlib import Path
from typing import Literal

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from torch.utils import deterministic
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast
from transformers.utils import logging

from learners.errors import BadRequest, UnusableModel
from learners.models.attention import attention_for

#: What transformers raises where files of a model are missing, damaged or of another kind.
_UNREADABLE = (
    ImportError,
    KeyError,
    OSError,
    RuntimeError,
    SafetensorError,
    StrictDataclassError,
    TypeError,
    ValueError,
    ZeroDivisionError,
)
_REMEDY = "restore the folder from its source"

DtypeName = Literal["auto", "float32", "bfloat16"]


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


def choose_dtype(name: DtypeName, device: torch.device) -> torch.dtype:
    """For "auto", bfloat16 where the hardware multiplies it, which is about twice as fast; else float32."""
    if name != "auto":
        return torch.bfloat16 if name == "bfloat16" else torch.float32
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        capabilities = torch.cpu.get_capabilities()
        fast = bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    return torch.bfloat16 if fast else torch.float32


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """Return the fast tokenizer, which knows character offsets. Raises UnusableModel where there is none."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except _UNREADABLE as error:
        raise UnusableModel(f"the tokenizer in {folder} can't be loaded: {error}; {_REMEDY}") from error
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise UnusableModel(
            f"{folder} needs a tokenizer.json; {type(tokenizer).__name__} has no character offsets"
        )
    return tokenizer


def load_base(folder: Path, dtype: torch.dtype, device: torch.device) -> PreTrainedModel:
    """Return the frozen base model in evaluation mode. Raises UnusableModel where its files can't be read."""
    try:
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
        )
    except _UNREADABLE as error:
        raise UnusableModel(f"the model in {folder} can't be loaded: {error}; {_REMEDY}") from error
    model.set_attn_implementation(attention_for(model.config, device))
    model.requires_grad_(False)
    model.train(False)
    model.to(device)  # type: ignore[arg-type]
    return model
