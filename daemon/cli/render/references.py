"""The reference screen: what windows are compared with."""

from collections.abc import Iterator
from datetime import datetime

from rich.console import Group, RenderableType
from rich.text import Text
from rich.tree import Tree

from daemon.cli.render.figures import ago, moment
from daemon.domain.reference_span import reference_title, span_words
from daemon.domain.windows import Freeze, ReferenceCause, StoredReference
from daemon.ledger.references import WidenBlocker
from daemon.views.references import ReferenceView

_CAME: dict[ReferenceCause, str] = {
    ReferenceCause.VERSION: "begun when its version took over",
    ReferenceCause.ROLLBACK: "back with its version, which was rolled back to",
    ReferenceCause.WORN: "begun anew, as most of the one before was gone",
    ReferenceCause.WIDENED: "widened as time went by",
    ReferenceCause.OPERATOR: "fixed by hand",
}

_STAYS: dict[WidenBlocker, str] = {
    WidenBlocker.BY_HAND: "what came since was not chosen",
    WidenBlocker.CAME_BACK: "what came before the rollback is not known to be handled by its version",
    WidenBlocker.NOT_HELPED: "the stream changed since, and training can't help with that (`retuned drift show`)",
}


def reference_screen(seen: ReferenceView, now: datetime) -> RenderableType:
    """Show the reference that counts, what it does not know yet, and the earlier ones."""
    if seen.reference is None:
        return "there is no reference yet; the first start of `retuned run` begins one"
    parts: list[RenderableType] = [*_lines(seen.reference, seen)]
    parts.append(frozen_words(seen.freeze, now) if seen.freeze else "not frozen")
    if seen.earlier:
        tree = Tree("earlier ones, which come back with a rollback and are named when they fit again")
        for earlier in seen.earlier:
            tree.add(f"{reference_title(earlier)}, {earlier.size} conversations")
        parts.append(tree)
    return Group(*parts)


def frozen_words(freeze: Freeze, now: datetime) -> Text:
    """Say who froze the reference, when and why."""
    why = f": {freeze.why}" if freeze.why else ""
    return Text(f"frozen by {freeze.by}, {ago(now, freeze.at)}{why}", style="yellow")


def reference_line(reference: StoredReference, *, cycle_days: float) -> str:
    """Say in a line what a full reference is, and what it does not know yet."""
    assert reference.range is not None  # noqa: S101 - it is full
    lacks = span_words(reference, cycle_days)
    return (
        f"{reference.size} conversations of {reference.version}, {reference.range.first} to {reference.range.last}"
        + (f"; {lacks}" if lacks else "")
    )


def _lines(reference: StoredReference, seen: ReferenceView) -> Iterator[RenderableType]:
    if reference.range is None:
        yield f"collecting for {reference.version}: {seen.collected} of {reference.size} conversations"
        return
    yield Text.assemble((reference_title(reference), "bold"))
    if reference.since and reference.until:
        yield f"said from {moment(reference.since)} to {moment(reference.until)}, but for a hundredth at either end"
    yield reference_line(reference, cycle_days=seen.cycle_days)
    by = f" by {reference.by}" if reference.by else ""
    why = f": {reference.why}" if reference.why else ""
    yield f"{_CAME[reference.cause]}{by}{why}"
    if seen.stays is not None and seen.spanned_days < seen.cycle_days:
        yield Text(
            f"it is not widened: {_STAYS[seen.stays]}; `retuned reference set --last N` has it span what came since, "
            "and so does the next version",
            style="yellow",
        )
