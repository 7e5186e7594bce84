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
from daemon.config.lines import LINES, clashes, line_parts, line_problems, set_apart
from daemon.config.mistakes import Disagreement, Mistake, NoSuchLine, Problem, SettingsError, SeveralLines
from daemon.config.overlay import overlay
from daemon.config.settings import Settings
from daemon.config.wording import problem_in_words

__all__ = [
    "Mistake",
    "SettingsError",
    "dump",
    "has_lines",
    "load",
    "load_again",
    "load_lines",
    "read_secret",
    "settings_path",
]

DEFAULT_FILE = Path("retuned.yaml")


def settings_path(given: Path | None, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the settings file: the given one, else RETUNED_CONFIG, else ./retuned.yaml."""
    return given or Path(environ.get("RETUNED_CONFIG", str(DEFAULT_FILE)))


def load(path: Path, environ: Mapping[str, str] = os.environ, *, line: str | None = None) -> Settings:
    """Return the settings of a model line; of the file's only one where none is named.

    Raises SettingsError with every mistake, its place and what was expected; NoSuchLine, and SeveralLines.
    """
    lines = load_lines(path, environ, only=line)
    if len(lines) > 1:
        raise SeveralLines(path, lines)
    return next(iter(lines.values()))


def load_again(path: Path, line: str | None) -> Settings:
    """Read the settings of a line that runs. Raises SettingsError with every mistake; its line may be gone, too."""
    try:
        return load(path, line=line)
    except (NoSuchLine, SeveralLines) as error:
        raise SettingsError((Mistake(path=LINES, problem=str(error), source=str(path)),)) from error


def load_lines(
    path: Path, environ: Mapping[str, str] = os.environ, *, only: str | None = None
) -> dict[str, Settings]:
    """Read the file, apply the environment and validate the settings of each model line; return them by its name.

    A file without ``lines`` has one line. ``only`` names the one that is wanted. Raises SettingsError with every mistake of
    all lines, its place and what was expected, and NoSuchLine.
    """
    document = read_document(path)
    overriding, origins = read_environment(environ)
    lines = document.values.pop(LINES, None)
    overlay(document.values, overriding)
    places = _Places(document, origins)
    if lines:
        settings, mistakes = _validate_lines(document.values, lines, places)
    else:
        settings, mistakes = _validate_one(document.values, places)
    mistakes = [*document.repeated, *dict.fromkeys(mistakes)]  # what all lines share is said once
    named = {mistake.source for mistake in mistakes}
    mistakes += (_unknown_variable(name) for name in unknown_variables(environ) if name not in named)
    if mistakes:
        raise SettingsError(tuple(mistakes))
    if only is None:
        return settings
    if only not in settings:
        raise NoSuchLine(path, only, settings)
    return {only: settings[only]}


def has_lines(path: Path) -> bool:
    """Return whether a settings file names its model lines under ``lines``. Raises SettingsError."""
    return bool(read_document(path).values.get(LINES))


def _validate_one(values: dict[str, Any], places: "_Places") -> tuple[dict[str, Settings], list[Mistake]]:
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        return {}, [*_mistakes(error, places)]
    return {settings.model_line: settings}, []


def _validate_lines(
    values: dict[str, Any], lines: object, places: "_Places"
) -> tuple[dict[str, Settings], list[Mistake]]:
    """Return the settings of each line, and all mistakes."""
    mistakes = [_mistake(places, place, problem) for place, problem in line_problems(values, lines)]
    if mistakes or not isinstance(lines, dict):
        return {}, mistakes
    found: dict[str, Settings] = {}
    for part in line_parts(values, lines):
        try:
            found[part.name] = set_apart(Settings.model_validate(part.values), part)
        except ValidationError as error:
            mistakes += _mistakes(error, places.within(part.place))
    mistakes += (
        _mistake(places.within((LINES, name)), place, problem) for name, place, problem in clashes(found)
    )
    return found, mistakes


def _mistake(places: "_Places", place: Place, problem: str) -> Mistake:
    return Mistake(path=places.path(place), problem=problem, source=places.source(place))


def _unknown_variable(name: str) -> Mistake:
    near = difflib.get_close_matches(name, setting_variables(), n=1)
    hint = f"; did you mean {near[0]}?" if near else "; RETUNED_SECTION__NAME sets section.name"
    return Mistake(path="", problem=f"names no setting{hint}", source=name)


class _Places:
    """Where each setting comes from: a line of the file, or a variable; for a model line, its own part comes first."""

    def __init__(self, document: Document, origins: Mapping[Place, str], part: Place = ()) -> None:
        """``part`` is where the model line's own settings stand, if it has a part of its own."""
        self._document = document
        self._origins = origins
        self._part = part

    def within(self, part: Place) -> "_Places":
        """Return the places of the settings of a model line."""
        return _Places(self._document, self._origins, part)

    def has(self, place: Place) -> bool:
        """Return whether a setting is set."""
        return self._own(place) or place in self._origins or place in self._document.lines

    def path(self, place: Place) -> str:
        """Return a setting as it stands in the file; where it is not set, as it would stand beside what is."""
        own = self._part and self._own(self._nearest(place))
        return ".".join((*self._part, *place) if own else place)

    def source(self, place: Place) -> str:
        """Return where a setting comes from; where it is not set, the section that it belongs in."""
        place = self._nearest(place)
        if self._own(place):
            place = (*self._part, *place)
        elif place in self._origins:
            return self._origins[place]
        return f"{self._document.path}:{self._document.lines.get(place, 1)}"

    def _own(self, place: Place) -> bool:
        """Return whether the model line's own part has a setting."""
        return bool(self._part) and (*self._part, *place) in self._document.lines

    def _nearest(self, place: Place) -> Place:
        """Return a setting, or the innermost section around it that is set."""
        while place and not self.has(place):
            place = place[:-1]
        return place


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
        yield _mistake(places, place, problem)


def _contradiction(problem: Problem, section: Place, places: _Places) -> Mistake:
    """Report a contradiction at the first of its settings that is set."""
    named = (*re.findall(r"[a-z_]+(?:\.[a-z_]+)*", problem.text), *problem.settings)
    found = ((*section, *name.split(".")) for name in named)
    place = next(filter(places.has, found), section)
    text = problem.text
    for name in (".".join(place), place[-1] if place else ""):
        text = re.sub(rf"^{re.escape(name)} (?=must |can't )", "", text)
    return _mistake(places, place, text)


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
