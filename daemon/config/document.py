"""Reads the settings file: its values, the line of each setting, and the settings that stand in it twice."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import yaml

from daemon.config.mistakes import Mistake, SettingsError

Place: TypeAlias = tuple[str, ...]  # a setting, the sections before it


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """A settings file that is YAML."""

    path: Path
    values: dict[str, Any]
    lines: Mapping[Place, int]  # of the last one where a setting stands twice, as that one holds
    repeated: tuple[Mistake, ...]


class _Key(NamedTuple):
    place: Place
    line: int
    first: int | None  # the line of the same key before it


def read_document(path: Path) -> Document:
    """Read a settings file. Raises SettingsError if it is no YAML mapping."""
    text = _text(path)
    try:
        keys, values = _parsed(text)
    except yaml.YAMLError as error:
        raise SettingsError((_not_yaml(path, error),)) from error
    except (ValueError, TypeError, OverflowError, RecursionError) as error:  # such as the date 2026-02-31
        raise SettingsError((_refused(path, f"is not YAML: a value can't be read: {error}"),)) from error
    if not isinstance(values, dict):
        raise SettingsError((_refused(path, "must be a mapping of settings, such as model_line: chat"),))
    return Document(
        path=path,
        values=values,
        lines={key.place: key.line for key in keys},
        repeated=tuple(_repeated(path, key) for key in keys if key.first is not None),
    )


def _parsed(text: str) -> tuple[tuple[_Key, ...], Any]:
    """Parse a document once, for its keys and for its values. Raises yaml.YAMLError and what bad values raise."""
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        keys = tuple(_keys(node, ()))  # before merge keys are resolved, which changes the nodes
        return keys, {} if node is None else loader.construct_document(node) or {}
    finally:
        loader.dispose()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        problem = (
            "no such file; make one with `retuned init` (`retuned config schema --yaml` prints all settings), "
            "or name it with --config or RETUNED_CONFIG"
        )
        raise SettingsError((_refused(path, problem),)) from error
    except UnicodeDecodeError as error:
        problem = f"is not UTF-8: byte {error.start} can't be read; save the file as UTF-8"
        raise SettingsError((_refused(path, problem),)) from error
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = error.strerror if isinstance(error, OSError) else error
        raise SettingsError((_refused(path, f"can't be read: {reason}"),)) from error


def _refused(path: Path, problem: str) -> Mistake:
    return Mistake(path="", problem=problem, source=str(path))


def _not_yaml(path: Path, error: yaml.YAMLError) -> Mistake:
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return _refused(path, f"is not YAML: {' '.join(str(error).split())}")
    where = f"{path}:{error.problem_mark.line + 1}"
    said = ", ".join(part for part in (error.context, error.problem) if part)
    return Mistake(path="", problem=f"is not YAML: {said}", source=where)


def _repeated(path: Path, key: _Key) -> Mistake:
    return Mistake(
        path=".".join(key.place),
        problem=f"stands here again, first in line {key.first}; remove one of the two",
        source=f"{path}:{key.line}",
    )


def _keys(node: yaml.Node | None, place: Place, within: tuple[yaml.Node, ...] = ()) -> Iterator[_Key]:
    """Yield the keys and list items below a node. ``within`` are the nodes around it, as an alias can name one of them."""
    if node is None or any(node is outer for outer in within):
        return
    within = (*within, node)
    if isinstance(node, yaml.MappingNode):
        first: dict[tuple[str, str], int] = {}
        for key, value in node.value:
            here, line = (*place, str(key.value)), key.start_mark.line + 1
            same = (key.tag, str(key.value))
            yield _Key(here, line, first.get(same) if isinstance(key, yaml.ScalarNode) else None)
            first.setdefault(same, line)
            yield from _keys(value, here, within)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            here = (*place, str(number))
            yield _Key(here, item.start_mark.line + 1, None)
            yield from _keys(item, here, within)
