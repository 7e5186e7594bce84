"""Names of versions: ``support-bot-v7`` is version 7 of the model line ``support-bot``."""

import re
from dataclasses import dataclass
from typing import Self

from registry.errors import RegistryError

_LINE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NAME = re.compile(rf"({_LINE.pattern})-v(0|[1-9][0-9]{{0,8}})")


class BadName(RegistryError):
    """The text is not the name of a version."""


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
        """Read ``support-bot-v7``, or with ``line`` given also ``v7`` or ``7``.

        Raises BadName.
        """
        if line is not None and (short := re.fullmatch(r"v?(0|[1-9][0-9]{0,8})", text)):
            return cls(line, int(short.group(1)))
        if (full := _NAME.fullmatch(text)) is None:
            raise BadName(f"{text!r} is not a version; give a name such as {line or 'support-bot'}-v7")
        return cls(full.group(1), int(full.group(2)))
