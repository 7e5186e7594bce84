"""Commands for the reference: show, set, freeze, unfreeze."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.session import Json, Reason, opened, operator, present, read_settings
from daemon.domain.errors import DaemonError

if TYPE_CHECKING:
    from daemon.config.settings import Settings
    from daemon.domain.windows import StoredReference
    from daemon.ledger.stores import Stores

reference = typer.Typer(help="Show, set or freeze what windows are compared with.", no_args_is_help=True)
_WHY = typer.Option("--why", hidden=True)  # the earlier spelling of --reason
_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%SZ"]


class BadChoice(DaemonError):
    """The options name no conversations."""


@reference.command()
def show(context: typer.Context, *, as_json: Json = False) -> None:
    """Show the reference, and how much of the cycle it spans."""
    from daemon.cli.render.references import reference_screen
    from daemon.domain.clock import utc_now
    from daemon.views.references import reference_view

    settings = read_settings(context)
    with opened(settings) as stores:
        seen = reference_view(stores, settings)
    present(seen, lambda: reference_screen(seen, utc_now()), as_json=as_json)


@reference.command("set")
def fix(
    context: typer.Context,
    *,
    last: Annotated[
        int | None, typer.Option(min=1, help="The newest N conversations.", metavar="N", show_default=False)
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option("--from", formats=_FORMATS, help="From this time on, UTC.", show_default=False),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option("--to", formats=_FORMATS, help="Before this time, UTC.", show_default=False),
    ] = None,
    reason: Reason = "",
    why: Annotated[str, _WHY] = "",
    as_json: Json = False,
) -> None:
    """Set the reference to the conversations you name.

    It draws windows.reference_size of them evenly. It holds until the next version goes live, or longer if you
    freeze it.
    """
    from daemon.cli.render.references import reference_line

    settings = read_settings(context)
    with opened(settings) as stores:
        fixed = _fixed(stores, settings, last, since, until, reason or why)
    next_ = _next(settings, "watches the stream anew, from here on")
    cycle = settings.windows.reference_days
    present(
        {"reference": fixed, "next": next_},
        lambda: f"the reference is now {reference_line(fixed, cycle_days=cycle)}\n{next_}",
        as_json=as_json,
    )


@reference.command()
def freeze(
    context: typer.Context,
    *,
    reason: Reason = "",
    why: Annotated[str, _WHY] = "",
    as_json: Json = False,
) -> None:
    """Freeze the reference: no widening, renewal or replacement."""
    from daemon.cli.render.references import frozen_words
    from daemon.domain.clock import utc_now
    from daemon.ledger.freezes import FreezeLedger

    settings = read_settings(context)
    with opened(settings) as stores:
        frozen = FreezeLedger(stores.engine).freeze(by=operator().name, why=reason or why, now=utc_now())
    present(
        {"freeze": frozen},
        lambda: f"{frozen_words(frozen, utc_now())}; `retuned reference unfreeze -m REASON` lets it go on",
        as_json=as_json,
    )


@reference.command()
def unfreeze(context: typer.Context, *, reason: Reason = "", as_json: Json = False) -> None:
    """Unfreeze the reference: it follows the live version again."""
    from daemon.cli.render.formatting import timestamp
    from daemon.domain.clock import utc_now
    from daemon.ledger.freezes import FreezeLedger

    settings = read_settings(context)
    with opened(settings) as stores:
        ended = FreezeLedger(stores.engine).unfreeze(by=operator().name, why=reason, now=utc_now())
    next_ = _next(settings, "compares windows with what the live version knows")
    present(
        {"ended": ended, "next": next_},
        lambda: f"no longer frozen; it was since {timestamp(ended.at)}, by {ended.by}\n{next_}",
        as_json=as_json,
    )


def _fixed(
    stores: "Stores",
    settings: "Settings",
    last: int | None,
    since: datetime | None,
    until: datetime | None,
    why: str,
) -> "StoredReference":
    from daemon.domain.clock import utc_now

    entry = stores.versions.newest_promotion(settings.model_line)
    live = entry.version if entry else None
    if live is None:
        raise BadChoice(
            "nothing is live yet, so there is nothing to compare for; start it with `retuned run`"
        )
    size, by, now = settings.windows.reference_size, operator().name, utc_now()
    if last is not None and since is None and until is None:
        return stores.references.set_to_newest(str(live), last, size=size, by=by, why=why, now=now)
    if last is None and since is not None and until is not None:
        then = since.replace(tzinfo=UTC), until.replace(tzinfo=UTC)
        return stores.references.set_to_period(str(live), *then, size=size, by=by, why=why, now=now)
    raise BadChoice("say which conversations: either --last N, or --from TIME --to TIME")


def _next(settings: "Settings", does: str) -> str:
    from daemon.http.probe import probe

    health = probe(settings.http, model_line=settings.model_line)
    if health.running:
        return f"The daemon follows at its next turn: it {does}."
    return health.until_start(does)
