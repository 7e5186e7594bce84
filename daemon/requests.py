"""Writes and reads training requests: what the ledger keeps of a run, enough to start it again."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from daemon.dataset import Dataset
from daemon.facts import SeqRange
from learners.types import LoraSettings, TrainRequest
from registry.types import OffsetRange


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedRun:
    """A training request with where its data came from and which version it starts from."""

    request: TrainRequest
    dataset: Dataset
    parent: str | None  # name of the version that training goes on from; None: the bare base


def to_json(planned: PlannedRun) -> dict[str, object]:
    """Return plain JSON values."""
    return cast("dict[str, object]", _plain(dataclasses.asdict(planned)))


def from_json(document: Mapping[str, Any]) -> PlannedRun:
    """Read what ``to_json`` wrote."""
    request, dataset = dict(document["request"]), dict(document["dataset"])
    settings = dict(request.pop("settings"))
    if isinstance(settings["target_modules"], list):
        settings["target_modules"] = tuple(settings["target_modules"])
    for name in ("base", "parent", "data", "output"):
        request[name] = None if request[name] is None else Path(request[name])
    return PlannedRun(
        request=TrainRequest(**request, settings=LoraSettings(**settings)),
        dataset=Dataset(
            **{
                **dataset,
                "path": Path(dataset["path"]),
                "span": SeqRange(**dataset["span"]),
                "sources": tuple(OffsetRange(**source) for source in dataset["sources"]),
                "records": tuple((id_, digest) for id_, digest in dataset["records"]),
            }
        ),
        parent=document["parent"],
    )


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, Path) else value
