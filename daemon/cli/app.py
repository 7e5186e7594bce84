"""The command line of ``retuned``. Each command imports what it needs when it runs, so help is fast."""

import gc
import sys
from pathlib import Path
from typing import Annotated

import typer

from daemon.cli import (
    backup,
    bench,
    broker,
    config,
    dead_letters,
    drift,
    erasure,
    ingest,
    init,
    inspect,
    intake,
    ledger,
    orders,
    promote,
    reference,
    run,
    sync,
    teacher,
    train_job,
)
from daemon.cli.doctor.command import doctor
from daemon.cli.failures import CommandGroup
from daemon.cli.installation import overwritten
from daemon.cli.output import standard_output
from daemon.cli.session import DEBUG, LINE
from daemon.cli.unexpected import report_unexpected

_OBJECTS_BETWEEN_COLLECTIONS = 50_000

app = typer.Typer(
    name="retuned",
    cls=CommandGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a traceback with values in it could show secrets
    context_settings={"help_option_names": ["-h", "--help"]},
)

_RUN, _LOOK, _ACT, _SET_UP = "Run", "Look", "Act", "Set up"
for panel, commands in (
    (_RUN, (run.run, run.demo, run.replay)),
    (
        _LOOK,
        (
            inspect.status,
            inspect.versions,
            inspect.show,
            inspect.history,
            inspect.why,
            erasure.lineage,
            erasure.erasures,
        ),
    ),
    (
        _ACT,
        (
            promote.promote,
            promote.rollback,
            sync.sync,
            orders.hold,
            orders.unhold,
            orders.reject,
            promote.train,
            orders.pause,
            orders.resume,
            orders.cancel,
            erasure.forget,
        ),
    ),
    (_SET_UP, (init.init, broker.broker, doctor, backup.backup, backup.restore)),
):
    for command in commands:
        app.command(rich_help_panel=panel)(command)
app.command(hidden=True)(train_job.train_job)
app.add_typer(bench.bench, name="bench", rich_help_panel=_LOOK)
app.add_typer(drift.drift, name="drift", rich_help_panel=_LOOK)
app.add_typer(reference.reference, name="reference", rich_help_panel=_ACT)
app.add_typer(teacher.teacher, name="teacher", rich_help_panel=_LOOK)
app.add_typer(ingest.ingest, name="ingest", rich_help_panel=_LOOK)
app.add_typer(intake.intake, name="intake", rich_help_panel=_ACT)
app.add_typer(dead_letters.deadletters, name="deadletters", rich_help_panel=_ACT)
app.add_typer(ledger.ledger, name="ledger", rich_help_panel=_SET_UP)
app.add_typer(config.config, name="config", rich_help_panel=_SET_UP)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"retuned {version('retuned')}")
        raise typer.Exit


@app.callback()
def retuned(
    context: typer.Context,
    *,
    config_file: Annotated[
        Path | None,
        typer.Option(
            "--config",
            help="Settings file; else RETUNED_CONFIG, else ./retuned.yaml.",
            show_default=False,
        ),
    ] = None,
    line: Annotated[
        str | None,
        typer.Option(
            "--line",
            envvar="RETUNED_LINE",
            help="The model line, where the settings file has several; else RETUNED_LINE.",
            show_default=False,
        ),
    ] = None,
    debug: Annotated[
        bool, typer.Option("--debug", help="Add the traceback to an error, and log at level DEBUG.")
    ] = False,
    _version: Annotated[
        bool,
        typer.Option("--version", help="Show the version of retuned.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Keep a chat model tuned to the conversations it is having."""
    context.obj = config_file
    context.meta[DEBUG] = debug
    context.meta[LINE] = line


def main() -> None:
    """Run the command that was typed, unless another distribution has overwritten parts of this one.

    No error leaves a traceback, unless ``--debug`` asks for it.
    """
    # Loading the modules of a command makes a hundred thousand objects that stay: looking for cycles among them again
    # and again takes a tenth of its time.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    problem = overwritten()
    if problem is not None:
        sys.exit(f"retuned: {problem}")
    try:
        with standard_output():
            app(prog_name="retuned")
    except Exception as error:  # noqa: BLE001 - the last resort
        sys.exit(report_unexpected(error, sys.argv[1:]))
