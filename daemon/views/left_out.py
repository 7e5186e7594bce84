"""What was left out of what a run learned from."""

from collections.abc import Mapping
from dataclasses import dataclass

from daemon.domain.runs import Run
from daemon.training.planned_run import from_json


@dataclass(frozen=True, kw_only=True, slots=True)
class LeftOutOfRun:
    """Conversations that a run did not learn from, by reason."""

    curation: Mapping[str, int]  # new ones that did not enter the training set
    encoder: Mapping[str, int]  # of the training set, those that can't be rendered or are too long


def left_out_of(run: Run) -> LeftOutOfRun:
    """Return what a run left out. Runs of earlier releases do not know all."""
    return LeftOutOfRun(curation=from_json(run.request).dataset.left_out, encoder=skipped_by(run))


def skipped_by(run: Run) -> Mapping[str, int]:
    """Return how much of its training set a finished run could not learn from, by reason."""
    skipped = (run.result or {}).get("skipped")
    return {str(reason): int(count) for reason, count in skipped.items()} if isinstance(skipped, dict) else {}
