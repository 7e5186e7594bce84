"""Checks that a training changed what the model computes."""

import math
from collections.abc import Mapping

import torch

from learners.errors import NothingChanged

Tensors = Mapping[str, torch.Tensor]
_A, _B = "lora_A.weight", "lora_B.weight"
#: Of a weight's norm. Smaller changes vanish when float32 numbers are added.
_NOISE = 1e-7


def check_changed(before: Tensors, after: Tensors, base: Mapping[str, float], *, scale: float) -> None:
    """Refuse an adapter that computes the same as the one that the training started from.

    ``before`` and ``after`` are adapter weights by the names of its file, ``base`` the norms of the layers' own weights by
    the names of the layers, and ``scale`` is alpha / rank. Raises NothingChanged.
    """
    largest = 0.0
    for name, new_a in after.items():
        if not name.endswith(_A):
            continue
        layer = name.removesuffix(f".{_A}")
        old, new = (before[name], before[f"{layer}.{_B}"]), (new_a, after[f"{layer}.{_B}"])
        largest = max(largest, scale * _distance(old, new) / max(base[_layer(layer, base)], 1e-30))
    if largest <= _NOISE:
        raise NothingChanged(
            f"the training changed no layer by more than {largest:.1g} of its weights, which the model's numbers do not "
            "show; raise learning.learning_rate or learning.epochs"
        )


def _distance(one: tuple[torch.Tensor, torch.Tensor], other: tuple[torch.Tensor, torch.Tensor]) -> float:
    """Return the norm of the difference of two products B @ A, without computing the products."""
    left = torch.cat([other[1], -one[1]], dim=1).double()
    right = torch.cat([other[0], one[0]], dim=0).double()
    squared = float(((left.T @ left) * (right @ right.T)).sum())
    return math.sqrt(max(squared, 0.0))


def _layer(adapted: str, base: Mapping[str, float]) -> str:
    """Return the base's name of an adapted layer, such as model.layers.0.mlp.up_proj."""
    name = adapted
    while name not in base:
        name = name.partition(".")[2]
    return name
