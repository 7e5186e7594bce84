"""Commands that change what is live, or ask for a training: promote, rollback, train."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.session import Json, Reason, opened, operator, present, read_settings
from daemon.cli.version_argument import VERSION

if TYPE_CHECKING:
    from daemon.config.settings import Settings
    from daemon.http.probe import DaemonHealth
    from daemon.ledger.stores import Stores
    from registry.types import Promotion

_EXPECT = typer.Option(
    "--expect",
    metavar="VERSION",
    help="Refuse, and change nothing, unless this version is live.",
    show_default=False,
)


def promote(
    context: typer.Context,
    version: Annotated[str, VERSION],
    *,
    reason: Reason = "",
    force: Annotated[
        bool,
        typer.Option("--force", help="Overrule the gate or a rejection; recorded, and needs a reason."),
    ] = False,
    expect: Annotated[str | None, _EXPECT] = None,
    as_json: Json = False,
) -> None:
    """Promote a version that passed the gate.

    One that was rolled back, or that continues from one, needs a reason.
    """
    from daemon.domain.clock import utc_now
    from daemon.release.promotion import promote_version
    from registry.names import VersionName

    settings = read_settings(context)
    name = VersionName.parse(version, line=settings.model_line)
    expected = VersionName.parse(expect, line=settings.model_line) if expect else None

    def change(stores: "Stores") -> "Promotion":
        return promote_version(
            stores, name, reason=reason, force=force, by=operator(), clock=utc_now, expect=expected
        )

    _change(settings, change, as_json=as_json)


def rollback(
    context: typer.Context,
    version: Annotated[str | None, VERSION] = None,
    *,
    reason: Reason,
    expect: Annotated[str | None, _EXPECT] = None,
    as_json: Json = False,
) -> None:
    """Roll back to the previous live version, or to VERSION, at once.

    Then only a person puts a version live, until `retuned unhold`; a training on what was rolled back is cancelled.
    """
    from daemon.domain.clock import utc_now
    from daemon.release.promotion import roll_back_version
    from registry.names import VersionName

    settings = read_settings(context)
    line = settings.model_line
    to = VersionName.parse(version, line=line) if version else None
    expected = VersionName.parse(expect, line=line) if expect else None

    def change(stores: "Stores") -> "Promotion":
        return roll_back_version(
            stores, model_line=line, to=to, reason=reason, by=operator(), clock=utc_now, expect=expected
        )

    _change(settings, change, as_json=as_json)


def train(
    context: typer.Context,
    *,
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Request a training from the daemon."""
    from daemon.domain.clock import utc_now
    from daemon.http.probe import probe

    settings = read_settings(context)
    with opened(settings) as stores:
        request = stores.decisions.request_training(by=operator().name, reason=reason, now=utc_now())
    health = probe(settings.http, model_line=settings.model_line)
    next_ = (
        "the daemon decides at its next turn; see `retuned status`"
        if health.running
        else f"{health.absence}, so it waits for `retuned run`"
    )
    result = {"request": request, "reason": reason, "daemon": health, "next": next_}
    present(result, lambda: f"Request {request} is recorded; {next_}.", as_json=as_json)


def _change(settings: "Settings", change: "Callable[[Stores], Promotion]", *, as_json: bool) -> None:
    """Make a transition and print the result."""
    from daemon.http.probe import probe
    from registry.types import PromotionKind

    with opened(settings) as stores:
        started = time.monotonic()
        entry = change(stores)
        seconds = time.monotonic() - started
    health = probe(settings.http, model_line=settings.model_line)
    next_ = _next(entry, health, back=entry.kind is PromotionKind.ROLLBACK)
    result = {"promotion": entry, "seconds": round(seconds, 3), "daemon": health, "next": next_}
    forced = " (forced past the gate)" if entry.forced else ""
    present(
        result,
        lambda: f"{entry.previous} -> {entry.version} is live{forced}, in {seconds:.2f} s\n{next_}",
        as_json=as_json,
    )


def _next(entry: "Promotion", health: "DaemonHealth", *, back: bool) -> str:
    """Return what happens next, and how to undo it."""
    known = f"the reference that {entry.version} had" if back else f"what {entry.version} learned"
    follows = (
        f"The daemon follows at its next turn: windows are compared with {known}."
        if health.running
        else health.until_start(f"compares windows with {known}")
    )
    if back and entry.previous is not None:
        return (
            f"{follows} Automatic promotion is held until `retuned unhold -m REASON`, and a training that continues from "
            f"{entry.previous} is cancelled. {entry.previous} stays in the registry: `retuned why v{entry.previous.number}`."
        )
    return f"{follows} `retuned rollback -m REASON` takes it back."
