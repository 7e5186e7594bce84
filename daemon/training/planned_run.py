"""Writes and reads training requests: what the ledger keeps of a run, enough to start it again."""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.domain.runs import TrainingRecord
from daemon.domain.windows import SeqRange
from daemon.training.dataset import Dataset
from learners.codec import request_from_json, request_to_json
from learners.types import TrainRequest
from registry.types import OffsetRange


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedRun:
    """A training request with where its data came from and which version it starts from."""

    request: TrainRequest
    dataset: Dataset
    parent: str | None  # name of the version that training goes on from; None: the bare base
    until_seq: int  # the newest conversation when it was planned, held out or not


def to_json(planned: PlannedRun) -> dict[str, Any]:
    """Return plain JSON values. The list of records is left out: the ledger keeps it in a table of its own."""
    dataset = dataclasses.asdict(dataclasses.replace(planned.dataset, records=()))
    dataset = {**dataset, "path": str(planned.dataset.path)}
    del dataset["records"]
    return {
        "request": json.loads(request_to_json(planned.request)),
        "dataset": dataset,
        "parent": planned.parent,
        "until_seq": planned.until_seq,
    }


def from_json(document: Mapping[str, Any], *, records: Iterable[TrainingRecord] = ()) -> PlannedRun:
    """Read what ``to_json`` wrote, with the run's list of records where the reader needs it."""
    dataset = document["dataset"]
    return PlannedRun(
        request=request_from_json(json.dumps(document["request"])),
        dataset=Dataset(
            **{
                "left_out": {},  # of runs before there was curation
                **dataset,
                "path": Path(dataset["path"]),
                "span": SeqRange(**dataset["span"]),
                "sources": tuple(OffsetRange(**source) for source in dataset["sources"]),
                "records": tuple(records),
            }
        ),
        parent=document["parent"],
        until_seq=document["until_seq"],
    )
