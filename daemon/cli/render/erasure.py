"""Screens of what was learned from whom, and of what was forgotten."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from daemon.cli.render.figures import moment
from daemon.erasure.forget import Forgotten
from daemon.ledger.erasures import Erasure
from daemon.training.lineage import VersionLineage
from daemon.training.rebuild import RebuiltDataset

_DIGEST_SHOWN = 12
_SHOWN = 20


def forgotten_screen(done: Forgotten, request: int | None) -> RenderableType:
    """Say what is gone, what is left to do elsewhere, and which versions learned from it."""
    removed = done.removed
    lines = [
        Text(
            f"erased: {removed.conversations} conversations, {removed.feedback} feedback, {removed.dead_letters} dead "
            f"letters, {removed.reports} reports made of them, {removed.training_records} training records, "
            f"{len(done.files)} training files"
        ),
        Text(f"proof: entry {done.entry.id} of `retuned erasures`, {done.entry.digest[:_DIGEST_SHOWN]}"),
        Text(
            "Kafka keeps its records until the topic lets go of them; when they come again they are dropped."
        ),
    ]
    if removed.published:
        keys = ", ".join(f"{at.topic}/{at.partition}/{at.offset}" for at in removed.published)
        lines.append(Text(f"on the dead-letter topic, under these keys: {keys}", style="yellow"))
    if done.tainted:
        names = ", ".join(map(str, done.tainted))
        lines.append(Text(f"learned from what was forgotten: {names}; clean: {done.clean}", style="yellow"))
        if done.live in done.tainted:
            lines.append(
                Text(
                    f"{done.live} is live. `retuned rollback {done.clean} -m ...` takes it back",
                    style="bold red",
                )
            )
    if request is not None:
        lines.append(Text(f"request {request} asks for a training that starts from {done.clean}"))
    return Group(*lines)


def erasures_screen(log: Sequence[Erasure], problem: str | None) -> RenderableType:
    """List the entries, and say whether the log is whole."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("id", "when", "by", "what", "erased conversations", "runs", "why"):
        table.add_column(title, overflow="fold")
    for entry in log:
        runs = entry.removed.get("runs")
        table.add_row(
            str(entry.id), moment(entry.at), entry.by, f"{entry.kind} {entry.subject[:_DIGEST_SHOWN]}",
            str(entry.removed.get("conversations")), ", ".join(map(str, runs)) if isinstance(runs, list) else "", entry.why,
        )  # fmt: skip
    whole = Text("the log is whole", style="green") if problem is None else Text(problem, style="bold red")
    return Group(table, whole) if log else Text("nothing was forgotten yet")


def lineage_screen(found: VersionLineage, again: RebuiltDataset | None) -> RenderableType:
    """Show the first records, how many more there are, and how a rebuild went."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("record", "origin", "sha256"):
        table.add_column(title)
    for record in found.records[:_SHOWN]:
        at = record.at
        table.add_row(f"{at.topic}/{at.partition}@{at.offset}", record.origin, record.sha256 or "erased")
    more = len(found.records) - _SHOWN
    parts: list[RenderableType] = [
        Text(
            f"{found.version} learned in run {found.run} from {len(found.records)} records, on top of {found.parent or 'the base model'}"
        ),
        table,
    ]
    parts += [Text(f"and {more} more; --json lists all", style="dim")] if more > 0 else []
    return Group(*parts, *([_outcome(found, again)] if again else []))


def _outcome(found: VersionLineage, again: RebuiltDataset) -> Text:
    outcome = again.report
    if outcome.equal:
        return Text(f"rebuilt byte for byte: {outcome.digest}", style="green")
    return Text(
        f"the rebuilt set differs: {outcome.digest[:_DIGEST_SHOWN]} instead of {found.data_digest[:_DIGEST_SHOWN]}; "
        f"{outcome.erased} records were forgotten, {len(outcome.missing)} are no longer there, "
        f"{len(outcome.changed)} differ",
        style="yellow",
    )
