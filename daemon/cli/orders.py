"""Commands by which an operator binds the daemon: hold, unhold, pause, resume, cancel, reject."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.session import Json, Reason, opened, operator, present, read_settings
from daemon.cli.version_argument import VERSION

if TYPE_CHECKING:
    from daemon.config.settings import Settings
    from daemon.ledger.stores import Stores
    from daemon.release.orders import DecideOrder
    from registry.orders import Order
    from registry.restrictions import Hold

_RUN = typer.Argument(
    metavar="RUN", help="The run, such as r7; by default the one in progress.", show_default=False
)


def hold(context: typer.Context, *, reason: Reason, as_json: Json = False) -> None:
    """Hold automatic promotion: until `unhold`, only a person puts a version live."""
    from registry.ordering import hold as decide

    _give(
        read_settings(context),
        decide,
        reason,
        says="Automatic promotion is held. `retuned unhold -m REASON` ends that",
        as_json=as_json,
    )


def unhold(context: typer.Context, *, reason: Reason, as_json: Json = False) -> None:
    """End the hold of automatic promotion, that of a rollback, too."""
    from registry.ordering import unhold as decide

    _give(
        read_settings(context),
        decide,
        reason,
        says="The hold has ended: a candidate that passes the gate goes live by itself, if release.automatic is on",
        as_json=as_json,
    )


def pause(context: typer.Context, *, reason: Reason, as_json: Json = False) -> None:
    """Pause training: the run in progress stops at its checkpoint, and none starts."""
    from registry.ordering import pause as decide

    _give(
        read_settings(context),
        decide,
        reason,
        says="Training is paused. `retuned resume -m REASON` lets it go on",
        as_json=as_json,
    )


def resume(context: typer.Context, *, reason: Reason, as_json: Json = False) -> None:
    """Resume training where it was paused. (Intake: `retuned intake resume`.)"""
    from registry.ordering import resume as decide

    _give(
        read_settings(context),
        decide,
        reason,
        says="Training goes on: a suspended run from its checkpoint, then what was requested or decided",
        as_json=as_json,
    )


def cancel(
    context: typer.Context,
    run: Annotated[str | None, _RUN] = None,
    *,
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Cancel the training in progress; no version of it goes live by itself."""
    from daemon.domain.clock import utc_now
    from daemon.release.orders import cancel_run

    settings = read_settings(context)

    def order(stores: "Stores") -> "Order":
        line = settings.model_line
        return cancel_run(stores, line, run, reason=reason, by=operator(), clock=utc_now)

    says = "The run is cancelled. `retuned pause -m REASON` keeps the next from starting"
    _record(settings, order, says=says, as_json=as_json)


def reject(
    context: typer.Context,
    version: Annotated[str, VERSION],
    *,
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Reject a candidate: it is not released, and no training continues from it."""
    from daemon.domain.clock import utc_now
    from daemon.release.orders import reject_version
    from registry.names import VersionName

    settings = read_settings(context)
    name = VersionName.parse(version, line=settings.model_line)

    def order(stores: "Stores") -> "Order":
        return reject_version(stores, name, reason=reason, by=operator(), clock=utc_now)

    says = f"{name} is rejected. `retuned promote v{name.number} --force -m REASON` overrules that"
    _record(settings, order, says=says, as_json=as_json)


def _give(settings: "Settings", decide: "DecideOrder", reason: str, *, says: str, as_json: bool) -> None:
    from daemon.domain.clock import utc_now
    from daemon.release.orders import give_order

    def order(stores: "Stores") -> "Order":
        return give_order(stores, settings.model_line, decide, reason=reason, by=operator(), clock=utc_now)

    _record(settings, order, says=says, as_json=as_json)


def _record(settings: "Settings", give: "Callable[[Stores], Order]", *, says: str, as_json: bool) -> None:
    """Record an order and say what follows; where it is in force already, say by whom, and change nothing."""
    from daemon.http.probe import probe
    from registry.ordering import AlreadyOrdered

    with opened(settings) as stores:
        try:
            order, said = give(stores), f"{says}."
        except AlreadyOrdered as already:
            order, said = None, f"Nothing was changed: {already}."
        hold = _hold(stores, settings.model_line)
    health = probe(settings.http, model_line=settings.model_line)
    next_ = "The daemon follows at its next turn." if health.running else health.until_start("follows")
    if order is not None and order.kind == "unhold" and hold is not None:
        said = f"The hold that you saw has ended, but a newer one began: {hold}."
    result = {"order": order, "changed": order is not None, "hold": hold, "daemon": health, "next": next_}
    present(result, lambda: f"{said}\n{next_}" if order else said, as_json=as_json)


def _hold(stores: "Stores", model_line: str) -> "Hold | None":
    from registry.line_logs import read_outline

    return read_outline(stores.versions, model_line).hold
