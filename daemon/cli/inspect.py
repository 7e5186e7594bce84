"""Commands that only look: status, versions, show, history, why."""

from typing import Annotated

import typer

from daemon.cli.session import Json, opened, present, read_settings

_VERSION = typer.Argument(metavar="VERSION", help="Such as support-bot-v7, or short: v7.", show_default=False)


def status(context: typer.Context, *, as_json: Json = False) -> None:
    """Show where the model line stands: live version, stream, drift, training, gate."""
    from daemon.cli.render.status import status_screen
    from daemon.domain.clock import utc_now
    from daemon.domain.json_values import json_value
    from daemon.http.probe import probe
    from daemon.views.status import overview

    settings = read_settings(context)
    with opened(settings) as stores:
        seen = overview(stores, settings, utc_now())
    health = probe(settings.http)
    present(
        {"overview": json_value(seen), "daemon": health}, lambda: status_screen(seen, health), as_json=as_json
    )


def versions(context: typer.Context, *, as_json: Json = False) -> None:
    """List the versions, the newest first."""
    from daemon.cli.render.versions import versions_screen
    from daemon.views.versions import version_rows

    settings = read_settings(context)
    with opened(settings) as stores:
        rows = version_rows(stores, settings.model_line)
    present(rows, lambda: versions_screen(rows), as_json=as_json)


def show(context: typer.Context, version: Annotated[str, _VERSION], *, as_json: Json = False) -> None:
    """Show everything about a version: lineage, settings, data, gate, promotions."""
    from daemon.cli.render.versions import version_screen
    from daemon.views.versions import version_details
    from registry.names import VersionName

    settings = read_settings(context)
    name = VersionName.parse(version, line=settings.model_line)
    with opened(settings) as stores:
        details = version_details(stores, name)
    present(details, lambda: version_screen(details), as_json=as_json)


def history(context: typer.Context, *, as_json: Json = False) -> None:
    """Show the promotion log, and check that nobody altered it."""
    from daemon.cli.render.versions import history_screen
    from daemon.views.versions import checked_history

    settings = read_settings(context)
    with opened(settings) as stores:
        found = checked_history(stores, settings.model_line)
    present(found, lambda: history_screen(found), as_json=as_json)
    if not found.intact:
        raise typer.Exit(1)


def why(
    context: typer.Context,
    version: Annotated[str | None, _VERSION] = None,
    *,
    why_not: Annotated[
        bool, typer.Option("--not", help="Only why nothing is trained or promoted at the moment.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Tell why a version came about and is live; without VERSION the live one, and what was decided since."""
    from rich.console import Group

    from daemon.cli.render.why import lately_tree, story_tree
    from daemon.domain.clock import utc_now
    from daemon.views.status import overview
    from daemon.views.why import lately, story
    from registry.names import VersionName

    settings = read_settings(context)
    asked = VersionName.parse(version, line=settings.model_line) if version else None
    with opened(settings) as stores:
        seen = overview(stores, settings, utc_now())
        name = asked or (seen.live.version if seen.live and not why_not else None)
        told = story(stores, name) if name and not why_not else None
        since = lately(stores, seen, automatic=settings.release.automatic) if asked is None else None
    trees = [story_tree(told)] if told else []
    trees += [lately_tree(since)] if since else []
    present({"version": told, "lately": since}, lambda: Group(*trees), as_json=as_json)
