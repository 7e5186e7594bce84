"""Commands for intake: show, halt, resume, seek, reset."""

import re
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, NamedTuple, TypeAlias

import typer

from daemon.cli.confirmation import confirm
from daemon.cli.session import Json, Reason, opened, operator, present, read_settings
from daemon.domain.errors import DaemonError

if TYPE_CHECKING:
    from daemon.config.settings import Settings
    from daemon.domain.halts import Halt
    from daemon.intake.resetting import ResetTarget, TopicReset

intake = typer.Typer(help="Show, halt, resume or move the intake of records.", no_args_is_help=True)
_SHOWN = 10

Yes: TypeAlias = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]


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
def halt(context: typer.Context, *, reason: Reason, as_json: Json = False) -> None:
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
def resume(context: typer.Context, *, reason: Reason, as_json: Json = False) -> None:
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
    reason: Reason,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Set a partition's next offset, and resume the halted intake.

    Asks the broker whether the topic has that offset, shows what is skipped or read again, and asks for confirmation.
    Records that are read again are not counted again. Records that are skipped are never read.
    """
    settings = read_settings(context)
    found = parse_place(place)
    _refuse_other_topic(found, settings.kafka.topic)
    plan, halted = _move(settings, offset, found.partition, reason=reason, yes=yes, as_json=as_json)
    result = {"cleared": halted, "topic": found.topic, "partition": found.partition, "offset": offset}
    present(
        {**result, "seek": plan},
        lambda: f"{place} is read from {offset} on, and intake goes on; it was halted: {halted.reason}",
        as_json=as_json,
    )


@intake.command()
def reset(
    context: typer.Context,
    partition: Annotated[
        str | None, typer.Argument(help="One partition; all if left out.", show_default=False)
    ] = None,
    *,
    to: Annotated[
        str | None,
        typer.Option(
            help="earliest, latest, a time (2026-11-30T08:00Z) or an offset. Left out: the earliest record, and only "
            "where the topic does not have the next one.",
            metavar="PLACE",
            show_default=False,
        ),
    ] = None,
    reason: Reason,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Bring a halted topic back: set the next offset of all its partitions, and resume.

    Asks the broker which offsets there are, shows what is skipped or read again, and asks for confirmation.
    Records that are read again are not counted again.
    """
    from daemon.intake.resetting import parse_target

    settings = read_settings(context)
    target = parse_target(to)
    only = None if partition is None else _partition_number(partition, settings.kafka.topic)
    plan, halted = _move(settings, target, only, reason=reason, yes=yes, as_json=as_json)
    present(
        {"cleared": halted, "reset": plan},
        lambda: f"Intake goes on; it was halted: {halted.reason}",
        as_json=as_json,
    )


def _move(
    settings: "Settings",
    target: "ResetTarget",
    only: int | None,
    *,
    reason: str,
    yes: bool,
    as_json: bool,
) -> "tuple[TopicReset, Halt]":
    """Move one partition or all, once somebody has confirmed it. Return what was done, and the halt that it ended."""
    from daemon.cli.render.intake import reset_screen
    from daemon.domain.clock import utc_now
    from daemon.intake.resetting import plan_reset
    from daemon.kafka.offsets import topic_offsets
    from daemon.runtime.kafka_settings import load_kafka_settings

    with opened(settings) as stores:
        stores.halts.require_halt()
        at = target if isinstance(target, datetime) else None
        found = topic_offsets(load_kafka_settings(settings), at=at)
        plan = plan_reset(settings.kafka.topic, stores.intake.starts(), found, target, only=only)
        confirm("Read on from there?", screen=reset_screen(plan), yes=yes, as_json=as_json)
        changes = plan.changes(by=operator().name, why=reason, now=utc_now())
        return plan, stores.halts.reset(changes, topic_id=plan.topic_id, gone=plan.gone)


def _partition_number(text: str, topic: str) -> int:
    """Read a partition: its number alone, or TOPIC/PARTITION. Raises BadPlace."""
    place = Place(topic, int(text)) if text.isdecimal() else parse_place(text)
    _refuse_other_topic(place, topic)
    return place.partition


def _refuse_other_topic(place: Place, topic: str) -> None:
    if place.topic != topic:
        raise BadPlace(f"{place.topic} is not the topic that is read, {topic}; check kafka.topic")


def parse_place(text: str) -> Place:
    """Read TOPIC/PARTITION. Raises BadPlace."""
    match = re.fullmatch(r"([a-zA-Z0-9._-]{1,249})/([0-9]{1,9})", text)
    if match is None:
        raise BadPlace(f"{text!r} is no partition; write TOPIC/PARTITION, such as conversations/0")
    return Place(match[1], int(match[2]))
