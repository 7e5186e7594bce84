"""The JSON Schema of a settings file, of one model line or several."""

from typing import Any

from daemon.config.lines import LINES, NAME_PATTERN, OF_ALL_LINES
from daemon.config.settings import Settings

_LINE = "LineSettings"
LINES_MEANING = (
    "Several model lines in one daemon, by name, each with the settings that differ from the rest of the file. Sections are "
    f"merged, lists replaced. One for all are {', '.join(OF_ALL_LINES)}. Unset: one line, named by model_line."
)


def settings_schema() -> dict[str, Any]:
    """Return the schema. A base may be named for all lines or by each, so only a file of one line is sure to need it."""
    schema = Settings.model_json_schema()
    needed = schema["$defs"]["ModelSection"].pop("required")
    properties = schema["properties"]
    schema["$defs"][_LINE] = {
        "additionalProperties": False,
        "description": "The settings that a model line has for itself.",
        "properties": {
            name: _without_default(kind) for name, kind in properties.items() if name not in OF_ALL_LINES
        },
        "title": _LINE,
        "type": ["object", "null"],
    }
    properties[LINES] = {
        "additionalProperties": {"$ref": f"#/$defs/{_LINE}"},
        "description": LINES_MEANING,
        "propertyNames": {"pattern": NAME_PATTERN},
        "title": "Lines",
        "type": ["object", "null"],
    }
    return schema | {
        "required": [],
        "if": {"properties": {LINES: {"type": "object", "minProperties": 1}}, "required": [LINES]},
        "then": {"not": {"required": ["model_line"]}},
        "else": {"properties": {"model": {"required": needed}}, "required": schema["required"]},
    }


def _without_default(kind: dict[str, Any]) -> dict[str, Any]:
    """Return a setting's schema as a line has it, which takes what the file says by default."""
    return {name: value for name, value in kind.items() if name != "default"}
