"""Commands for intake: show, halt, resume, seek."""

import re
from typing import Annotated, NamedTuple

import typer

from daemon.cli.session import Json, opened, operator, present, read_settings
from daemon.domain.errors import DaemonError

intake = typer.Typer(help="Show, halt, resume or move the intake of records.", no_args_is_help=True)
_REASON = typer.Option("-m", "--reason", help="The reason, for the log.", show_default=False)
_SHOWN = 10


class BadPlace(DaemonError):
    """What was typed names no partition, or no offset of one."""


class Place(NamedTuple):
    """A partition as it is typed: TOPIC/PARTITION."""

    topic: str
    partition: int


@intake.command()
def show(context: typer.Context, *, as_json: Json = False) -> None:
    """Show each partition's offset, the current halt and earlier ones."""
    from daemon.cli.render.intake import stream_screen
    from daemon.views.intake import stream_view

    settings = read_settings(context)
    with opened(settings) as stores:
        seen = stream_view(stores, shown=_SHOWN)
    present(seen, lambda: stream_screen(seen), as_json=as_json)


@intake.command()
def halt(context: typer.Context, *, reason: Annotated[str, _REASON], as_json: Json = False) -> None:
    """Halt intake in every replica; everything else goes on."""
    from daemon.domain.clock import utc_now
    from daemon.domain.halts import Halt, HaltKind

    settings = read_settings(context)
    wanted = Halt(kind=HaltKind.OPERATOR, reason=f"halted by {operator().name}: {reason}", at=utc_now())
    with opened(settings) as stores:
        halted = stores.halts.halt(wanted)
    present(
        {"halt": halted},
        lambda: f"Intake is halted: {halted.reason}\nResume it: `retuned intake resume -m REASON`",
        as_json=as_json,
    )


@intake.command()
def resume(context: typer.Context, *, reason: Annotated[str, _REASON], as_json: Json = False) -> None:
    """Resume a halted intake where it stopped."""
    from daemon.domain.clock import utc_now

    settings = read_settings(context)
    with opened(settings) as stores:
        halted = stores.halts.resume(by=operator().name, why=reason, now=utc_now())
    present(
        {"cleared": halted},
        lambda: f"Intake is resumed. It was halted since {halted.at:%Y-%m-%d %H:%M:%S}Z: {halted.reason}",
        as_json=as_json,
    )


@intake.command()
def seek(
    context: typer.Context,
    place: Annotated[
        str, typer.Argument(metavar="TOPIC/PARTITION", help="The partition.", show_default=False)
    ],
    offset: Annotated[int, typer.Argument(min=0, help="The offset to read next.", show_default=False)],
    *,
    reason: Annotated[str, _REASON],
    as_json: Json = False,
) -> None:
    """Set a partition's next offset, and resume the halted intake.

    Records that are read again are not counted again. Records that are skipped are never read.
    """
    from daemon.domain.clock import utc_now
    from daemon.domain.halts import OffsetChange

    settings = read_settings(context)
    topic, partition = parse_place(place)
    if topic != settings.kafka.topic:
        raise BadPlace(f"{topic} is not the topic that is read, {settings.kafka.topic}; check kafka.topic")
    change = OffsetChange(
        topic=topic,
        partition=partition,
        before=None,
        after=offset,
        at=utc_now(),
        by=operator().name,
        why=reason,
    )
    with opened(settings) as stores:
        halted = stores.halts.seek(change)
    present(
        {"cleared": halted, "topic": topic, "partition": partition, "offset": offset},
        lambda: f"{place} is read from {offset} on, and intake goes on; it was halted: {halted.reason}",
        as_json=as_json,
    )


def parse_place(text: str) -> Place:
    """Read TOPIC/PARTITION. Raises BadPlace."""
    match = re.fullmatch(r"([a-zA-Z0-9._-]{1,249})/([0-9]{1,9})", text)
    if match is None:
        raise BadPlace(f"{text!r} is no partition; write TOPIC/PARTITION, such as conversations/0")
    return Place(match[1], int(match[2]))
