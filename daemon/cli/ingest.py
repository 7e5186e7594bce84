"""Commands for logs that are not read yet: ingest check."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from daemon.cli.output import Json, present
from daemon.cli.session import read_settings, settings_file
from daemon.domain.errors import Misuse

if TYPE_CHECKING:
    from daemon.config.settings import Settings

ingest = typer.Typer(help="Examine a log before it is read.", no_args_is_help=True)


@ingest.command()
def check(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(
            help="Sample of a log: JSON lines or one JSON list, plain or gzipped.", show_default=False
        ),
    ],
    *,
    format_: Annotated[
        str | None,
        typer.Option("--format", help="Read it as this format; by default kafka.format.", show_default=False),
    ] = None,
    most: Annotated[int, typer.Option("--most", help="Read at most so many records.", min=1)] = 10_000,
    as_json: Json = False,
) -> None:
    """Show what the records of a log become, format by format: it needs no ledger and no broker.

    Without a settings file the defaults count. Fails if a record would be refused, or if none holds a conversation.
    """
    from daemon.cli.exit_codes import ExitCode
    from daemon.cli.render.ingest import log_sample_screen
    from daemon.domain.clock import utc_now
    from daemon.intake.log_file import LogFileReader
    from daemon.intake.privacy.redaction import Redactor
    from daemon.views.log_sample import log_sample

    settings = _settings(context)
    reader = LogFileReader(
        limits=settings.limits,
        received_at=utc_now(),
        intake=settings.intake,
        feedback=settings.feedback,
        format=known_format(format_) or settings.kafka.format,
    )
    sample = log_sample(file, reader, redactor=Redactor(settings.hygiene), most=most)
    present(sample.document(), lambda: log_sample_screen(sample), as_json=as_json)
    if sample.refused or not sample.conversations:
        raise typer.Exit(ExitCode.FAILED)


def known_format(name: str | None) -> str | None:
    """Return the name of a format, or None. Raises Misuse for any other."""
    from daemon.config.settings import KafkaSection

    names = get_args(KafkaSection.model_fields["format"].annotation)
    if name is None or name in names:
        return name
    raise Misuse(f"{name!r} is no format; write one of {', '.join(names)}")


def _settings(context: typer.Context) -> "Settings":
    """Return the settings of the file that is there or was asked for, else the defaults."""
    from daemon.config.settings import ModelSection, Settings

    if context.find_root().obj is None and not settings_file(context).exists():
        return Settings(model=ModelSection(base="none"))
    return read_settings(context)
