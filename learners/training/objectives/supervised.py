"""Weighted supervised fine-tuning: the loss of the answers to imitate."""

from collections.abc import Iterator, Mapping, Sequence

import torch
from peft import PeftModel

from learners.encoding.lessons import EncodedLesson
from learners.encoding.packing import packed_row
from learners.training.loss import token_losses
from learners.training.objectives.objective import Check, Part
from learners.training.peers import ALONE, Peers
from learners.training.schedule import Step
from learners.types import LoraSettings


class Supervised:
    """Loss per target token, each weighted as its line is. A unit is a row. Keeps the Objective protocol."""

    def __init__(self, lessons: Sequence[EncodedLesson]) -> None:
        self._rows = [row for lesson in lessons for row in lesson.imitated]
        self._weights = [lesson.weight for lesson in lessons for _ in lesson.imitated]
        self.lengths: Sequence[int] = [len(row.ids) for row in self._rows]
        self.facts: Mapping[str, float] = {}
        self.state: Mapping[str, torch.Tensor] = {}

    def start(self, model: PeftModel, check: Check, peers: Peers = ALONE) -> None:
        """Losses are compared with nothing."""

    def restore(self, state: Mapping[str, torch.Tensor]) -> None:
        """There is no state."""

    def parts(self, model: PeftModel, step: Step, peers: Peers = ALONE) -> Iterator[Part]:
        """Yield the loss of each packed row: the weighted losses over the weights of all targets of the step."""
        total = sum(self._weights[unit] * self._rows[unit].target_tokens for row in step for unit in row)
        for units in peers.share(step):
            row = packed_row([self._rows[unit] for unit in units])
            weights = torch.tensor([self._weights[unit] for unit in units])[row.owners]
            losses = token_losses(model, row)
            yield Part(
                loss=(losses * weights.to(losses.device)).sum() / total,
                tokens=row.tokens,
                target_tokens=row.target_tokens,
            )


def supervised(lessons: Sequence[EncodedLesson], _: LoraSettings) -> Supervised:
    """See MakeObjective."""
    return Supervised(lessons)
