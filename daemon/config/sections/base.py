"""What all sections share."""

from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1)]

_T = TypeVar("_T")
#: A setting that a running daemon applies when it reads the file again. All others are applied by a restart.
Reloadable = Annotated[_T, Field(json_schema_extra={"reloadable": True})]


class Section(BaseModel):
    """A section: immutable, without unknown fields, each field explained by the docstring below it."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)
