"""Screens of intake: positions, halts and dead letters."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from daemon.cli.render.formatting import counted, printable, size, timestamp
from daemon.cli.render.layout import facts, heading, indented, listed
from daemon.domain.halts import REMEDIES, Halt, OffsetChange
from daemon.domain.records import StoredDeadLetter
from daemon.ledger.counts import Position
from daemon.views.intake import StreamView

if TYPE_CHECKING:
    from daemon.intake.resetting import PartitionReset, TopicReset  # loads kafka-python

_TEXT_SHOWN = 2_000  # characters of a dead letter


def stream_screen(seen: StreamView) -> RenderableType:
    """Say whether intake is halted, then show positions, earlier halts and changed offsets."""
    parts: list[RenderableType] = [_state(seen.halt), heading("Partitions"), _positions(seen.positions)]
    if past := [halt for halt in seen.halts if halt.cleared_at is not None]:
        parts += [heading("Earlier halts"), *map(_past, past)]
    if seen.offset_changes:
        parts += [heading("Offsets set by operators"), *map(_changed, seen.offset_changes)]
    return Group(*parts)


def _state(halt: Halt | None) -> RenderableType:
    if halt is None:
        return Text("Intake is not halted.", style="bold green")
    return Group(
        Text(f"Intake is halted since {timestamp(halt.at)}.", style="bold red"), facts(_halt_facts(halt))
    )


def _halt_facts(halt: Halt) -> Iterator[tuple[str, RenderableType]]:
    yield "because", printable(halt.reason)
    if halt.topic is not None:
        yield "at", f"{halt.topic}/{halt.partition}"
    yield "to do", Text(REMEDIES[halt.kind], style="yellow")


def _positions(positions: Sequence[Position]) -> RenderableType:
    if not positions:
        return "  nothing was read yet"
    table = listed("partition", "next offset", "last read", right=("next offset",))
    for at in positions:
        table.add_row(f"{at.topic}/{at.partition}", str(at.next_offset), timestamp(at.updated_at))
    return indented(table)


def _past(halt: Halt) -> RenderableType:
    cleared = "" if halt.cleared_at is None else timestamp(halt.cleared_at)
    return Group(
        indented(f"{timestamp(halt.at)} to {cleared}: {halt.kind}"),
        indented(Text(printable(halt.reason)), 4),
        indented(Text(f"resumed by {halt.cleared_by}: {printable(halt.why or '')}"), 4),
    )


def _changed(change: OffsetChange) -> RenderableType:
    before = "nothing" if change.before is None else str(change.before)
    return Group(
        indented(f"{timestamp(change.at)}: {change.topic}/{change.partition}, {before} -> {change.after}"),
        indented(Text(f"by {change.by}: {printable(change.why)}"), 4),
    )


def reset_screen(plan: "TopicReset") -> RenderableType:
    """Say where each partition is read on from, and what that skips or reads again."""
    table = listed("partition", "from", "to", "that is", right=("from", "to"))
    for partition in plan.partitions:
        before = "" if partition.before is None else str(partition.before)
        table.add_row(
            f"{plan.topic}/{partition.partition}", before, str(partition.after), _meaning(partition)
        )
    for source in plan.gone:
        table.add_row(
            f"{source.topic}/{source.partition}", "", "", "no longer in the topic; its position is dropped"
        )
    return indented(table)


def _meaning(partition: "PartitionReset") -> str:
    if partition.recreated:
        return f"the new topic, {counted(partition.end - partition.after, 'offset')} to read"
    if partition.skipped:
        return f"skips {counted(partition.skipped, 'offset')}, never to be read"
    if partition.read_again:
        return f"reads {counted(partition.read_again, 'offset')} again, each counted once"
    return "as it was"


def dead_letters_screen(letters: Sequence[StoredDeadLetter], counts: Mapping[str, int]) -> RenderableType:
    """Show how many dead letters there are by reason, then the newest."""
    if not counts:
        return Text("No dead letters.", style="bold green")
    total = ", ".join(
        f"{count:,} {reason}" for reason, count in sorted(counts.items(), key=lambda kv: -kv[1])
    )
    return Group(
        Text(f"{counted(sum(counts.values()), 'dead letter')}: {total}", style="bold"),
        "",
        *map(_dead_letter, letters),
        "",
        "Show one: `retuned deadletters show ID`",
    )


def _dead_letter(stored: StoredDeadLetter) -> RenderableType:
    letter = stored.letter
    requeued = " (requeued)" if stored.requeued_at else ""
    return Group(
        Text.assemble((f"{stored.id}", "bold"), f"  {timestamp(letter.when)}  {_place(stored)}{requeued}"),
        indented(Text(f"{letter.reason}: {printable(letter.message)}"), 3),
    )


def dead_letter_screen(stored: StoredDeadLetter) -> RenderableType:
    """Show one dead letter with its text, control characters escaped."""
    letter = stored.letter
    return facts(
        (
            ("record", _place(stored)),
            ("when", timestamp(letter.when)),
            ("reason", f"{letter.reason}: {letter.message}"),
            ("size", size(letter.size)),
            ("sha256", letter.digest or "none"),
            ("published", timestamp(stored.published_at) if stored.published_at else "not yet"),
            ("requeued", timestamp(stored.requeued_at) if stored.requeued_at else "never"),
            ("key", "none" if letter.key is None else visible(letter.key)),
            ("value", "not kept" if letter.value is None else visible(letter.value)),
        )
    )


def visible(content: bytes, limit: int = _TEXT_SHOWN) -> str:
    """Return bytes as text without control characters, cut after ``limit`` characters."""
    text = content[: limit * 4].decode(errors="backslashreplace")
    shown = "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text[:limit]
    )
    return shown + (
        f" ... ({len(content)} bytes in all)" if len(text) > limit or len(content) > limit * 4 else ""
    )


def _place(stored: StoredDeadLetter) -> str:
    at = stored.letter.at
    return f"{at.topic}/{at.partition}@{at.offset}"
