"""Reads ``retuned.yaml`` and the environment, and reports all mistakes together."""

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, SecretStr, ValidationError

from daemon.config.document import Document, Place, read_document
from daemon.config.environment import read_environment, setting_variables, unknown_variables
from daemon.config.mistakes import Disagreement, Mistake, Problem, SettingsError
from daemon.config.settings import Settings
from daemon.config.wording import problem_in_words

__all__ = ["Mistake", "SettingsError", "dump", "load", "read_secret", "settings_path"]

DEFAULT_FILE = Path("retuned.yaml")


def settings_path(given: Path | None, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the settings file: the given one, else RETUNED_CONFIG, else ./retuned.yaml."""
    return given or Path(environ.get("RETUNED_CONFIG", str(DEFAULT_FILE)))


def load(path: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the file, apply the environment and validate the result.

    Raises SettingsError with every mistake, its place and what was expected.
    """
    document = read_document(path)
    overriding, origins = read_environment(environ)
    _overlay(document.values, overriding)
    mistakes, settings = [*document.repeated], None
    try:
        settings = Settings.model_validate(document.values)
    except ValidationError as error:
        mistakes += _mistakes(error, _Places(document, origins))
    named = {mistake.source for mistake in mistakes}
    mistakes += (_unknown_variable(name) for name in unknown_variables(environ) if name not in named)
    if settings is None or mistakes:
        raise SettingsError(tuple(mistakes))
    return settings


def _unknown_variable(name: str) -> Mistake:
    near = difflib.get_close_matches(name, setting_variables(), n=1)
    hint = f"; did you mean {near[0]}?" if near else "; RETUNED_SECTION__NAME sets section.name"
    return Mistake(path="", problem=f"names no setting{hint}", source=name)


def _overlay(values: dict[str, Any], overriding: Mapping[str, Any]) -> None:
    """Put the settings of the environment into those of the file."""
    for name, value in overriding.items():
        if isinstance(value, dict) and isinstance(values.get(name), dict):
            _overlay(values[name], value)
        else:
            values[name] = value


class _Places:
    """Where each setting comes from: a line of the file, or a variable."""

    def __init__(self, document: Document, origins: Mapping[Place, str]) -> None:
        self._document = document
        self._origins = origins

    def has(self, place: Place) -> bool:
        """Return whether a setting is set."""
        return place in self._origins or place in self._document.lines

    def source(self, place: Place) -> str:
        """Return where a setting comes from; where it is not set, the section that it belongs in."""
        while place:
            if place in self._origins:
                return self._origins[place]
            if place in self._document.lines:
                return f"{self._document.path}:{self._document.lines[place]}"
            place = place[:-1]
        return f"{self._document.path}:1"


def _mistakes(error: ValidationError, places: _Places) -> Iterator[Mistake]:
    for detail in error.errors(include_url=False):
        place = tuple(str(part) for part in detail["loc"] if part != "[key]")
        cause = detail.get("ctx", {}).get("error")
        if isinstance(cause, Disagreement):
            yield from (_contradiction(problem, place, places) for problem in cause.problems)
            continue
        problem = problem_in_words(detail)
        if detail["type"] == "extra_forbidden":
            problem = "there is no such setting" + _suggestion(place)
        elif detail["type"] == "missing":
            problem = "is needed: " + (_describe(place) or "no default")
        yield Mistake(path=".".join(place), problem=problem, source=places.source(place))


def _contradiction(problem: Problem, section: Place, places: _Places) -> Mistake:
    """Report a contradiction at the first of its settings that is set."""
    named = (*re.findall(r"[a-z_]+(?:\.[a-z_]+)*", problem.text), *problem.settings)
    found = ((*section, *name.split(".")) for name in named)
    place = next(filter(places.has, found), section)
    text = problem.text
    for name in (".".join(place), place[-1] if place else ""):
        text = re.sub(rf"^{re.escape(name)} (?=must |can't )", "", text)
    return Mistake(path=".".join(place), problem=text, source=places.source(place))


def _section_of(place: tuple[str, ...]) -> type[BaseModel] | None:
    model: type[BaseModel] = Settings
    for part in place[:-1]:
        field = model.model_fields.get(part)
        if field is None or not (
            isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        ):
            return None
        model = field.annotation
    return model


def _suggestion(place: tuple[str, ...]) -> str:
    section = _section_of(place)
    if section is None:
        return ""
    near = difflib.get_close_matches(place[-1], section.model_fields, n=1)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(section.model_fields)}"


def _describe(place: tuple[str, ...]) -> str:
    section = _section_of(place)
    field = section.model_fields.get(place[-1]) if section else None
    return (field.description or "") if field else ""


def dump(settings: Settings, *, comments: bool = False) -> str:
    """Return the settings as YAML with secrets hidden, optionally with an explanation of every field."""
    return "\n".join(_dump(settings, indent="", comments=comments)) + "\n"


def _dump(section: BaseModel, *, indent: str, comments: bool) -> Iterator[str]:
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if comments and field.description:
            yield from (f"{indent}# {line.strip()}" for line in field.description.splitlines())
        if isinstance(value, BaseModel):
            yield f"{indent}{name}:"
            yield from _dump(value, indent=indent + "  ", comments=comments)
        else:
            plain = str(value) if isinstance(value, Path | SecretStr) else value
            if isinstance(plain, tuple):
                plain = [item.value if isinstance(item, Enum) else item for item in plain]
            text = yaml.safe_dump(plain, allow_unicode=True, default_flow_style=True, width=1_000)
            yield f"{indent}{name}: {text.removesuffix(chr(10)).removesuffix('...').strip()}"


def read_secret(value: SecretStr | None, file: Path | None) -> str | None:
    """Return a secret from its setting, or from the file that holds it.

    Raises SettingsError if the file can't be read or is empty.
    """
    if value is not None:
        return value.get_secret_value()
    if file is None:
        return None
    try:
        secret = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            (Mistake(path="", problem=f"the secret can't be read: {error}", source=str(file)),)
        ) from error
    if not secret:
        raise SettingsError((Mistake(path="", problem="the secret is empty", source=str(file)),))
    return secret
