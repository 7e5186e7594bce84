"""Pydantic annotations for the registry's values in JSON."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, TypeAlias

from pydantic import (
    ConfigDict,
    GetPydanticSchema,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    ValidationInfo,
    WrapValidator,
)
from pydantic_core.core_schema import ValidatorFunctionWrapHandler

#: Documents are validated strictly, when read and when written.
STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, revalidate_instances="always")


def _number(value: object, validate: ValidatorFunctionWrapHandler, info: ValidationInfo) -> float:
    if value in ("inf", "-inf") or (info.mode == "python" and value in (math.inf, -math.inf)):
        return float(value)
    return float(validate(value))


def _number_as_json(value: float) -> float | str:
    return str(value) if math.isinf(value) else value


def _moment(value: object) -> datetime:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(moment, datetime):
        raise ValueError(f"expected a time as text, found {value!r}")  # noqa: TRY004 (pydantic collects ValueErrors)
    if moment.tzinfo is None:
        raise ValueError(f"{value} has no time zone")
    return moment


def _moment_as_json(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="microseconds")


def _json_value(value: object) -> object:
    """Return a value as JSON values, tuples as lists. Raises ValueError."""
    match value:
        case None | bool() | int() | str():
            return value
        case float() if math.isfinite(value):
            return value
        case list() | tuple():
            return [_json_value(inner) for inner in value]
        case Mapping() if all(isinstance(name, str) for name in value):
            return {name: _json_value(inner) for name, inner in value.items()}
    raise ValueError(f"{value!r} can't be written as JSON")


#: A float. JSON has no infinity, so it is written as "inf" or "-inf". NaN is refused.
Number: TypeAlias = Annotated[float, WrapValidator(_number), PlainSerializer(_number_as_json)]
#: A time with a time zone; written in UTC with microseconds.
Moment: TypeAlias = Annotated[datetime, PlainValidator(_moment), PlainSerializer(_moment_as_json)]
#: A JSON object with values of any JSON type.
FreeForm: TypeAlias = Annotated[
    Mapping[str, object],
    GetPydanticSchema(lambda _, schema: schema(dict[str, Annotated[object, PlainValidator(_json_value)]])),
]


def explain(error: ValidationError, where: str) -> str:
    """Return the path of every refused field, from ``where``, with the reason."""
    return "; ".join(f"{where}{_path(detail['loc'])}: {detail['msg']}" for detail in error.errors())


def _path(location: tuple[int | str, ...]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
