"""Version names: ``support-bot-v7`` is version 7 of the model line ``support-bot``."""

import re
from dataclasses import dataclass
from typing import Self

from pydantic_core import CoreSchema, core_schema

from registry.errors import RegistryError

_LINE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NAME = re.compile(rf"({_LINE.pattern})-v(0|[1-9][0-9]{{0,8}})")


class BadName(RegistryError):
    """The text is not a version name."""


@dataclass(frozen=True, order=True, slots=True)
class VersionName:
    """A version's name. Number 0 is the bare base model."""

    line: str
    number: int

    def __post_init__(self) -> None:
        if not _LINE.fullmatch(self.line) or self.number < 0:
            raise BadName(
                f"{self.line!r}, version {self.number}: a model line is 1-63 lowercase letters, digits and inner dashes"
            )

    def __str__(self) -> str:
        return f"{self.line}-v{self.number}"

    @classmethod
    def parse(cls, text: str, *, line: str | None = None) -> Self:
        """Parse ``support-bot-v7``; if ``line`` is given, ``v7`` and ``7`` are accepted too.

        Raises BadName.
        """
        if line is not None and (short := re.fullmatch(r"v?(0|[1-9][0-9]{0,8})", text)):
            return cls(line, int(short.group(1)))
        if (full := _NAME.fullmatch(text)) is None:
            raise BadName(f"{text!r} is not a version; give a name such as {line or 'support-bot'}-v7")
        return cls(full.group(1), int(full.group(2)))

    @classmethod
    def __get_pydantic_core_schema__(cls, *_: object) -> CoreSchema:
        """Tell pydantic that a version name is a string in JSON."""
        return core_schema.no_info_plain_validator_function(
            cls._validated, serialization=core_schema.to_string_ser_schema()
        )

    @classmethod
    def _validated(cls, value: object) -> Self:
        if isinstance(value, cls):
            return value
        if not isinstance(value, str):
            raise ValueError(f"expected the name of a version as text, found {value!r}")  # noqa: TRY004 (pydantic collects ValueErrors)
        try:
            return cls.parse(value)
        except BadName as error:
            raise ValueError(str(error)) from error
