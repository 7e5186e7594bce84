"""Learning methods by name."""

from collections.abc import Callable, Mapping
from typing import Protocol

from learners.training.progress_meter import Report
from learners.training.train import train_lora
from learners.types import RunResult, TrainRequest


class Learner(Protocol):
    """Turns a request into an artifact: the folder ``request.output``, complete or absent.

    The same request gives the same bytes on the same machine, also if the run was resumed from its checkpoint.
    ``report`` gets the progress about once a second; ``should_stop`` is asked several times a second. Raises BadRequest, BadAdapter,
    UnusableModel, Diverged or Cancelled; NoTargets, TooManySkipped, EndNotLearned or AnswersCut before the first step; NothingChanged after the last.
    """

    def __call__(
        self, request: TrainRequest, report: Report, should_stop: Callable[[], bool]
    ) -> RunResult: ...


METHODS: Mapping[str, Learner] = {"lora": train_lora}
