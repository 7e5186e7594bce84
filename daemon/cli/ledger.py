"""Commands about the ledger's place: migrate."""

import time
from dataclasses import asdict
from typing import Annotated

import typer

from daemon.cli.session import Json, present, read_settings, refuse_missing_ledger, settings_file

ledger = typer.Typer(no_args_is_help=True, help="Move the ledger.")


@ledger.callback()
def _group() -> None:
    """Keep the name of the only command."""


@ledger.command()
def migrate(
    context: typer.Context,
    *,
    to: Annotated[
        str,
        typer.Option(
            help="SQLAlchemy URL of an empty database, as in ledger_url. A password belongs into a file that it "
            "names (?passfile=FILE), as others see command lines. Several lines get a place each below it, as in ledger_url.",
            show_default=False,
        ),
    ],
    as_json: Json = False,
) -> None:
    """Copy the ledger to another database, such as from SQLite to PostgreSQL, and compare both row by row.

    Stop the daemon first. The ledger that is there stays as it is. The copy is one transaction, so it comes wholly or not at all.
    """
    from daemon.backup.migrate import migrate_ledger
    from daemon.cli.render.migration import migration_screen, watching
    from daemon.config.lines import line_ledger_url
    from daemon.config.loader import has_lines

    settings = read_settings(context)
    place = line_ledger_url(to, settings.model_line) if has_lines(settings_file(context)) else to
    refuse_missing_ledger(settings)
    with watching(quiet=as_json) as watch:
        report = migrate_ledger(
            settings, place, setting=to, clock=time.monotonic, sleep=time.sleep, watch=watch
        )
    document = {**asdict(report), "rows": report.rows}
    present(document, lambda: migration_screen(report), as_json=as_json)
