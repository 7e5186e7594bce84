"""Says in words of the settings what pydantic found."""

from collections.abc import Mapping
from typing import Any

#: The words of each kind of error, with the numbers of the setting.
_WORDS: Mapping[str, str] = {
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "finite_number": "must be a finite number",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number of fewer digits",
    "int_from_float": "must be a whole number, without a fraction",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "string_unicode": "must be text in UTF-8",
    "string_too_long": "must have at most {max_length} characters",
    "path_type": "must be a path",
    "tuple_type": "must be a list, such as [a, b]",
    "list_type": "must be a list, such as [a, b]",
    "too_long": "must have at most {max_length} items",
    "dict_type": "must map names to texts, such as {{audience: kafka}}",
    "model_type": "must be a section: its settings stand below it, indented",
    "invalid_key": "the name must be text",
}
#: The words of the patterns that settings must match.
PATTERNS: Mapping[str, str] = {
    r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$": (
        "must be 1 to 63 lowercase letters, digits and dashes, without a dash at its ends"
    ),
    r"^[a-zA-Z0-9._-]{1,249}$": "must be 1 to 249 letters (a to z), digits, dots, underscores and dashes",
    r"^\d+\.\d+$": "must be two numbers with a dot between them, such as 2.3",
    r"^(auto|cpu|cuda(:[0-9]+)?)$": "must be auto, cpu, cuda, or cuda and a number, such as cuda:1",
    r"^(?:/|[A-Za-z][A-Za-z0-9+._:-]*://)": "must be a URL such as s3://BUCKET/FOLDER",
}
_QUOTE = "; put it in quotes"
#: What YAML makes of a bare yes, no, on or off, of 12:30 and of 2026-11-30, where text was meant.
_TEXT_WANTED = {"string_type", "path_type", "literal_error", "enum", "invalid_key"}


def problem_in_words(detail: Mapping[str, Any]) -> str:
    """Describe an error of pydantic. The value itself is never part of it, as it may be a secret."""
    kind, context = str(detail["type"]), detail.get("ctx", {})
    if kind == "model_type" and detail.get("input") is None:
        return "is empty: indent its settings below it, or remove it"
    return _words(kind, context, str(detail["msg"])) + _hint(kind, detail.get("input"))


def _words(kind: str, context: Mapping[str, Any], message: str) -> str:
    if kind in _WORDS:
        return _WORDS[kind].format_map({name: _number(value) for name, value in context.items()})
    if kind in ("literal_error", "enum"):
        values = str(context["expected"]).replace("'", "")
        return f"must be {values}"
    if kind in ("string_too_short", "too_short"):
        least, things = context["min_length"], "characters" if kind == "string_too_short" else "items"
        return "must not be empty" if least == 1 else f"must have at least {least} {things}"
    if kind == "string_pattern_mismatch":
        return PATTERNS.get(context["pattern"], f"must match {context['pattern']}")
    return message.removeprefix("Value error, ")


def _number(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _hint(kind: str, given: object) -> str:
    if kind not in _TEXT_WANTED or isinstance(given, str | list | dict):
        return ""
    if isinstance(given, bool):
        return "; YAML takes a bare yes, no, on or off for true or false, so put it in quotes"
    return "" if given is None else _QUOTE
