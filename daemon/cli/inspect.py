"""Commands that show a model line: status, versions, show, history, why."""

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from daemon.cli.lines import Answer, answer_lines
from daemon.cli.session import Json, Verbose, opened, present, read_settings
from daemon.cli.version_argument import VERSION

if TYPE_CHECKING:
    from daemon.config.settings import Settings

Limit: TypeAlias = Annotated[int, typer.Option("--limit", min=1, help="How many of the newest to show.")]
Everything: TypeAlias = Annotated[bool, typer.Option("--all", help="Show all.")]
_SHOWN = 20


def status(context: typer.Context, *, verbose: Verbose = False, as_json: Json = False) -> None:
    """Show whether all is well, what is live, and what needs you."""
    answer_lines(context, lambda settings: _status(settings, verbose=verbose), as_json=as_json)


def _status(settings: "Settings", *, verbose: bool) -> Answer:
    from daemon.cli.render.status import status_screen
    from daemon.cli.render.status_faults import needs_of_faults
    from daemon.cli.render.status_summary import most_urgent_first, needs_of
    from daemon.domain.clock import utc_now
    from daemon.domain.json_values import json_value
    from daemon.http.probe import probe
    from daemon.views.faults import read_faults
    from daemon.views.status import status_view

    health = probe(settings.http, model_line=settings.model_line)
    with opened(settings) as stores:
        seen = status_view(stores, settings, utc_now())
        halt = stores.halts.current()
        faults = read_faults(stores, settings, seen, daemon=health.live)
    automatic = settings.release.automatic
    needs = most_urgent_first(
        needs_of_faults(faults, seen) + needs_of(seen, health, halt, automatic=automatic)
    )
    return Answer(
        document={
            "overview": json_value(seen),
            "daemon": health,
            "served": faults.served,
            "bound": faults.bound,
            "live_files": faults.live_files,
            "tainted": faults.tainted,
            "machine": faults.machine,
            "certificates": faults.certificates,
            "concerns": faults.concerns,
        },
        screen=lambda: status_screen(seen, health, halt, needs, verbose=verbose),
    )


def versions(
    context: typer.Context, *, limit: Limit = _SHOWN, everything: Everything = False, as_json: Json = False
) -> None:
    """List the newest versions, the newest first."""
    newest = None if everything else limit
    answer_lines(context, lambda settings: _versions(settings, newest=newest), as_json=as_json)


def _versions(settings: "Settings", *, newest: int | None) -> Answer:
    from daemon.cli.render.versions import versions_screen
    from daemon.views.versions import version_rows

    with opened(settings) as stores:
        rows = version_rows(stores, settings.model_line, newest=newest)
        total = stores.versions.next_number(settings.model_line)
    return Answer(
        document={"versions": rows, "total": total}, screen=lambda: versions_screen(rows, total=total)
    )


def show(context: typer.Context, version: Annotated[str, VERSION], *, as_json: Json = False) -> None:
    """Show a version: lineage, settings, data, gate reports and promotions."""
    from daemon.cli.render.versions import version_screen
    from daemon.views.versions import version_details
    from registry.names import VersionName

    settings = read_settings(context)
    name = VersionName.parse(version, line=settings.model_line)
    with opened(settings) as stores:
        details = version_details(stores, name)
    present(details, lambda: version_screen(details), as_json=as_json)


def history(
    context: typer.Context, *, limit: Limit = _SHOWN, everything: Everything = False, as_json: Json = False
) -> None:
    """Verify the whole promotion log, and show its newest entries."""
    from daemon.cli.render.versions import history_screen
    from daemon.views.versions import checked_history

    settings = read_settings(context)
    with opened(settings) as stores:
        found = checked_history(stores, settings.model_line, newest=None if everything else limit)
    present(found, lambda: history_screen(found), as_json=as_json)
    if not found.intact:
        raise typer.Exit(1)


def why(
    context: typer.Context,
    version: Annotated[str | None, VERSION] = None,
    *,
    why_not: Annotated[
        bool, typer.Option("--not", help="Show only why nothing is being trained or promoted.")
    ] = False,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Show why a version (by default the live one) exists and is live."""
    from rich.console import Group

    from daemon.cli.render.why import chain_tree, recent_tree
    from daemon.domain.clock import utc_now
    from daemon.views.status import status_view
    from daemon.views.why import promotion_chain, recent_activity
    from registry.names import VersionName

    settings = read_settings(context)
    asked = VersionName.parse(version, line=settings.model_line) if version else None
    with opened(settings) as stores:
        seen = status_view(stores, settings, utc_now())
        name = asked or (seen.live.version if seen.live and not why_not else None)
        chain = promotion_chain(stores, name) if name and not why_not else None
        recent = None
        if asked is None:
            recent = recent_activity(stores, seen, automatic=settings.release.automatic)
    trees = [chain_tree(chain, verbose=verbose)] if chain else []
    trees += [recent_tree(recent, chain, verbose=verbose)] if recent else []
    present({"version": chain, "lately": recent}, lambda: Group(*trees), as_json=as_json)
