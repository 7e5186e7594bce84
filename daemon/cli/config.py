"""Commands for the settings: check, show, schema."""

from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.output import as_text, print_json, print_text
from daemon.cli.session import Json, present, read_lines, settings_file

if TYPE_CHECKING:
    from daemon.config.settings import Settings

config = typer.Typer(help="Check, show or describe the settings.", no_args_is_help=True)


@config.command()
def check(context: typer.Context, *, as_json: Json = False) -> None:
    """Check the settings file and the environment, and list every mistake."""
    file = settings_file(context)
    lines = list(read_lines(context))
    named = {"model_line": lines[0]} if len(lines) == 1 else {"lines": lines}
    present(
        {"file": file, **named, "mistakes": []},
        lambda: f"{file}: no mistakes; it keeps {', '.join(lines)} tuned",
        as_json=as_json,
    )


@config.command()
def show(
    context: typer.Context,
    *,
    comments: Annotated[bool, typer.Option("--comments", help="Describe every setting.")] = False,
    as_json: Json = False,
) -> None:
    """Show the settings in effect, with secrets hidden."""
    from daemon.config.loader import dump

    lines = {name: _without_passwords(settings) for name, settings in read_lines(context).items()}
    if as_json:
        shown = {name: settings.model_dump(mode="json") for name, settings in lines.items()}
        print_json(next(iter(shown.values())) if len(shown) == 1 else {"lines": shown})
        return
    for name, settings in lines.items():
        title = f"---  # {name}\n" if len(lines) > 1 else ""
        print_text(title + dump(settings, comments=comments), newline=False)


@config.command()
def schema(
    *,
    yaml: Annotated[bool, typer.Option("--yaml", help="Print a commented settings file instead.")] = False,
    as_json: Json = False,
) -> None:
    """Show the JSON Schema of the settings, for editors."""
    from daemon.config.loader import dump
    from daemon.config.schema import settings_schema
    from daemon.config.settings import ModelSection, Settings

    if yaml and not as_json:
        example = Settings(model=ModelSection(base="/models/my-chat-model"))
        print_text(dump(example, comments=True), newline=False)
    elif as_json:
        print_json(settings_schema())
    else:
        print_text(as_text(settings_schema()))


def _without_passwords(settings: "Settings") -> "Settings":
    """Hide passwords that are inside URLs; secrets of their own are hidden by their type."""
    from daemon.config.urls import without_secrets

    urls = {"ledger_url": settings.ledger_url, "artifacts_url": settings.artifacts_url}
    hidden = {name: url and without_secrets(url) for name, url in urls.items()}
    return settings.model_copy(update=hidden)
