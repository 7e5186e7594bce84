"""Reads the calls of tools in an answer as the common chat templates write them, and checks them. Pure."""

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_READ = 20_000  # characters
_HERMES = re.compile(r"<tool_call>\s*")
_FUNCTION = re.compile(r"<function=([^>\s]+)>(.*?)(?:</function>|\Z)", re.DOTALL)
_PARAMETER = re.compile(r"<parameter=([^>\s]+)>\n?(.*?)\n?</parameter>", re.DOTALL)
_MISTRAL = re.compile(r"\[TOOL_CALLS\]\s*")
_MISTRAL_NAMED = re.compile(r"([\w.-]+)\s*(?:\[CALL_ID\]\s*\w+\s*)?\[ARGS\]\s*")
_PYTHONIC = re.compile(
    r"\s*(?:<\|python_start\|>)?(\[\s*[\w.]+\(.*\)\s*\])(?:<\|python_end\|>)?\s*", re.DOTALL
)
_MARKS = re.compile(r"<\|python_tag\|>|<\|[a-z_]+\|>|</?s>")


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenCall:
    """A call of a tool that a version wrote."""

    name: str
    arguments: Any  # as JSON; None where it can't be read


_UNREADABLE = WrittenCall(name="", arguments=None)


def written_calls(raw: str) -> list[WrittenCall]:
    """Return the calls in an answer with its control tokens, in the formats of Hermes and Qwen, Mistral and Llama."""
    raw = raw[:_READ]
    for read in (_of_functions, _of_hermes, _of_mistral, _of_pythonic, _of_bare_json):
        if calls := list(read(raw)):
            return calls
    return []


def calls_are_valid(calls: Sequence[WrittenCall], tools: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether there are calls, each of an offered tool, with an object of arguments that has all required ones.

    ``tools`` are OpenAI's function definitions; without any, names and arguments are not compared.
    """
    offered = dict(_required_of(tool) for tool in tools)
    return bool(calls) and all(
        isinstance(call.arguments, dict)
        and (not offered or (call.name in offered and offered[call.name] <= call.arguments.keys()))
        for call in calls
    )


def _required_of(tool: Mapping[str, Any]) -> tuple[str, frozenset[str]]:
    """Return a tool's name and the names of its required arguments."""
    function = tool.get("function", tool)
    function = function if isinstance(function, Mapping) else {}
    parameters = function.get("parameters")
    required = parameters.get("required") if isinstance(parameters, Mapping) else None
    names = required if isinstance(required, list | tuple) else ()
    return str(function.get("name", "")), frozenset(name for name in names if isinstance(name, str))


def _of_hermes(raw: str) -> Iterator[WrittenCall]:
    for text in _HERMES.split(raw)[1:]:
        yield from _of_document(_first_json(text)) or [_UNREADABLE]


def _of_functions(raw: str) -> Iterator[WrittenCall]:
    for name, body in _FUNCTION.findall(raw):
        parameters = _PARAMETER.findall(body)
        if parameters or not body.strip():
            yield WrittenCall(name=name, arguments=dict(parameters))
        else:
            yield WrittenCall(name=name, arguments=_json(body))


def _of_mistral(raw: str) -> Iterator[WrittenCall]:
    for text in _MISTRAL.split(raw)[1:]:
        named = _MISTRAL_NAMED.match(text)
        if named is not None:
            yield WrittenCall(name=named[1], arguments=_first_json(text[named.end() :]))
        else:
            yield from _of_document(_first_json(text)) or [_UNREADABLE]


def _of_pythonic(raw: str) -> Iterator[WrittenCall]:
    """Read ``[name(argument=value), ...]``, as Llama 3.2 and 4 write."""
    found = _PYTHONIC.fullmatch(_without_marks(raw))
    if found is None:
        return
    try:
        tree = ast.parse(found[1], mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for call in tree.elts if isinstance(tree, ast.List) else ():
        if isinstance(call, ast.Call):
            yield WrittenCall(name=ast.unparse(call.func), arguments=_keywords(call))


def _keywords(call: ast.Call) -> dict[str, Any] | None:
    try:
        return {keyword.arg or "": ast.literal_eval(keyword.value) for keyword in call.keywords}
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None


def _of_bare_json(raw: str) -> Iterator[WrittenCall]:
    """Read a whole answer that is JSON with a name and arguments, as Llama 3.1 writes."""
    text = _without_marks(raw).strip()
    if text.startswith(("{", "[")):
        for part in text.split(";\n") if text.startswith("{") else [text]:
            yield from _of_document(_json(part))


def _of_document(document: Any) -> list[WrittenCall]:
    calls = document if isinstance(document, list) else [document]
    return [
        WrittenCall(name=one["name"], arguments=_arguments(one))
        for one in calls
        if isinstance(one, dict) and isinstance(one.get("name"), str)
    ]


def _arguments(call: Mapping[str, Any]) -> Any:
    arguments = call.get("arguments", call.get("parameters", {}))
    return _json(arguments) if isinstance(arguments, str) else arguments


def _without_marks(raw: str) -> str:
    return _MARKS.sub("", raw)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _first_json(text: str) -> Any:
    """Return the JSON value that a text begins with; None where it begins with none."""
    try:
        return json.JSONDecoder().raw_decode(text.lstrip())[0]
    except (ValueError, RecursionError):
        return None
