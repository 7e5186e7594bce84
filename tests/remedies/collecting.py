"""Collects every remedy that the code can print, from its source: commands of retuned, options, and instructions."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("daemon", "registry", "learners", "monitors")
#: Parts that print no remedies of a model line: the demo tells what it does itself.
_LEFT_OUT = ("daemon/demo/", "daemon/ledger/migrations/")

#: A command in backticks, or a text that is nothing else.
_COMMAND = re.compile(r"`retuned ([^`]+)`|\Aretuned ([a-z][^`]*)\Z")
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
#: Dictionaries whose values are instructions.
_TABLES = re.compile(r"REMED|_PASSES|_PASS\b")
#: A change of a setting that a message asks for.
_CHANGE = re.compile(r"\b(raise|lower|correct|set|name it in) ((?:[a-z_]+\.)+[a-z_]+)\b")
_HELP = ("help", "metavar", "epilog")


@dataclass(frozen=True, order=True, slots=True)
class Remedy:
    """Something that a message tells the operator to do."""

    path: str
    text: str  # a command with {} for what differs, or an instruction


@dataclass(frozen=True, slots=True)
class Text:
    """A text of the source, with {} for what differs."""

    path: str
    line: int
    text: str
    help: bool  # of a parameter: read before anything went wrong
    declares: bool  # the names of an option


@cache
def texts() -> tuple[Text, ...]:
    """Every text of the source but docstrings."""
    return tuple(text for path, tree in _modules() for text in _texts(path, tree))


@cache
def commands() -> frozenset[Remedy]:
    """Every command of retuned that a message names."""
    return frozenset(
        Remedy(text.path, f"retuned {command}")
        for text in texts()
        if not text.help
        for command in commands_in(text.text)
    )


@cache
def instructions() -> frozenset[Remedy]:
    """Every remedy of a check, of a difference and of a table of remedies, as far as it names no command."""
    return frozenset(
        Remedy(path, text)
        for path, tree in _modules()
        for text in _instructions(tree)
        if not list(commands_in(text)) and text != "{}"
    )


@cache
def changes() -> frozenset[Remedy]:
    """Every change of a setting, such as "raise learning.max_tokens", that a message asks for besides."""
    known = instructions()
    return frozenset(
        Remedy(text.path, f"{found[1]} {found[2]}")
        for text in texts()
        if not text.help and Remedy(text.path, text.text) not in known
        for found in _CHANGE.finditer(text.text)
    )


def commands_in(text: str) -> Iterator[str]:
    """The commands of retuned in a text, without their first word."""
    for found in _COMMAND.finditer(text):
        yield found[1] or found[2]


def options_in(text: str) -> list[str]:
    """The options in a text."""
    return _OPTION.findall(text)


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            path = file.relative_to(ROOT).as_posix()
            if not path.startswith(_LEFT_OUT):
                yield path, ast.parse(file.read_text("utf-8"))


def _texts(path: str, tree: ast.AST, *, help_: bool = False, declares: bool = False) -> Iterator[Text]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue  # a docstring
        of_help = help_ or (isinstance(node, ast.keyword) and node.arg in _HELP)
        of_option = declares or (isinstance(tree, ast.Call) and ast.unparse(tree.func).endswith("Option"))
        if (text := _rendered(node)) is not None:
            yield Text(path, node.lineno, text, of_help, of_option and not of_help)  # type: ignore[attr-defined]
        if not isinstance(node, ast.JoinedStr):
            yield from _texts(path, node, help_=of_help, declares=of_option)


def _rendered(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            "{}" if isinstance(part, ast.FormattedValue) else _rendered(part) or "" for part in node.values
        )
    return None


def _instructions(tree: ast.Module) -> Iterator[str]:
    named = _constants(tree)
    for node in ast.walk(tree):
        values: list[ast.expr] = []
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "failed" and len(node.args) == 3:
            values = [node.args[2]]
        elif isinstance(node, ast.keyword) and node.arg == "remedy":
            values = [node.value]
        elif isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Dict):
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            values = node.value.values if _TABLES.search(ast.unparse(target)) else []
        for value in values:
            text = named.get(value.id) if isinstance(value, ast.Name) else _rendered(value)
            if text is not None:
                yield text


def _constants(tree: ast.Module) -> dict[str, str]:
    """Texts that a module gives a name."""
    return {
        node.targets[0].id: text
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        if (text := _rendered(node.value)) is not None
    }
