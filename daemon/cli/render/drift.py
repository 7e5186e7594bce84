"""The drift screen: how much speaks for a change, and what changed."""

from collections.abc import Iterator
from datetime import datetime
from math import isinf, log
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from daemon.cli.render.figures import ago, coloured, moment
from daemon.cli.render.references import frozen_words
from daemon.cli.render.why import add_changes, add_triage
from daemon.domain.alarms import Alarm
from daemon.domain.reference_span import span_words
from daemon.drift.detector_verdicts import in_words
from daemon.views.drift import DriftView, Watch
from monitors.types import Aspect

if TYPE_CHECKING:
    from monitors.sequential.calibration import Calibration  # loads scikit-learn

_BAR = 30


def drift_screen(seen: DriftView, now: datetime) -> RenderableType:
    """Show the evidence by aspect, the alarm that stands, and what changed in the latest window that was explained."""
    parts: list[RenderableType] = [Text.assemble(("alarm  ", "bold"), _alarm(seen.alarm, now))]
    if seen.recurrence is not None:
        parts.append(Text.assemble(("again  ", "bold"), seen.recurrence))
    if seen.reference is not None and (lacks := span_words(seen.reference, seen.cycle_days)):
        parts.append(Text(lacks, style="yellow"))
    if seen.freeze is not None:
        parts.append(Text.assemble("the reference is ", frozen_words(seen.freeze, now)))
    if seen.watch is None:
        parts.append(
            "nothing is watched yet: the reference is not full (`retuned reference show` tells how many conversations it "
            "waits for), or none came since"
        )
    else:
        parts += [_watched(seen.watch), _evidence(seen.watch)]
    if seen.triages:
        tree = Tree("whether confirmed changes hurt, the latest first")
        for triage in seen.triages:
            add_triage(tree, triage)
        parts.append(tree)
    if seen.raised:
        parts.append(_raised(seen))
    if seen.explained is not None and seen.explanation is not None:
        window = seen.explained.window
        tree = Tree(
            f"what changed in window {window.number}, conversations {window.range.first} to {window.range.last}"
        )
        add_changes(tree, seen.explanation)
        if seen.report is not None:
            tree.add(
                f"with examples and pictures: `retuned drift report {window.number}`, or /reports/{window.number}"
            )
        parts.append(tree)
    return Group(*parts)


def calibration_screen(found: "Calibration", declared: float) -> RenderableType:
    """Show what is to be expected of the settings, on this history."""
    replay = found.replay
    expected = replay.conversations / declared
    return Group(
        f"{replay.alarms} alarms in {replay.conversations:,} conversations of shuffled history, where {expected:.1f} are "
        f"declared at most; so alarms for nothing are at least {replay.run_length_at_least:,.0f} conversations apart, with "
        "95% confidence",
        *_reaches(found),
    )


def _reaches(found: "Calibration") -> Iterator[RenderableType]:
    """Show which changes would be caught."""
    if not found.reaches:
        yield (
            f"no change was tried: {found.history:,} conversations have no topic that could be left out to be new; try "
            "again once the history is longer or more varied"
        )
        return
    yield (
        f"changes within {found.within:,} conversations: one of {found.topics} topics of {found.history:,} conversations "
        "is new, the reference does not know it"
    )
    table = Table(box=None, padding=(0, 2, 0, 2))
    for title in ("new traffic", "caught", "median delay"):
        table.add_column(title, justify="right")
    for reach in found.reaches:
        late = "later" if isinf(reach.median) else f"{reach.median:,.0f} conversations"
        table.add_row(f"{reach.share:.0%}", f"{reach.found:.0%} of {reach.trials}", late)
    yield table


def _alarm(alarm: Alarm | None, now: datetime) -> Text:
    if alarm is None:
        return Text("none", style="green")
    state = "confirmed" if alarm.confirmed else "waits for a fresh window to confirm it"
    return Text.assemble(
        coloured("drift"),
        f" since conversation {alarm.first_seq}, {ago(now, alarm.at)}, {state}: {alarm.reason}",
    )


def _watched(watch: Watch) -> Text:
    return Text(
        f"{watch.seen:,} conversations watched, up to {watch.until_seq}; evidence for a change {watch.mean:,.3g} : 1, "
        f"alarm from {watch.threshold:,.0f}"
    )


def _evidence(watch: Watch) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
    for aspect, wealth in sorted(watch.evidence.items(), key=lambda item: -item[1]):
        share = min(1.0, max(0.0, log(max(wealth, 1.0)) / log(watch.threshold)))
        bar = "█" * round(share * _BAR)
        table.add_row(
            str(aspect),
            Text(bar.ljust(_BAR, "·"), style="red" if share >= 1 else "cyan"),
            f"{wealth:,.3g} : 1",
        )
    return table


def _raised(seen: DriftView) -> Tree:
    tree = Tree("alarms, the latest first; those that no fresh window confirmed were dropped")
    for line in _alarm_lines(seen):
        tree.add(line)
    return tree


def _alarm_lines(seen: DriftView) -> Iterator[str]:
    for raised in seen.raised:
        most = max(raised.evidence, key=lambda aspect: raised.evidence[aspect])
        again = f"; again in {raised.again} windows after it" if raised.again else ""
        yield (
            f"{moment(raised.at)} at conversation {raised.seq}: changed at about {raised.since_seq}, mostly in "
            f"{in_words(Aspect(most))}{again}"
        )
