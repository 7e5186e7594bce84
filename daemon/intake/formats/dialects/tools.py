"""Translates definitions and calls of tools into OpenAI's form."""

import orjson

from daemon.domain.bad_record import BadRecord, Reason
from daemon.domain.conversation import JSON, ToolCall
from daemon.intake import decoding_fields as fields
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.reading import Reading

#: orjson writes no deeper nesting than 254.
_MAX_DEPTH = 64


def tool_definitions(value: JSON, at: str) -> tuple[Object, ...]:
    """Return the functions that a request offers. Tools that the provider runs itself have no definition and are left out.

    Read are OpenAI's form, its flat one of the Responses API, Anthropic's with ``input_schema``, the legacy ``functions``,
    and JSON text of these. Raises BadRecord.
    """
    if value is None:
        return ()
    if isinstance(value, str):
        value = _parsed(value, at)
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        raise BadRecord(Reason.BAD_FIELD, at, f"must be a list, not {fields.kind(value)}")
    found = (_definition(tool, f"{at}[{index}]") for index, tool in enumerate(value))
    return tuple(tool for tool in found if tool is not None)


def tool_call(value: JSON, at: str, reading: Reading) -> ToolCall:
    """Read a call, with its function nested (chat) or flat; arguments are a JSON text or an object. Raises BadRecord."""
    if not isinstance(value, dict):
        raise BadRecord(Reason.BAD_FIELD, at, f"must be an object, not {fields.kind(value)}")
    function = value.get("function") or value.get("custom") or value
    if not isinstance(function, dict):
        raise BadRecord(Reason.BAD_FIELD, f"{at}.function", f"must be an object, not {fields.kind(function)}")
    name = fields.name(function, "name", f"{at}.")
    arguments = next((function[key] for key in _ARGUMENTS if function.get(key) is not None), None)
    id_key = "call_id" if value.get("call_id") else "id"
    return ToolCall(
        name=name,
        arguments=_arguments(arguments, f"{at}.arguments", reading),
        id=fields.optional_name(value, id_key, f"{at}.") if value.get(id_key) else None,
    )


_ARGUMENTS = ("arguments", "input", "args", "parameters")


def is_call(call: ToolCall) -> bool:
    """Return whether a call's arguments are an object, as they must be; a model can write others, or be cut off."""
    try:
        return isinstance(orjson.loads(call.arguments), dict)
    except orjson.JSONDecodeError:
        return False


def json_text(value: JSON, at: str) -> str:
    """Write a value as JSON. Raises BadRecord if it is nested too deeply."""
    if fields.deeper_than(_MAX_DEPTH, value):
        raise BadRecord(Reason.OVER_LIMIT, at, f"is nested in more than {_MAX_DEPTH} levels")
    return orjson.dumps(value).decode()


def _arguments(value: JSON, at: str, reading: Reading) -> str:
    if value is None:
        return "{}"
    text = value if isinstance(value, str) else json_text(value, at)
    return "{}" if not text.strip() else fields.text(text, at, reading.limits)


def _definition(tool: JSON, at: str) -> Object | None:
    if not isinstance(tool, dict):
        raise BadRecord(Reason.BAD_FIELD, at, f"must be an object, not {fields.kind(tool)}")
    if fields.deeper_than(_MAX_DEPTH, tool):
        raise BadRecord(Reason.OVER_LIMIT, at, f"is nested in more than {_MAX_DEPTH} levels")
    if isinstance(tool.get("function"), dict):
        return tool if tool.get("type") == "function" else {"type": "function", **tool}
    if not isinstance(tool.get("name"), str):
        return None
    schema = next((tool[key] for key in _SCHEMAS if isinstance(tool.get(key), dict)), None)
    if schema is None and tool.get("type", "function") not in ("function", "custom"):
        return None
    function = {key: value for key, value in tool.items() if key in ("name", "description", "strict")}
    return {
        "type": "function",
        "function": function if schema is None else {**function, "parameters": schema},
    }


_SCHEMAS = ("parameters", "input_schema", "inputSchema")


def _parsed(text: str, at: str) -> JSON:
    if not text.strip():
        return []
    try:
        parsed: JSON = orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        raise BadRecord(Reason.BAD_FIELD, at, "is not JSON") from None
    return parsed
