"""Answers a command about every model line of the settings, or about the one that --line names."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import typer

from daemon.cli.output import console, print_json
from daemon.cli.session import present, read_lines

if TYPE_CHECKING:
    from rich.console import RenderableType

    from daemon.config.settings import Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a command says about one model line."""

    document: object  # a view, for programs
    screen: "Callable[[], RenderableType]"
    exit_code: int = 0


def answer_lines(context: typer.Context, answer: "Callable[[Settings], Answer]", *, as_json: bool) -> None:
    """Print the answer about the only line; about several, each below its name, or one object by line.

    Of several, one that fails is printed with the reason, and the others are still answered. Ends with the exit code of
    the first that does not answer with 0. Raises SettingsError, NoSuchLine, and what the answer about an only line raises.
    """
    lines = read_lines(context)
    if len(lines) == 1:
        only = answer(next(iter(lines.values())))
        present(only.document, only.screen, as_json=as_json)
        code = only.exit_code
    else:
        answers = {name: _answered(answer, settings) for name, settings in lines.items()}
        _print(answers, as_json=as_json)
        code = next((each.exit_code for each in answers.values() if each.exit_code), 0)
    if code:
        raise typer.Exit(code)


def _answered(answer: "Callable[[Settings], Answer]", settings: "Settings") -> Answer:
    """Return the answer about a line, or why there is none."""
    from daemon.cli.failures import failure

    try:
        return answer(settings)
    except Exception as error:
        failed = failure(error)
        if failed is None:
            raise
        reason = f"retuned: {failed.message}"
        return Answer(document={"error": asdict(failed)}, screen=lambda: reason, exit_code=failed.exit_code)


def _print(answers: dict[str, Answer], *, as_json: bool) -> None:
    from daemon.cli.render.layout import heading

    if as_json:
        print_json({"lines": {name: each.document for name, each in answers.items()}})
        return
    for number, (name, each) in enumerate(answers.items()):
        title = heading(name)
        console().print(title if number else title[1:])
        console().print(each.screen())
