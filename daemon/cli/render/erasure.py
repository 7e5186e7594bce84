"""Screens of erasure: what was erased, and what a version learned from."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from daemon.cli.render.formatting import counted, printable, timestamp
from daemon.cli.render.layout import facts, indented, listed
from daemon.domain.records import Coordinates
from daemon.erasure.forget import Forgotten
from daemon.ledger.erasures import Erasure
from daemon.training.lineage import VersionLineage

if TYPE_CHECKING:
    from daemon.training.rebuild import RebuiltDataset  # loads the reading of records

_DIGEST_SHOWN = 12
_SHOWN = 20


def forgotten_screen(done: Forgotten, request: int | None, *, named: str) -> RenderableType:
    """Show what was erased, what remains elsewhere, and which versions learned from it.

    ``named`` is the subject as it was typed.
    """
    removed = done.removed
    erased = [
        f"  {counted(number, thing)}"
        for number, thing in (
            (removed.conversations, "conversation"),
            (removed.feedback, "feedback record"),
            (removed.dead_letters, "dead letter"),
            (removed.reports, "drift report"),
            (removed.training_records, "training record"),
            (len(done.files), "training file"),
            (len(done.jobs), "job's training file"),
        )
        if number
    ]
    lines = [
        Text("Erased:", style="bold") if done.found else _nothing_of(named),
        *map(Text, erased),
        Text(f"Proof: entry {done.entry.id} of `retuned erasures`, {done.entry.digest[:_DIGEST_SHOWN]}"),
        Text("Kafka keeps its records until the topic expires them; intake drops them if they come again."),
    ]
    if done.without_user:
        remain = f"{counted(done.without_user, 'conversation')} that name no user remain, which may be this user's."
        remedy = "Erase them by their ids: `retuned forget --conversation ID -m REASON`"
        lines += [Text(remain, style="yellow"), Text(remedy, style="yellow")]
    if removed.published:
        keys = ", ".join(f"{at.topic}/{at.partition}/{at.offset}" for at in removed.published)
        lines.append(Text(f"Still on the dead-letter topic, under these keys: {keys}", style="yellow"))
    if done.tainted:
        names = ", ".join(map(str, done.tainted))
        lines.append(Text(f"Versions that learned from it: {names}", style="yellow"))
        lines.append(Text(f"Newest version that did not: {done.clean or 'none'}", style="yellow"))
        if done.live in done.tainted:
            lines.append(
                Text(
                    f"{done.live} is live. Replace it: `retuned rollback {done.clean} -m REASON`", "bold red"
                )
            )
    if request is not None:
        lines.append(Text(f"Request {request} asks for a training that starts from {done.clean}"))
    return Group(*lines)


def _nothing_of(named: str) -> Text:
    return Text.assemble(
        (f"Nothing of {printable(named)} is in the ledger; records that come later will be dropped.", "bold"),
        " Check the spelling if you expected some.",
    )


def erasures_screen(log: Sequence[Erasure], problem: str | None) -> RenderableType:
    """Say whether the erasure log is intact, then list its entries."""
    if problem is not None:
        state = Text(f"The erasure log is damaged: {problem}", style="bold red")
    elif not log:
        return Text("Nothing has been erased yet.")
    else:
        state = Text(f"The erasure log is intact; entries: {len(log)}", style="green")
    return Group(state, "", *map(_erasure, log))


def _erasure(entry: Erasure) -> RenderableType:
    runs = entry.removed.get("runs")
    learned = f", training runs {', '.join(map(str, runs))}" if isinstance(runs, list) and runs else ""
    subject = f"{entry.kind} {entry.subject[:_DIGEST_SHOWN]}"
    return Group(
        Text.assemble((f"{entry.id}.", "bold"), f" {timestamp(entry.at)}  {subject}  by {entry.by}"),
        indented(f"conversations erased: {entry.removed.get('conversations')}{learned}", 3),
        indented(Text(printable(entry.why)), 3),
    )


def lineage_screen(found: VersionLineage, again: "RebuiltDataset | None") -> RenderableType:
    """Show what a version learned from: the first records, how many more there are, and how a rebuild went."""
    table = listed("record", "origin", "sha256")
    for record in found.records[:_SHOWN]:
        at = record.at
        digest = f"{record.sha256[:_DIGEST_SHOWN]}…" if record.sha256 else "erased"
        table.add_row(f"{at.topic}/{at.partition}@{at.offset}", record.origin, digest)
    more = len(found.records) - _SHOWN
    parts: list[RenderableType] = [
        Text(f"{found.version} learned from {counted(len(found.records), 'record')}.", style="bold"),
        facts((("run", str(found.run)), ("parent", str(found.parent or "the base model")))),
        "",
        table,
    ]
    parts += (
        [Text(f"and {more:,} more; --json lists all, with full digests", style="dim")] if more > 0 else []
    )
    return Group(*parts, *([_outcome(found, again)] if again else []))


def _continued(records: Sequence[Coordinates]) -> str:
    if not records:
        return ""
    first = records[0]
    return (
        f"; {len(records)} continue conversations of other records, which only the ledger joins, such as "
        f"{first.topic}/{first.partition}@{first.offset}: rebuild these with --rebuild"
    )


def _outcome(found: VersionLineage, again: "RebuiltDataset") -> Text:
    outcome = again.report
    if outcome.equal:
        return Text(f"rebuilt byte for byte: {outcome.digest}", style="green")
    return Text(
        f"the rebuilt set differs: {outcome.digest[:_DIGEST_SHOWN]} instead of {found.data_digest[:_DIGEST_SHOWN]}; "
        f"{outcome.erased} records were forgotten, {len(outcome.missing)} are no longer there, "
        f"{len(outcome.changed)} differ" + _continued(outcome.continued),
        style="yellow",
    )
