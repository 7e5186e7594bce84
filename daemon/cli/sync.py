"""The command sync."""

from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.session import Json, opened, present, read_settings

if TYPE_CHECKING:
    from daemon.http.probe import DaemonHealth
    from daemon.release.sync import Synced


def sync(
    context: typer.Context,
    *,
    accept_ledger: Annotated[
        bool,
        typer.Option(
            "--accept-ledger",
            help="Go on with this ledger, though another or a newer one was here before.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Finish a switch that was left half-done: serve what the log says is live."""
    from daemon.domain.clock import utc_now
    from daemon.http.probe import probe
    from daemon.release.sync import sync_target

    settings = read_settings(context)
    with opened(settings) as stores:
        synced = sync_target(stores, model_line=settings.model_line, clock=utc_now)
        if accept_ledger:
            stores.marks.accept()
    health = probe(settings.http, model_line=settings.model_line)
    next_ = _next(synced, health)
    result = {
        "live": synced.live and str(synced.live),
        "switched": synced.switched,
        "accepted_ledger": accept_ledger,
        "daemon": health,
        "next": next_,
    }
    present(result, lambda: f"{_done(synced, accepted=accept_ledger)}\n{next_}", as_json=as_json)


def _done(synced: "Synced", *, accepted: bool) -> str:
    if synced.live is None:
        target = "Nothing is live yet, so there is nothing to serve."
    elif synced.switched:
        target = f"The target was switched to {synced.live}."
    else:
        target = f"The target serves {synced.live} already."
    return f"{target} This ledger is accepted." if accepted else target


def _next(synced: "Synced", health: "DaemonHealth") -> str:
    if not health.running:
        return health.until_start("goes on from here")
    if health.live is not None and health.live != str(synced.live):
        return f"The daemon says {health.live}; it follows at its next turn: see `retuned status`."
    return "The daemon is running."
