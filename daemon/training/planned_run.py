"""A planned run, and its JSON in the ledger."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from daemon.domain.runs import TrainingRecord
from daemon.training.built_dataset import Dataset
from learners.codec import request_to_json
from learners.types import TrainRequest


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedRun:
    """A training request, where its data came from, and the version it continues from."""

    request: TrainRequest
    dataset: Dataset
    parent: str | None  # name of the version that the run continues from; None: the bare base
    until_seq: int  # the newest conversation when the run was planned, held out or not


_CODEC = TypeAdapter(PlannedRun)


def to_json(planned: PlannedRun) -> dict[str, Any]:
    """Return plain JSON values, without the training records: the ledger keeps those in their own table."""
    rest = _CODEC.dump_python(planned, mode="json", exclude={"request": True, "dataset": {"records"}})
    return {"request": json.loads(request_to_json(planned.request)), **rest}


def from_json(document: Mapping[str, Any], *, records: Iterable[TrainingRecord] = ()) -> PlannedRun:
    """Read what ``to_json`` wrote; ``records`` are the run's training records, for callers that need them."""
    dataset = {**document["dataset"], "records": tuple(records)}
    return _CODEC.validate_python({**document, "dataset": dataset})
