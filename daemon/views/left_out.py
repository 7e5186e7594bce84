"""What a run learned, and what was left out of it."""

from collections.abc import Mapping
from dataclasses import dataclass

from daemon.domain.runs import Run
from daemon.training.planned_run import from_json


@dataclass(frozen=True, kw_only=True, slots=True)
class LeftOutOfRun:
    """What a run did not learn from, by reason."""

    curation: Mapping[str, int]  # new ones that did not enter the training set
    encoder: Mapping[str, int]  # of the training set, those that can't be rendered or are too long
    answers: Mapping[str, int]  # answers of the conversations that it learned from


def left_out_of(run: Run) -> LeftOutOfRun:
    """Return what a run left out. Runs of earlier releases do not know all."""
    return LeftOutOfRun(
        curation=from_json(run.request).dataset.left_out,
        encoder=skipped_by(run),
        answers=answers_left_out_by(run),
    )


def lessons_of_run(run: Run) -> Mapping[str, int]:
    """Return the lessons of a run's training set by kind, those of replay as one kind; none of earlier releases' runs."""
    return from_json(run.request).dataset.lessons


def skipped_by(run: Run) -> Mapping[str, int]:
    """Return how much of its training set a finished run could not learn from, by reason."""
    return _counts(run, "skipped")


def answers_left_out_by(run: Run) -> Mapping[str, int]:
    """Return how many answers a finished run left out of conversations that it learned from, by reason."""
    return _counts(run, "left_out_answers")


def _counts(run: Run, key: str) -> Mapping[str, int]:
    counts = (run.result or {}).get(key)
    return {str(reason): int(count) for reason, count in counts.items()} if isinstance(counts, dict) else {}
