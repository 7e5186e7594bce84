"""Turns texts into vectors with a local model: safetensors only, and never code from its folder."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch.nn.functional import normalize
from transformers import AutoModel, PreTrainedModel

from learners.embedding.encoder_files import Pooling, resolve_encoder
from learners.models.loading import choose_device, load_weights
from learners.models.tokenizer import load_tokenizer

#: The pooler of BERT and its kin works on the first token's state; vectors are pooled here. Many encoders lack it.
_UNUSED = ("pooler.",)


class Encoder:
    """An embedding model. A text without tokens has the zero vector."""

    def __init__(self, name: Path, *, device: str, max_tokens: int, batch: int) -> None:
        """Load the model. Raises UnusableModel, BadRequest."""
        folder, pooling = resolve_encoder(name)
        self._pool = _POOLS[pooling]
        self._device = choose_device(device)
        self._tokenizer = load_tokenizer(folder)
        self._tokenizer.padding_side = "right"
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        self._model = _load(folder).to(self._device)  # type: ignore[arg-type]
        self._max_tokens = min(max_tokens, self._tokenizer.model_max_length)
        self._batch = batch

    @torch.inference_mode()
    def vectors(self, texts: Sequence[str]) -> list[bytes]:
        """Return a unit vector per text, little-endian float32, in the order of the texts."""
        found = [b""] * len(texts)
        by_length = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        for start in range(0, len(texts), self._batch):
            places = by_length[start : start + self._batch]
            rows = self._rows([texts[place] for place in places]).cpu().numpy().astype("<f4")
            for place, row in zip(places, rows, strict=True):
                found[place] = row.tobytes()
        return found

    def _rows(self, texts: Sequence[str]) -> torch.Tensor:
        encoded = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=self._max_tokens, return_tensors="pt"
        ).to(self._device)
        states = self._model(
            input_ids=encoded["input_ids"], attention_mask=encoded["attention_mask"]
        ).last_hidden_state
        return normalize(self._pool(states.float(), encoded["attention_mask"]), dim=1)


def _load(folder: Path) -> PreTrainedModel:
    model = load_weights(AutoModel, folder, torch.float32, what="embedding model", unused=_UNUSED)
    model.requires_grad_(False)
    model.train(False)
    return model


def _mean(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    weights = mask.unsqueeze(-1)
    return (states * weights).sum(1) / weights.sum(1).clamp(min=1)


def _max(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return states.masked_fill(mask.unsqueeze(-1) == 0, -torch.inf).amax(1).nan_to_num(neginf=0.0)


def _last(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    last = mask.sum(1).clamp(min=1) - 1
    return states[torch.arange(len(states), device=states.device), last]


_POOLS: Mapping[Pooling, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "mean": _mean,
    "cls": lambda states, _: states[:, 0],
    "max": _max,
    "lasttoken": _last,
}
