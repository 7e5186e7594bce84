"""The command doctor."""

from typing import Annotated

import typer

from daemon.cli.session import Json, present, read_settings


def doctor(
    context: typer.Context,
    *,
    create_topics: Annotated[
        bool, typer.Option("--create-topics", help="Create topics that are missing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check everything the daemon needs, with a remedy for each failure."""
    from daemon.cli.doctor.broker import check_stream
    from daemon.cli.doctor.machine import check_disk, check_holdout_key, check_http, check_privacy
    from daemon.cli.doctor.model import check_embedding, check_model
    from daemon.cli.doctor.stores import check_stores
    from daemon.cli.render.doctor import checkup_screen

    settings = read_settings(context)
    checks = [
        *check_stream(settings, create_topics=create_topics),
        *check_stores(settings),
        check_model(settings),
        *check_embedding(settings),
        check_disk(settings),
        *check_privacy(settings),
        check_holdout_key(settings),
        check_http(settings),
    ]
    ok = all(check.ok for check in checks)
    present({"ok": ok, "checks": checks}, lambda: checkup_screen(checks), as_json=as_json)
    if not ok:
        raise typer.Exit(1)
