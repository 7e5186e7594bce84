"""What each learning method learns from. Imports no torch, so that training sets and decisions can ask."""

from typing import Literal, TypeAlias

from learners.types import Teaching

#: Weighted supervised fine-tuning, direct preference optimisation and Kahneman-Tversky optimisation, of LoRA adapters.
MethodName: TypeAlias = Literal["lora", "dpo", "kto"]

_LEARNS_FROM: dict[MethodName, frozenset[Teaching]] = {
    "lora": frozenset({"imitate", "prefer"}),  # of a pair, the better answer
    "dpo": frozenset({"imitate", "prefer"}),
    "kto": frozenset({"imitate", "prefer", "avoid"}),
}
_NEEDS: dict[MethodName, tuple[frozenset[Teaching], ...]] = {
    "lora": (frozenset({"imitate", "prefer"}),),
    "dpo": (frozenset({"prefer"}),),
    "kto": (frozenset({"imitate", "prefer"}), frozenset({"prefer", "avoid"})),
}


def learns_from(method: MethodName) -> frozenset[Teaching]:
    """Return which lines of a training set the method learns from; it skips the others."""
    return _LEARNS_FROM[method]


def needs(method: MethodName) -> tuple[frozenset[Teaching], ...]:
    """Return what a training set must have for the method: of each of these sets, a line of one of its kinds."""
    return _NEEDS[method]


def compares(method: MethodName) -> bool:
    """Return whether the method learns which answers users prefer, so that it may learn to please them."""
    return method != "lora"
