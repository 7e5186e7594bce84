"""Reads ``retuned.yaml`` and the environment, and reports all mistakes together."""

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import BaseModel, SecretStr, ValidationError

from daemon.config.environment import read_environment, setting_variables, unknown_variables
from daemon.config.settings import Settings
from daemon.domain.errors import DaemonError

DEFAULT_FILE = Path("retuned.yaml")


@dataclass(frozen=True, kw_only=True, slots=True)
class Mistake:
    """One mistake in the settings."""

    path: str  # such as policy.cooldown_s; "" for the file as a whole
    problem: str
    source: str  # such as retuned.yaml:12, or an environment variable

    def __str__(self) -> str:
        return f"{self.source}: {self.path + ': ' if self.path else ''}{self.problem}"


class SettingsError(DaemonError):
    """The settings are invalid. ``mistakes`` holds every mistake."""

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        super().__init__("\n".join(str(mistake) for mistake in mistakes))
        self.mistakes = mistakes


def settings_path(given: Path | None, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the settings file: the given one, else RETUNED_CONFIG, else ./retuned.yaml."""
    return given or Path(environ.get("RETUNED_CONFIG", str(DEFAULT_FILE)))


def load(path: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the file, apply the environment and validate the result.

    Raises SettingsError with every mistake, its place and what was expected.
    """
    document = _read(path)
    values = cast("dict[str, Any]", yaml.safe_load(document) or {})
    if not isinstance(values, dict):
        raise SettingsError((Mistake(path="", problem="must be a mapping of settings", source=str(path)),))
    overriding, origins = read_environment(environ)
    _overlay(values, overriding)
    unknown = tuple(map(_unknown_variable, unknown_variables(environ)))
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        lines = _lines(yaml.compose(document, Loader=yaml.SafeLoader))
        places = tuple(_mistakes(error, path, lines, origins))
        raise SettingsError((*places, *(each for each in unknown if not _named(each, places)))) from error
    if unknown:
        raise SettingsError(unknown)
    return settings


def _unknown_variable(name: str) -> Mistake:
    near = difflib.get_close_matches(name, setting_variables(), n=1)
    hint = f"; did you mean {near[0]}?" if near else "; RETUNED_SECTION__NAME sets section.name"
    return Mistake(path="", problem=f"names no setting{hint}", source=name)


def _named(mistake: Mistake, others: Iterable[Mistake]) -> bool:
    """Return whether another mistake is about the same variable."""
    return mistake.source in {other.source for other in others}


def _read(path: Path) -> str:
    try:
        document = path.read_text(encoding="utf-8")
        yaml.safe_load(document)
    except FileNotFoundError as error:
        problem = "no such file; make one with `retuned config schema --yaml`, or name it with --config or RETUNED_CONFIG"
        raise SettingsError((Mistake(path="", problem=problem, source=str(path)),)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            (Mistake(path="", problem=f"can't be read: {error}", source=str(path)),)
        ) from error
    except yaml.YAMLError as error:
        raise SettingsError((Mistake(path="", problem=f"is not YAML: {error}", source=str(path)),)) from error
    return document


def _overlay(values: dict[str, Any], overriding: Mapping[str, Any]) -> None:
    """Put the settings of the environment into those of the file."""
    for name, value in overriding.items():
        if isinstance(value, dict) and isinstance(values.get(name), dict):
            _overlay(values[name], value)
        else:
            values[name] = value


def _mistakes(
    error: ValidationError,
    path: Path,
    lines: Mapping[tuple[str, ...], int],
    origins: Mapping[tuple[str, ...], str],
) -> Iterator[Mistake]:
    for detail in error.errors(include_url=False, include_input=False):
        place = tuple(str(part) for part in detail["loc"])
        problem = detail["msg"].removeprefix("Value error, ")
        if detail["type"] == "extra_forbidden":
            problem = "there is no such setting" + _suggestion(place)
        elif detail["type"] == "missing":
            problem = "is needed: " + (_describe(place) or "no default")
        source = origins.get(place) or f"{path}:{_line(place, lines)}"
        yield Mistake(path=".".join(place), problem=problem, source=source)


def _line(place: tuple[str, ...], lines: Mapping[tuple[str, ...], int]) -> int:
    while place and place not in lines:
        place = place[:-1]
    return lines.get(place, 1)


def _lines(node: yaml.Node | None, place: tuple[str, ...] = ()) -> dict[tuple[str, ...], int]:
    """Return the line of each setting in the document."""
    found: dict[tuple[str, ...], int] = {}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*place, str(key.value))
            found[here] = key.start_mark.line + 1
            found |= _lines(value, here)
    return found


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
