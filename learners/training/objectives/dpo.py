"""Direct preference optimisation (Rafailov et al. 2023, arXiv:2305.18290) on packed rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from peft import PeftModel
from torch.nn import functional

from learners.encoding.lessons import EncodedLesson
from learners.encoding.rows import Encoded
from learners.training.learnable import check_pairs
from learners.training.objectives.likelihoods import log_likelihoods, losses_of
from learners.training.objectives.objective import Check, Part
from learners.training.peers import ALONE, Peers
from learners.training.schedule import Step
from learners.types import LoraSettings

_REFERENCE = "reference"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Unit:
    """A pair, the better answer first; or a row of answers to imitate."""

    answers: tuple[Encoded, ...]
    weight: float

    @property
    def is_pair(self) -> bool:
        return len(self.answers) == 2


class DirectPreference:
    """DPO of pairs (eq. 7), and the supervised loss of all that is imitated, better answers included.

    The loss of a step is the mean over its pairs plus ``supervised_weight`` times the mean over target tokens, both weighted
    as the lines are. Keeps the Objective protocol.
    """

    def __init__(self, lessons: Sequence[EncodedLesson], *, beta: float, supervised_weight: float) -> None:
        """Raises NoPairs."""
        check_pairs(lessons)
        self._beta = beta
        self._supervised_weight = supervised_weight
        self._units = list(_units(lessons, supervised=supervised_weight > 0))
        pairs = sum(unit.is_pair for unit in self._units)
        self.lengths: Sequence[int] = [
            sum(len(answer.ids) for answer in unit.answers) for unit in self._units
        ]
        self.facts: Mapping[str, float] = {"pairs": pairs, "imitated": len(self._units) - pairs}
        self._reference = torch.zeros(len(self._units), 2)  # of pairs

    def start(self, model: PeftModel, check: Check, peers: Peers = ALONE) -> None:
        """Compute the log-likelihoods of pairs."""
        pairs = [place for place, unit in enumerate(self._units) if unit.is_pair]
        answers = [answer for place in pairs for answer in self._units[place].answers]
        self._reference[pairs] = log_likelihoods(model, answers, check, peers).view(-1, 2)

    @property
    def state(self) -> Mapping[str, torch.Tensor]:
        return {_REFERENCE: self._reference}

    def restore(self, state: Mapping[str, torch.Tensor]) -> None:
        self._reference = state[_REFERENCE]

    def parts(self, model: PeftModel, step: Step, peers: Peers = ALONE) -> Iterator[Part]:
        """Yield the loss of each packed row of units."""
        units = [self._units[place] for row in step for place in row]
        of_pairs = sum(unit.weight for unit in units if unit.is_pair)
        of_tokens = sum(unit.weight * unit.answers[0].target_tokens for unit in units)
        for row in peers.share(step):
            answers = [answer for place in row for answer in self._units[place].answers]
            losses = iter(losses_of(model, answers))
            terms = []
            for place in row:
                unit = self._units[place]
                nll = [next(losses).sum() for _ in unit.answers]
                if unit.is_pair:
                    terms.append(self._pair_loss(place, *nll) * (unit.weight / of_pairs))
                if self._supervised_weight:
                    terms.append(nll[0] * (self._supervised_weight * unit.weight / of_tokens))
            yield Part(
                loss=torch.stack(terms).sum(),
                tokens=sum(len(answer.ids) for answer in answers),
                target_tokens=sum(answer.target_tokens for answer in answers),
            )

    def _pair_loss(self, place: int, better: torch.Tensor, worse: torch.Tensor) -> torch.Tensor:
        """Return the loss of a pair, of the negative log-likelihoods of its answers."""
        reference = self._reference[place].to(better.device)
        margin = (-better - reference[0]) - (-worse - reference[1])
        return -functional.logsigmoid(self._beta * margin)


def _units(lessons: Sequence[EncodedLesson], *, supervised: bool) -> Iterator[_Unit]:
    for lesson in lessons:
        if lesson.is_pair:
            yield _Unit(answers=lesson.rows, weight=lesson.weight)
        elif supervised:
            for row in lesson.imitated:
                yield _Unit(answers=(row,), weight=lesson.weight)


def direct_preference(lessons: Sequence[EncodedLesson], settings: LoraSettings) -> DirectPreference:
    """See MakeObjective."""
    return DirectPreference(lessons, beta=settings.beta, supervised_weight=settings.supervised_weight)
