"""Screens of the stream: positions and halts, dead letters."""

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from daemon.cli.render.figures import bytes_, moment
from daemon.domain.halts import Halt, OffsetChange
from daemon.domain.records import StoredDeadLetter
from daemon.ledger.counts import Position
from daemon.views.intake import StreamView

_TEXT_SHOWN = 2_000  # characters of a dead letter


def stream_screen(seen: StreamView) -> RenderableType:
    """Show the halt first, as it waits for somebody."""
    state = (
        Text("intake goes on", style="green")
        if seen.halt is None
        else Text(f"intake is halted since {moment(seen.halt.at)}: {seen.halt.reason}", style="bold red")
    )
    parts: list[RenderableType] = [state, _positions(seen.positions)]
    parts += [_past(halt) for halt in seen.halts if halt.cleared_at is not None]
    parts += [_changed(change) for change in seen.offset_changes]
    return Group(*parts)


def _positions(positions: Sequence[Position]) -> RenderableType:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title, justify in (("partition", "left"), ("next", "right"), ("topic id", "left"), ("read", "left")):
        table.add_column(title, justify="right" if justify == "right" else "left")
    for at in positions:
        table.add_row(
            f"{at.topic}/{at.partition}", str(at.next_offset), at.topic_id or "", moment(at.updated_at)
        )
    return table if positions else Text("nothing was read yet")


def _past(halt: Halt) -> Text:
    end = "" if halt.cleared_at is None else f"{moment(halt.cleared_at)} by {halt.cleared_by}: {halt.why}"
    return Text(f"was halted from {moment(halt.at)} ({halt.kind}) to {end}", style="dim")


def _changed(change: OffsetChange) -> Text:
    before = "nothing" if change.before is None else str(change.before)
    return Text(
        f"{change.topic}/{change.partition} was set from {before} to {change.after}, {moment(change.at)} by "
        f"{change.by}: {change.why}",
        style="dim",
    )


def dead_letters_screen(letters: Sequence[StoredDeadLetter], counts: Mapping[str, int]) -> RenderableType:
    """Show how many there are by reason, and the newest."""
    if not counts:
        return Text("no dead letters", style="green")
    total = ", ".join(f"{reason} {count}" for reason, count in sorted(counts.items(), key=lambda kv: -kv[1]))
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("id", "when", "record", "reason", "what is wrong", ""):
        table.add_column(title, overflow="fold")
    for stored in letters:
        letter = stored.letter
        table.add_row(
            str(stored.id), moment(letter.when), _place(stored), letter.reason, letter.message,
            "requeued" if stored.requeued_at else "",
        )  # fmt: skip
    return Group(Text(f"{sum(counts.values())} in all: {total}"), table)


def dead_letter_screen(stored: StoredDeadLetter) -> RenderableType:
    """Show one with its text, control characters made visible."""
    letter = stored.letter
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in (
        ("record", _place(stored)),
        ("when", moment(letter.when)),
        ("reason", f"{letter.reason}: {letter.message}"),
        ("size", bytes_(letter.size)),
        ("sha256", letter.digest or "none"),
        ("published", moment(stored.published_at) if stored.published_at else "not yet"),
        ("requeued", moment(stored.requeued_at) if stored.requeued_at else "never"),
        ("key", "none" if letter.key is None else visible(letter.key)),
        ("value", "not kept" if letter.value is None else visible(letter.value)),
    ):
        table.add_row(name, value)
    return table


def visible(content: bytes, limit: int = _TEXT_SHOWN) -> str:
    """Return bytes as text that can't steer a terminal; the end is cut."""
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
