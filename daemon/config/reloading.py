"""Compares settings read again with those in effect, and says which of them a running daemon can apply."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from daemon.config.settings import Settings
from daemon.config.urls import without_secrets

_MOST_CHARS = 120


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A setting that differs between two readings."""

    name: str  # such as policy.cooldown_s
    before: str
    after: str  # as text, secrets hidden
    reloadable: bool

    def __str__(self) -> str:
        return f"{self.name}: {self.before} -> {self.after}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ReloadReport:
    """What the latest reading of the settings by a running daemon did. The changes are in words, without secrets."""

    at: datetime
    applied: tuple[str, ...] = ()
    needs_restart: tuple[str, ...] = ()
    mistakes: tuple[str, ...] = ()  # where there is one, nothing was applied

    @property
    def sentence(self) -> str:
        """What it did, for people."""
        when = f"at {self.at:%Y-%m-%d %H:%M:%S} UTC"
        if self.mistakes:
            count = len(self.mistakes)
            found = "1 mistake" if count == 1 else f"{count} mistakes"
            return f"settings not reloaded {when}, nothing changed; {found}: {_list(self.mistakes)}"
        return f"settings reloaded {when}; applied: {_list(self.applied)}; needs a restart: {_list(self.needs_restart)}"


def is_reloadable(field: FieldInfo) -> bool:
    """Return whether a running daemon applies a change of this setting."""
    extra = field.json_schema_extra
    return isinstance(extra, Mapping) and extra.get("reloadable") is True


def changes(before: Settings, after: Settings) -> tuple[Change, ...]:
    """Return what differs, in the order of the settings."""
    return tuple(_changes(before, after, ""))


def with_reloadable(running: Settings, read: Settings) -> Settings:
    """Return the running settings with the reloadable ones of those that were read.

    Raises pydantic.ValidationError where the two contradict each other.
    """
    return Settings.model_validate(_merged(running, read).model_dump())


def _changes(before: BaseModel, after: BaseModel, section: str) -> Iterator[Change]:
    for name, field in type(after).model_fields.items():
        old, new, path = getattr(before, name), getattr(after, name), f"{section}{name}"
        if isinstance(old, BaseModel) and isinstance(new, BaseModel):
            yield from _changes(old, new, f"{path}.")
        elif old != new:
            yield Change(name=path, before=_shown(old), after=_shown(new), reloadable=is_reloadable(field))


def _shown(value: object) -> str:
    """Return a value as a log may show it."""
    if value is None:
        return "unset"
    if isinstance(value, SecretStr):
        return "***"
    text = without_secrets(str(value))
    return text if len(text) <= _MOST_CHARS else f"({len(text)} characters)"


def _merged(running: BaseModel, read: BaseModel) -> BaseModel:
    updates: dict[str, Any] = {}
    for name, field in type(running).model_fields.items():
        old, new = getattr(running, name), getattr(read, name)
        if isinstance(old, BaseModel) and isinstance(new, BaseModel):
            updates[name] = _merged(old, new)
        elif is_reloadable(field):
            updates[name] = new
    return running.model_copy(update=updates)


def _list(found: Sequence[str]) -> str:
    return "; ".join(found) or "nothing"
