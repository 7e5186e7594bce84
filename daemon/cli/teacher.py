"""Commands about the teacher: show, answers, discard."""

from typing import Annotated

import typer

from daemon.cli.session import Json, Reason, opened, present, read_settings

teacher = typer.Typer(help="See what the teacher does; take out its bad answers.", no_args_is_help=True)


@teacher.command()
def show(context: typer.Context, *, as_json: Json = False) -> None:
    """Show the teacher, its budget of today, how its calls ended, and the last error."""
    from daemon.cli.render.teacher import teacher_screen
    from daemon.domain.clock import utc_now
    from daemon.views.teacher import teacher_view

    settings = read_settings(context)
    with opened(settings) as stores:
        seen = teacher_view(stores, settings, utc_now())
    present({"teacher": seen}, lambda: teacher_screen(seen), as_json=as_json)


@teacher.command()
def answers(
    context: typer.Context,
    *,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many to list.")] = 20,
    failed: Annotated[bool, typer.Option("--failed", help="Only calls without an answer.")] = False,
    as_json: Json = False,
) -> None:
    """List the newest calls, with what was asked, who answered, and the answer or why there is none."""
    from daemon.cli.render.teacher import taught_screen
    from daemon.views.teacher import taught

    settings = read_settings(context)
    with opened(settings) as stores:
        found = taught(stores, limit, failed=failed)
    present({"answers": found}, lambda: taught_screen(found), as_json=as_json)


@teacher.command()
def discard(
    context: typer.Context,
    number: Annotated[
        int,
        typer.Argument(metavar="ID", help="The id that `retuned teacher answers` shows.", show_default=False),
    ],
    *,
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Take out an answer that is not good, so that no later training learns it."""
    from daemon.cli.render.teacher import discarded_screen

    settings = read_settings(context)
    with opened(settings) as stores:
        stores.teacher.discard(number, reason=reason)
    present({"discarded": number}, lambda: discarded_screen(number), as_json=as_json)
