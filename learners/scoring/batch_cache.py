"""Keys and values of a batch of sequences, one a row, in buffers that are written in place."""

from collections.abc import Sequence

import torch
from transformers import Cache, DynamicCache, PreTrainedModel
from transformers.cache_utils import CacheLayerMixin, DynamicLayer, DynamicSlidingWindowLayer


class BatchCache(Cache):
    """The cache of sequences that end at the same place of their rows: shorter prompts begin later.

    What stands before a prompt is zero and must be masked. Rows can be left out; no step copies what is there already,
    as transformers' own cache does.
    """

    def __init__(self, *, rows: int, width: int, capacity: int) -> None:
        """``width``: tokens of the longest prompt. ``capacity``: the most tokens of a row."""
        self._layers: list[_BatchLayer] = []
        super().__init__(layers=self._layers)  # type: ignore[arg-type]
        self._rows, self._width, self._capacity = rows, width, capacity

    def fill(self, prefilled: DynamicCache, parts: Sequence[tuple[int, int]]) -> None:
        """Take over a row of packed prompts. ``parts``: for each prompt in it, its row here and its length."""
        for number, (keys, values, _) in enumerate(prefilled):
            if number == len(self._layers):
                buffers = self._buffer(keys), self._buffer(values)
                self._layers.append(_BatchLayer(*buffers, filled=self._width))
            layer = self._layers[number]
            start = 0
            for row, length in parts:
                here, there = slice(self._width - length, self._width), slice(start, start + length)
                layer.keys[row, :, here] = keys[0, :, there]
                layer.values[row, :, here] = values[0, :, there]
                start += length

    def move(self, source: int, target: int) -> None:
        """Put one row in the place of another."""
        for layer in self._layers:
            length = layer.get_seq_length()
            layer.keys[target, :, :length] = layer.keys[source, :, :length]
            layer.values[target, :, :length] = layer.values[source, :, :length]

    def _buffer(self, like: torch.Tensor) -> torch.Tensor:
        _, heads, _, size = like.shape
        return like.new_zeros(self._rows, heads, self._capacity, size)


class _BatchLayer(CacheLayerMixin):  # type: ignore[no-untyped-call]
    """One layer's keys and values, of shape (rows, heads, capacity, head size). A step writes the first rows only."""

    is_sliding = False

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, *, filled: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.keys: torch.Tensor = keys
        self.values: torch.Tensor = values
        self.is_initialized = True
        self._filled = filled

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Do nothing: the buffers are there."""

    def update(
        self,
        key_states: torch.Tensor,
        value_states: torch.Tensor,
        *args: object,  # noqa: ARG002 (of other layers)
        **kwargs: object,  # noqa: ARG002 (likewise)
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write the new tokens; return all of these rows."""
        rows = key_states.shape[0]
        end = self._filled + key_states.shape[2]
        self.keys[:rows, :, self._filled : end] = key_states
        self.values[:rows, :, self._filled : end] = value_states
        self._filled = end
        return self.keys[:rows, :, :end], self.values[:rows, :, :end]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self._filled + query_length, 0

    def get_seq_length(self) -> int:
        return self._filled

    def get_max_length(self) -> int:
        return int(self.keys.shape[2])


def can_be_batched(model: PreTrainedModel) -> bool:
    """Return whether the model keeps nothing but keys and values, so that masks alone keep padding out."""
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ())
    return (
        kinds <= {"full_attention", "sliding_attention"}
        and getattr(config, "attention_chunk_size", None) is None
        and all(
            type(layer) in (DynamicLayer, DynamicSlidingWindowLayer)
            for layer in DynamicCache(config=config).layers
        )
    )
