"""The sequential detector's state as the ledger stores it."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from monitors.sequential.detector_state import DetectorState
from monitors.types import Aspect

_STATE = TypeAdapter(DetectorState)


class _Stored(BaseModel):
    """Fields have the names of the detector's; their aliases are the keys in the ledger."""

    model_config = ConfigDict(from_attributes=True, validate_by_name=True, validate_by_alias=True)


class _StoredWealth(_Stored):
    wealth: float
    since: int | None
    weights: tuple[float, ...] = Field(alias="shares")
    variances: tuple[float, ...] = Field(alias="spread")


class _StoredLate(_Stored):
    until: int
    levels: Mapping[str, Mapping[int, int]]
    recent: tuple[int, ...]
    count: int = 0
    recent_at: tuple[int, ...] = ()


class _StoredState(_Stored):
    count: int
    begins: int = 0
    recent: tuple[int, ...]
    wealths: Mapping[Aspect, _StoredWealth] = Field(alias="stakes")
    late: Mapping[Aspect, _StoredLate] = Field(alias="heard", default_factory=dict)


def state_to_json(state: DetectorState) -> dict[str, Any]:
    """Return the state in JSON's own types."""
    return _StoredState.model_validate(state).model_dump(mode="json", by_alias=True)


def state_from_json(document: Mapping[str, Any]) -> DetectorState:
    """Read what ``state_to_json`` wrote. Fields that earlier releases did not write get their defaults."""
    return _STATE.validate_python(_StoredState.model_validate(document).model_dump())
