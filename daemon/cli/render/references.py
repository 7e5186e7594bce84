"""The reference screen: what windows are compared with."""

from collections.abc import Iterator
from datetime import datetime

from rich.console import Group, RenderableType
from rich.text import Text

from daemon.cli.render.formatting import ago, timestamp
from daemon.cli.render.layout import facts, heading, indented
from daemon.domain.reference_span import reference_title, span_words
from daemon.domain.windows import Freeze, ReferenceCause, StoredReference
from daemon.ledger.reference_widening import WidenBlocker
from daemon.views.references import ReferenceView

_CAUSES: dict[ReferenceCause, str] = {
    ReferenceCause.VERSION: "started when its version went live",
    ReferenceCause.ROLLBACK: "restored with its version by a rollback",
    ReferenceCause.DEPLETED: "started anew, because most of the one before was gone",
    ReferenceCause.WIDENED: "widened as time went by",
    ReferenceCause.OPERATOR: "set by an operator",
}

_WIDEN_BLOCKERS: dict[WidenBlocker, str] = {
    WidenBlocker.OPERATOR: "an operator chose its conversations",
    WidenBlocker.ROLLBACK: "its version was rolled back to, and may not handle what came before the rollback",
    WidenBlocker.CANT_HELP: "the stream changed since, and training can't help with that (`retuned drift show`)",
}


def reference_screen(seen: ReferenceView, now: datetime) -> RenderableType:
    """Show the reference in use, what it does not cover yet, and the earlier ones."""
    if seen.reference is None:
        return "There is no reference yet; the first start of `retuned run` starts one."
    parts: list[RenderableType] = [_sentence(seen.reference, seen), facts(_facts(seen.reference, seen, now))]
    if seen.earlier:
        parts.append(heading("Earlier references, which a rollback restores"))
        parts += [
            indented(f"{reference_title(earlier)}: {earlier.size:,} conversations")
            for earlier in seen.earlier
        ]
    return Group(*parts)


def frozen_words(freeze: Freeze, now: datetime) -> Text:
    """Return who froze the reference, when and why."""
    why = f": {freeze.why}" if freeze.why else ""
    return Text(f"frozen by {freeze.by}, {ago(now, freeze.at)}{why}", style="yellow")


def reference_line(reference: StoredReference, *, cycle_days: float) -> str:
    """Return what a full reference is, and what it does not cover yet."""
    assert reference.range is not None  # noqa: S101 - it is full
    lacks = span_words(reference, cycle_days)
    return (
        f"{reference.size:,} conversations of {reference.version}, {reference.range.first} to {reference.range.last}"
        + (f"; {lacks}" if lacks else "")
    )


def _sentence(reference: StoredReference, seen: ReferenceView) -> Text:
    if reference.range is None:
        return Text(
            f"collecting for {reference.version}: {seen.collected:,} of {reference.size:,} conversations",
            style="bold",
        )
    return Text(reference_title(reference), style="bold")


def _facts(
    reference: StoredReference, seen: ReferenceView, now: datetime
) -> Iterator[tuple[str, RenderableType]]:
    if reference.range is not None:
        yield "conversations", reference_line(reference, cycle_days=seen.cycle_days)
    if reference.since and reference.until:
        yield "from", timestamp(reference.since)
        yield "to", f"{timestamp(reference.until)} (1% at either end left out)"
    if reference.range is not None:
        by = f" by {reference.by}" if reference.by else ""
        yield "origin", _CAUSES[reference.cause].removesuffix(" by an operator" if by else "") + by
        if reference.why:
            yield "", reference.why
    yield "freeze", frozen_words(seen.freeze, now) if seen.freeze else "not frozen"
    if reference.range is not None and seen.stays is not None and seen.spanned_days < seen.cycle_days:
        yield "not widened", Text(_WIDEN_BLOCKERS[seen.stays], style="yellow")
        yield "", Text("`retuned reference set --last N` makes it cover what came since", style="yellow")
        yield "", Text("the next version's reference covers it, too", style="yellow")
