"""Settings of several model lines in one file: a line's are those of the file, overlaid with the line's own part."""

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.config.document import Place
from daemon.config.overlay import overlay
from daemon.config.settings import Settings

LINES = "lines"
#: Settings of the daemon's process, and of the ledger that all lines share: no line has its own.
OF_ALL_LINES = ("http", "ledger_url", "logging", "model_line", "state_dir")
#: A line's schema on PostgreSQL has its name after this.
SCHEMA_PREFIX = "retuned_"
#: PostgreSQL cuts names after 63 bytes.
LONGEST_NAME = 63 - len(SCHEMA_PREFIX)
NAME_PATTERN = rf"^[a-z0-9](?:[a-z0-9-]{{0,{LONGEST_NAME - 2}}}[a-z0-9])?$"

_BAD_NAME = (
    f"is no name of a model line: it has lowercase letters, digits and dashes, at most {LONGEST_NAME} of them; write a "
    "number in quotes"
)
_OF_ALL_LINES_ALONE = "is one for all lines of the daemon; set it outside of lines"
_SAME_GROUP = (
    "the line {} is in the consumer group {}, too: they would take partitions from each other; give each its own, or leave "
    "it out"
)
_SQLITE_FILE = re.compile(r"(sqlite(?:\+\w+)?:///)([^?]+)(.*)", re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class LinePart:
    """One line of a settings file."""

    name: str
    own: Mapping[str, Any]  # what the line sets itself
    values: dict[str, Any]  # the file's settings, overlaid with the line's

    @property
    def place(self) -> Place:
        """Where the line's own settings stand in the file."""
        return (LINES, self.name)


def line_problems(common: Mapping[str, Any], lines: object) -> Iterator[tuple[Place, str]]:
    """Yield what keeps the lines of a file from being read, with its place. ``common`` are the file's other settings."""
    if not isinstance(lines, dict):
        yield (LINES,), "must map the name of each model line to its settings"
        return
    if "model_line" in common:
        yield ("model_line",), "can't be set beside lines, which name themselves; leave it out"
    for name, own in lines.items():
        place = (LINES, str(name))
        if not isinstance(name, str) or re.fullmatch(NAME_PATTERN, name) is None:
            yield place, _BAD_NAME
        elif own is not None and not isinstance(own, dict):
            yield place, "must be a mapping of settings, such as model: {base: /models/sales}"
        else:
            shared = [setting for setting in OF_ALL_LINES if setting in (own or {})]
            yield from (((*place, setting), _OF_ALL_LINES_ALONE) for setting in shared)


def line_parts(common: dict[str, Any], lines: Mapping[str, Any]) -> Iterator[LinePart]:
    """Yield each line of a file that has no such problems, in its order."""
    for name, own in lines.items():
        values = copy.deepcopy(common)
        overlay(values, copy.deepcopy(own or {}))
        yield LinePart(name=name, own=own or {}, values=values | {"model_line": name})


def set_apart(settings: Settings, part: LinePart) -> Settings:
    """Return a line's settings with a place of its own for all that it keeps, and a consumer group of its own.

    Folders are below ``lines/NAME`` of those that the file names, and so is a ledger on SQLite. On PostgreSQL the line has
    a schema in the ledger's database. The group is the file's, then a dash and the name. A target_dir or kafka.group_id
    that the line sets itself is taken as it stands.
    """
    changes: dict[str, object] = {"state_dir": _below(settings.state_dir, part.name)}
    if settings.ledger_url is not None:
        changes["ledger_url"] = line_ledger_url(settings.ledger_url, part.name)
    if settings.target_dir is not None and "target_dir" not in part.own:
        changes["target_dir"] = _below(settings.target_dir, part.name)
    if "group_id" not in (part.own.get("kafka") or {}):
        group = f"{settings.kafka.group_id}-{part.name}"
        changes["kafka"] = settings.kafka.model_copy(update={"group_id": group})
    return settings.model_copy(update=changes)


def line_ledger_url(url: str, name: str) -> str:
    """Return where the ledger of a line is, if ``url`` is the ledger of all lines."""
    file = _SQLITE_FILE.fullmatch(url)
    if file is not None:
        path = Path(file[2])
        return f"{file[1]}{_below(path.parent, name) / path.name}{file[3]}"
    if url.startswith("sqlite"):  # in memory
        return url
    separator = "&" if "?" in url else "?"
    return f"{url}{separator}options=-csearch_path%3D{schema_of(name)}"


def schema_of(name: str) -> str:
    """Return the name of a line's schema on PostgreSQL."""
    return SCHEMA_PREFIX + name.replace("-", "_")


def _below(folder: Path, name: str) -> Path:
    return folder / LINES / name


def clashes(lines: Mapping[str, Settings]) -> Iterator[tuple[str, Place, str]]:
    """Yield the line, the setting and the reason where a line takes what an earlier one has."""
    groups: dict[object, str] = {}
    targets: dict[Path, str] = {}
    for name, settings in lines.items():
        kafka = settings.kafka
        first = groups.setdefault((kafka.bootstrap_servers, kafka.group_id), name)
        if first != name:
            yield name, ("kafka", "group_id"), _SAME_GROUP.format(first, kafka.group_id)
        if settings.target_dir is None:
            continue
        first = targets.setdefault(settings.target_dir.absolute(), name)
        if first != name:
            yield name, ("target_dir",), f"the line {first} writes its live.json there; name another folder"
