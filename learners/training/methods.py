"""Learning methods by name."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from learners.method_names import MethodName
from learners.training.objectives.dpo import direct_preference
from learners.training.objectives.kto import kahneman_tversky
from learners.training.objectives.objective import MakeObjective
from learners.training.objectives.supervised import supervised
from learners.training.progress_meter import Report
from learners.training.train import train
from learners.types import RunResult, TrainRequest


class Learner(Protocol):
    """Turns a request into an artifact: the folder ``request.output``, complete or absent.

    The same request gives the same bytes on the same machine, also if the run was resumed from its checkpoint.
    ``report`` gets the progress about once a second; ``should_stop`` is asked several times a second. Raises BadRequest, BadAdapter,
    UnusableModel, Diverged or Cancelled; NoTargets, TooManySkipped, EndNotLearned, AnswersCut, NoPairs or OneSided before the
    first step; NothingChanged after the last.
    """

    def __call__(
        self, request: TrainRequest, report: Report, should_stop: Callable[[], bool]
    ) -> RunResult: ...


_OBJECTIVES: Mapping[MethodName, MakeObjective] = {
    "lora": supervised,
    "dpo": direct_preference,
    "kto": kahneman_tversky,
}
METHODS: Mapping[str, Learner] = {
    name: partial(train, method=name, make_objective=objective) for name, objective in _OBJECTIVES.items()
}
