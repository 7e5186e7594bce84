"""Kahneman-Tversky optimisation (Ethayarajh et al. 2024, arXiv:2402.01306) on packed rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from peft import PeftModel

from learners.encoding.lessons import EncodedLesson
from learners.encoding.rows import Encoded
from learners.training.learnable import check_sides
from learners.training.objectives.likelihoods import log_likelihoods, losses_of
from learners.training.objectives.objective import Check, Part
from learners.training.peers import ALONE, Peers
from learners.training.schedule import Step
from learners.types import LoraSettings

_REFERENCE, _MISMATCHED = "reference", "reference_mismatched"
#: Largest ratio of what desirable and undesirable answers weigh together (eq. 8).
_MOST_DESIRABLE = 4 / 3


@dataclass(frozen=True, kw_only=True, slots=True)
class _Unit:
    """A row whose answers are desirable, or not."""

    row: Encoded
    desirable: bool
    weight: float


class KahnemanTversky:
    """The loss of desirable and of undesirable answers (eq. 7), a mean weighted as the lines are.

    A unit is a row. The reference point is the mean log-ratio of the step's mismatched rows, at least 0. A mismatched row is
    a unit's prompt with the answer of the last unit before it that has another prompt; so TRL estimates it, too. The rarer
    side weighs more, until desirable answers weigh together as much as undesirable ones, to four thirds of it. Keeps the
    Objective protocol.
    """

    def __init__(self, lessons: Sequence[EncodedLesson], *, beta: float, max_tokens: int) -> None:
        """Raises OneSided."""
        check_sides(lessons)
        self._beta = beta
        self._units = list(_units(lessons))
        self._mismatched = mismatched([unit.row for unit in self._units], max_tokens=max_tokens)
        sides = [sum(u.weight for u in self._units if u.desirable is side) for side in (True, False)]
        self._balance = balance(*sides)
        self.lengths: Sequence[int] = [len(unit.row.ids) for unit in self._units]
        self.facts: Mapping[str, float] = {
            "desirable": sum(unit.desirable for unit in self._units),
            "undesirable": sum(not unit.desirable for unit in self._units),
            "desirable_weight": self._balance[0],
            "undesirable_weight": self._balance[1],
        }
        self._reference = torch.zeros(len(self._units))
        self._reference_mismatched = torch.zeros(len(self._units))

    def start(self, model: PeftModel, check: Check, peers: Peers = ALONE) -> None:
        """Compute the log-likelihoods of all units, and of all mismatched rows."""
        self._reference = log_likelihoods(model, [unit.row for unit in self._units], check, peers)
        present = [place for place, row in enumerate(self._mismatched) if row is not None]
        rows = [row for row in self._mismatched if row is not None]
        self._reference_mismatched[present] = log_likelihoods(model, rows, check, peers)

    @property
    def state(self) -> Mapping[str, torch.Tensor]:
        return {_REFERENCE: self._reference, _MISMATCHED: self._reference_mismatched}

    def restore(self, state: Mapping[str, torch.Tensor]) -> None:
        self._reference, self._reference_mismatched = state[_REFERENCE], state[_MISMATCHED]

    def parts(self, model: PeftModel, step: Step, peers: Peers = ALONE) -> Iterator[Part]:
        """Yield the loss of each packed row of units."""
        divergence = self._divergence(model, step, peers)
        total = sum(self._units[place].weight for row in step for place in row)
        for row in peers.share(step):
            answers = [self._units[place].row for place in row]
            terms = [
                self._unit_loss(place, -losses.sum(), divergence) / total
                for place, losses in zip(row, losses_of(model, answers), strict=True)
            ]
            yield Part(
                loss=torch.stack(terms).sum(),
                tokens=sum(len(answer.ids) for answer in answers),
                target_tokens=sum(answer.target_tokens for answer in answers),
            )

    def _divergence(self, model: PeftModel, step: Step, peers: Peers) -> float:
        """Return the estimate of how far the model is from the one that the run started from, in nats."""
        places = [place for row in peers.share(step) for place in row]
        found = [(place, row) for place in places if (row := self._mismatched[place]) is not None]
        with torch.no_grad():
            losses = losses_of(model, [row for _, row in found])
        ratios = [
            -float(loss.sum()) - float(self._reference_mismatched[place])
            for (place, _), loss in zip(found, losses, strict=True)
        ]
        total, count = peers.total(sum(ratios), len(ratios))
        return max(0.0, total / count) if count else 0.0

    def _unit_loss(self, place: int, likelihood: torch.Tensor, divergence: float) -> torch.Tensor:
        unit = self._units[place]
        above = likelihood - float(self._reference[place]) - divergence
        worth = torch.sigmoid(self._beta * (above if unit.desirable else -above))
        return (1 - worth) * (self._balance[0 if unit.desirable else 1] * unit.weight)


def balance(desirable: float, undesirable: float) -> tuple[float, float]:
    """Return the weights of both sides, at least 1, with which desirable answers weigh 1 to 4/3 times the others."""
    ratio = desirable / undesirable
    return max(1.0, 1 / ratio), max(1.0, ratio / _MOST_DESIRABLE)


def mismatched(rows: Sequence[Encoded], *, max_tokens: int) -> list[Encoded | None]:
    """Return the prompt of each row with the answers of the last one before it, or else after it, that has another prompt.

    They are cut to ``max_tokens``; None where all have the same prompt.
    """
    prompts = [row.ids[: row.targets.index(True)] for row in rows]
    numbers: dict[tuple[int, ...], int] = {}
    numbered = [numbers.setdefault(prompt, len(numbers)) for prompt in prompts]
    if len(numbers) == 1:
        return [None] * len(rows)
    found: list[Encoded | None] = []
    for place, (row, prompt) in enumerate(zip(rows, prompts, strict=True)):
        preceding = chain(range(place - 1, -1, -1), range(len(rows) - 1, place, -1))
        other = next(other for other in preceding if numbered[other] != numbered[place])
        start = len(prompts[other])
        ids = (*prompt, *rows[other].ids[start:])
        targets = (*[False] * len(prompt), *rows[other].targets[start:])
        found.append(Encoded(id=row.id, ids=ids[:max_tokens], targets=targets[:max_tokens]))
    return found


def _units(lessons: Sequence[EncodedLesson]) -> Iterator[_Unit]:
    for lesson in lessons:
        for row in lesson.imitated:
            yield _Unit(row=row, desirable=True, weight=lesson.weight)
        for row in lesson.avoided:
            yield _Unit(row=row, desirable=False, weight=lesson.weight)


def kahneman_tversky(lessons: Sequence[EncodedLesson], settings: LoraSettings) -> KahnemanTversky:
    """See MakeObjective. ``settings.max_tokens`` is a number."""
    if settings.max_tokens == "auto":
        raise ValueError("max_tokens is not decided")
    return KahnemanTversky(lessons, beta=settings.beta, max_tokens=settings.max_tokens)
