"""Reads the procedures of the runbook: their commands, as an operator copies them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

RUNBOOK = Path(__file__).parents[2] / "deploy" / "docs" / "runbook.md"
_SECTION = re.compile(r"^## Procedures\n(.*?)(?=^## )", re.MULTILINE | re.DOTALL)
_PROCEDURE = re.compile(r"^### (.+?)\n(.*?)(?=^### |\Z)", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """The commands of one fenced block; a command may have several lines."""

    commands: tuple[str, ...]


@cache
def procedures() -> Mapping[str, tuple[Block, ...]]:
    """The blocks of each procedure, by its title."""
    [section] = _SECTION.findall(RUNBOOK.read_text("utf-8"))
    return {
        title: tuple(Block(tuple(_commands(text))) for text in _BLOCK.findall(body))
        for title, body in _PROCEDURE.findall(section)
    }


def _commands(text: str) -> Iterator[str]:
    """A line that begins with ``$`` is a command, one with ``>`` goes on with it."""
    command: list[str] = []
    for line in text.splitlines():
        start, _, words = line.partition(" ")
        assert start in ("$", ">"), f"neither a command nor its continuation: {line}"
        if start == "$" and command:
            yield "\n".join(command)
            command = []
        command.append(words)
    yield "\n".join(command)
