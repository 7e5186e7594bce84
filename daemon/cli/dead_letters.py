"""Commands about dead letters: list, show, requeue."""

from pathlib import Path
from typing import Annotated

import typer

from daemon.cli.session import Json, opened, present, read_settings
from daemon.domain.errors import DaemonError

deadletters = typer.Typer(help="List, show or requeue unusable records.", no_args_is_help=True)
_ID = typer.Argument(metavar="ID", help="The id that `retuned deadletters list` shows.", show_default=False)
_REASON = typer.Option("--reason", help="Only those with this reason.", show_default=False)


class NothingChosen(DaemonError):
    """No dead letter was named."""


@deadletters.command("list")
def list_(
    context: typer.Context,
    *,
    reason: Annotated[str | None, _REASON] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many to list.")] = 20,
    before: Annotated[
        int | None,
        typer.Option(help="Only those older than this id, for the next page.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the newest dead letters, with counts by reason."""
    from daemon.cli.render.intake import dead_letters_screen
    from daemon.views.dead_letters import without_bytes

    settings = read_settings(context)
    with opened(settings) as stores:
        found = stores.dead_letters.newest(limit, reason=reason, before=before)
        counts = stores.dead_letters.counts_by_reason()
    listed = [without_bytes(stored) for stored in found]
    present(
        {"by_reason": counts, "dead_letters": listed},
        lambda: dead_letters_screen(found, counts),
        as_json=as_json,
    )


@deadletters.command()
def show(
    context: typer.Context,
    number: Annotated[int, _ID],
    *,
    raw: Annotated[
        Path | None, typer.Option(help="Write the record's bytes to this file.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Show a dead letter: its reason, origin and content."""
    from daemon.cli.render.intake import dead_letter_screen
    from daemon.views.dead_letters import with_text

    settings = read_settings(context)
    with opened(settings) as stores:
        stored = stores.dead_letters.dead_letter(number)
    if raw is not None:
        if stored.letter.value is None:
            raise NothingChosen(
                f"the bytes of dead letter {number} were not kept (dead_letters.keep: digest)"
            )
        raw.write_bytes(stored.letter.value)
    present(with_text(stored), lambda: dead_letter_screen(stored), as_json=as_json)


@deadletters.command()
def requeue(
    context: typer.Context,
    numbers: Annotated[list[int] | None, _ID] = None,
    *,
    reason: Annotated[str | None, _REASON] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Requeue all that were not requeued yet.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Put records back on the topic, unchanged, to be read again."""
    from daemon.domain.clock import utc_now
    from daemon.intake.requeueing import requeue as send_again
    from daemon.intake.requeueing import select_letters
    from daemon.kafka import KafkaSink
    from daemon.runtime.kafka_settings import load_kafka_settings

    if not (numbers or reason or everything):
        raise NothingChosen("name dead letters by their ids, or use --reason REASON or --all")
    settings = read_settings(context)
    with opened(settings) as stores:
        letters = select_letters(stores.dead_letters, ids=numbers or (), reason=reason)
        sink = KafkaSink(load_kafka_settings(settings))
        try:
            count = send_again(stores.dead_letters, sink, letters, clock=utc_now)
        finally:
            sink.close(5)
    present(
        {"requeued": count},
        lambda: f"Requeued {count:,} records; the daemon reads them next.",
        as_json=as_json,
    )
