"""Commands about the reference: show, set, freeze, unfreeze."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.session import Json, opened, operator, present, read_settings
from daemon.domain.errors import DaemonError

if TYPE_CHECKING:
    from daemon.config.settings import Settings
    from daemon.domain.windows import StoredReference
    from daemon.ledger.stores import Stores

reference = typer.Typer(
    help="Show, fix or freeze the conversations that windows are compared with.", no_args_is_help=True
)
_WHY = typer.Option("-m", "--why", help="Why, for those who read it later.", show_default=False)
_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%SZ"]


class BadChoice(DaemonError):
    """What was typed names no conversations."""


@reference.command()
def show(context: typer.Context, *, as_json: Json = False) -> None:
    """Show which conversations windows are compared with, and how much of the stream's cycle they span."""
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
        typer.Option("--from", formats=_FORMATS, help="Said from then on, UTC.", show_default=False),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option("--to", formats=_FORMATS, help="Said before then, UTC.", show_default=False),
    ] = None,
    why: Annotated[str, _WHY] = "",
    as_json: Json = False,
) -> None:
    """Compare windows with these conversations from now on: windows.reference_size of them, drawn evenly.

    It holds until the next version takes over, or for longer where you freeze it too.
    """
    from daemon.cli.render.references import reference_line

    settings = read_settings(context)
    with opened(settings) as stores:
        fixed = _fixed(stores, settings, last, since, until, why)
    next_ = _next(settings, "watches the stream anew, from here on")
    cycle = settings.windows.reference_days
    present(
        {"reference": fixed, "next": next_},
        lambda: f"the reference is now {reference_line(fixed, cycle_days=cycle)}\n{next_}",
        as_json=as_json,
    )


@reference.command()
def freeze(context: typer.Context, *, why: Annotated[str, _WHY] = "", as_json: Json = False) -> None:
    """Keep the reference as it is: neither widened, nor renewed, nor replaced when another version takes over."""
    from daemon.cli.render.references import frozen_words
    from daemon.domain.clock import utc_now
    from daemon.ledger.freezes import FreezeLedger

    settings = read_settings(context)
    with opened(settings) as stores:
        frozen = FreezeLedger(stores.engine).freeze(by=operator().name, why=why, now=utc_now())
    present(
        {"freeze": frozen},
        lambda: f"{frozen_words(frozen, utc_now())}; `retuned reference unfreeze` lets it go on",
        as_json=as_json,
    )


@reference.command()
def unfreeze(context: typer.Context, *, as_json: Json = False) -> None:
    """Let the reference follow the live version again, and be widened."""
    from daemon.cli.render.figures import moment
    from daemon.domain.clock import utc_now
    from daemon.ledger.freezes import FreezeLedger

    settings = read_settings(context)
    with opened(settings) as stores:
        ended = FreezeLedger(stores.engine).unfreeze(by=operator().name, now=utc_now())
    next_ = _next(settings, "compares windows with what the live version knows")
    present(
        {"ended": ended, "next": next_},
        lambda: f"no longer frozen; it was since {moment(ended.at)}, by {ended.by}\n{next_}",
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

    live = stores.versions.history(settings.model_line).live
    if live is None:
        raise BadChoice(
            "nothing is live yet, so there is nothing to compare for; start it with `retuned run`"
        )
    size, by, now = settings.windows.reference_size, operator().name, utc_now()
    if last is not None and since is None and until is None:
        return stores.references.fix_last(str(live), last, size=size, by=by, why=why, now=now)
    if last is None and since is not None and until is not None:
        then = since.replace(tzinfo=UTC), until.replace(tzinfo=UTC)
        return stores.references.fix_between(str(live), *then, size=size, by=by, why=why, now=now)
    raise BadChoice("say which conversations: either --last N, or --from TIME --to TIME")


def _next(settings: "Settings", does: str) -> str:
    from daemon.http.probe import probe

    health = probe(settings.http)
    if health.running:
        return f"The daemon follows at its next turn: it {does}."
    return f"No daemon answers at {health.url}; the next start {does}."
