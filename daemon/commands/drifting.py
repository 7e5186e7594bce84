"""Commands about drift."""

import typer

from daemon.commands.session import Json, opened, present, read_settings

drift = typer.Typer(help="Show how much speaks for a change, and what changed.", no_args_is_help=True)


@drift.command()
def show(context: typer.Context, *, as_json: Json = False) -> None:
    """Show the evidence for a change by aspect, the alarms, and what changed."""
    from daemon.clock import utc_now
    from daemon.plain import plain
    from daemon.screens.drift import drift_screen
    from daemon.views.drift import drift_view

    settings = read_settings(context)
    with opened(settings) as stores:
        seen = drift_view(stores, settings)
    present(plain(seen), lambda: drift_screen(seen, utc_now()), as_json=as_json)
