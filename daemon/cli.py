"""The command line of ``retuned``. It starts fast: what a command needs is imported when it runs."""

from pathlib import Path
from typing import Annotated

import typer

from daemon.commands import (
    acting,
    benching,
    drifting,
    forgetting,
    letters,
    looking,
    referring,
    running,
    setting_up,
    stream,
)
from daemon.commands.examining import doctor
from daemon.commands.failing import Commands

app = typer.Typer(
    name="retuned",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # a traceback with values in it could show secrets
    context_settings={"help_option_names": ["-h", "--help"]},
)

_RUN, _LOOK, _ACT, _SET_UP = "Run", "Look", "Act", "Set up"
for panel, commands in (
    (_RUN, (running.run, running.demo, running.replay)),
    (
        _LOOK,
        (
            looking.status,
            looking.versions,
            looking.show,
            looking.history,
            looking.why,
            forgetting.lineage,
            forgetting.erasures,
        ),
    ),
    (_ACT, (acting.promote, acting.rollback, acting.train, forgetting.forget)),
    (_SET_UP, (doctor,)),
):
    for command in commands:
        app.command(rich_help_panel=panel)(command)
app.add_typer(benching.bench, name="bench", rich_help_panel=_LOOK)
app.add_typer(drifting.drift, name="drift", rich_help_panel=_LOOK)
app.add_typer(referring.reference, name="reference", rich_help_panel=_ACT)
app.add_typer(stream.intake, name="intake", rich_help_panel=_ACT)
app.add_typer(letters.deadletters, name="deadletters", rich_help_panel=_ACT)
app.add_typer(setting_up.config, name="config", rich_help_panel=_SET_UP)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"retuned {version('retuned')}")
        raise typer.Exit


@app.callback()
def retuned(
    context: typer.Context,
    *,
    config: Annotated[
        Path | None,
        typer.Option(
            help="Settings file; else RETUNED_CONFIG, else retuned.yaml in this folder.", show_default=False
        ),
    ] = None,
    _version: Annotated[
        bool, typer.Option("--version", help="Show the release.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Keep a chat model tuned to the conversations it is having."""
    context.obj = config


def main() -> None:
    """Run the command that was typed."""
    app()


if __name__ == "__main__":
    main()
