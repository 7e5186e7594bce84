"""Prints what commands answer: a screen for people, or one JSON object for programs."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

#: The width of output that goes to no terminal, unless COLUMNS is set.
_DEFAULT_SIZE = (80, 24)
#: Rises when a key of a document changes its meaning or goes; new keys leave it.
_SCHEMA_VERSION = 1
_COMMAND: ContextVar[str] = ContextVar("command")


def _note_command(context: typer.Context, as_json: bool) -> bool:
    """Remember which command answers, for the name of its schema."""
    words: list[str] = []
    at: Any = context
    while at.parent is not None:
        words.insert(0, str(at.info_name))
        at = at.parent
    _COMMAND.set(".".join(words))
    return as_json


Json: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print one JSON object.", callback=_note_command)
]


def present(value: object, screen: "Callable[[], RenderableType]", *, as_json: bool) -> None:
    """Print a view as one JSON object, or as a screen. A view is a mapping or a dataclass."""
    if as_json:
        print_json(value)
    else:
        console().print(screen())


def print_json(value: object) -> None:
    """Print a view as one JSON object, which names its schema first."""
    from daemon.domain.json_values import json_value

    document = json_value(value)
    if not isinstance(document, dict):
        raise TypeError("a command answers with an object")
    print_text(as_text({"schema": schema_name(_COMMAND.get()), **document}))


def print_text(text: str, *, newline: bool = True) -> None:
    """Print a text as it is."""
    with quiet_pipe():
        typer.echo(text, nl=newline)
        sys.stdout.flush()


def schema_name(name: str) -> str:
    """Return the schema of what a command answers, such as retuned.intake.show/1."""
    return f"retuned.{name}/{_SCHEMA_VERSION}"


def as_text(document: Mapping[str, object]) -> str:
    """Write a JSON document for programs that people look at, too."""
    return json.dumps(document, ensure_ascii=False, indent=2)


@contextmanager
def quiet_pipe() -> Iterator[None]:
    """End output quietly where its reader has gone, as `head` does: the command goes on to its exit code."""
    try:
        yield
    except BrokenPipeError:
        stop_output()


def stop_output() -> None:
    """Let what is printed from here on go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


@contextmanager
def standard_output() -> Iterator[None]:
    """Provide standard output and errors, also to a process that was started without, and print all at the end.

    A reader that has gone is no failure.
    """
    # They are None in a process that was started with them closed, as >&- does.
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  # until the end
    try:
        yield
    finally:
        with quiet_pipe():
            sys.stdout.flush()


def console() -> "Console":
    """Return the terminal. It takes nothing in a text for markup: words of conversations are printed as they are.

    It obeys NO_COLOR and COLUMNS, and prints no colours into a file or a pipe.
    """
    from rich.console import Console

    class Terminal(Console):
        """A terminal whose reader may go."""

        def on_broken_pipe(self) -> None:
            """Go on to the command's exit code."""
            stop_output()

    made = Terminal(markup=False, emoji=False, highlight=False)
    if made.no_color:  # rich would leave bold and dim
        made = Terminal(markup=False, emoji=False, highlight=False, color_system=None)
    if not made.is_terminal:
        made.width = shutil.get_terminal_size(_DEFAULT_SIZE).columns
    return made
