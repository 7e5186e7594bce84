"""What every objective of a training promises."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from peft import PeftModel

from learners.encoding.lessons import EncodedLesson
from learners.training.peers import ALONE, Peers
from learners.training.schedule import Step
from learners.types import LoraSettings

Check = Callable[[], None]  # raises to end the work; called several times a second


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A part of a step's loss: what one forward pass gives."""

    loss: torch.Tensor  # a scalar; those of all parts, of all processes, add up to the loss of the step
    tokens: int
    target_tokens: int


class Objective(Protocol):
    """What a run minimises.

    It holds what is learned as units, each of which is learned in one step, such as a row, or the two rows of a pair. Steps
    name units by their numbers.
    """

    @property
    def lengths(self) -> Sequence[int]:
        """Tokens of each unit."""
        ...

    @property
    def facts(self) -> Mapping[str, float]:
        """What the run's record states beside the settings, such as weights that the data decides."""
        ...

    def start(self, model: PeftModel, check: Check, peers: Peers = ALONE) -> None:
        """Compute what losses are compared with, under the model that the run starts from: the same model, the same values.

        Raises what ``check`` raises.
        """
        ...

    @property
    def state(self) -> Mapping[str, torch.Tensor]:
        """What ``start`` computed; a checkpoint keeps it."""
        ...

    def restore(self, state: Mapping[str, torch.Tensor]) -> None:
        """Take up the state of a checkpoint, instead of ``start``."""
        ...

    def parts(self, model: PeftModel, step: Step, peers: Peers = ALONE) -> Iterator[Part]:
        """Yield this process's share of the loss of a step in parts, one a row of the step.

        Each is back-propagated before the next is computed, to save memory.
        """
        ...


#: Makes the objective of a run. Raises Unlearnable where the lessons lack what the method needs.
MakeObjective = Callable[[Sequence[EncodedLesson], LoraSettings], Objective]
