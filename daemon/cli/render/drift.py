"""The drift screens: the evidence, the alarms, what changed, and what a calibration found."""

from collections.abc import Iterator
from datetime import datetime
from math import isinf, log
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text
from rich.tree import Tree

from daemon.cli.render.changes import add_changes, add_triage
from daemon.cli.render.formatting import ago, counted, timestamp
from daemon.cli.render.layout import facts, heading, indented, listed
from daemon.cli.render.references import frozen_words
from daemon.cli.render.situation import style_of
from daemon.domain.alarms import Alarm
from daemon.domain.reference_span import span_words
from daemon.domain.situation import sentence_of
from daemon.drift.aspect_words import describe_aspect
from daemon.ledger.detectors import RaisedAlarm
from daemon.views.drift import DriftView, Watch
from monitors.types import Aspect

if TYPE_CHECKING:
    from monitors.sequential.calibration import Calibration  # loads scikit-learn

_BAR = 20


def drift_screen(seen: DriftView, now: datetime, *, verbose: bool) -> RenderableType:
    """Say in one sentence whether there is drift, then show the evidence, the alarms and what changed."""
    parts: list[RenderableType] = [*_statement(seen, now), facts(_facts(seen, now))]
    if seen.watch is not None:
        parts += [heading("Evidence by aspect"), _evidence(seen.watch, verbose=verbose)]
    if seen.triages:
        tree = Tree("whether confirmed changes hurt, the latest first")
        for triage in seen.triages:
            add_triage(tree, triage)
        parts += ["", tree]
    if seen.raised:
        parts += ["", _raised(seen)]
    if seen.explained is not None and seen.explanation is not None:
        parts += ["", _explained(seen)]
    return Group(*parts)


def _statement(seen: DriftView, now: datetime) -> Iterator[RenderableType]:
    """Say what is going on, what follows, and what an operator can do."""
    situation = seen.situation
    since = "" if seen.alarm is None else f" The alarm was raised {ago(now, seen.alarm.at)}."
    yield Text(f"{sentence_of(situation.sentence)}{since}", style=style_of(situation.state))
    if situation.next is not None:
        yield Text(sentence_of(situation.next))
    if situation.remedy is not None:
        yield Text(situation.remedy)


def _facts(seen: DriftView, now: datetime) -> Iterator[tuple[str, RenderableType]]:
    if seen.alarm is not None:
        yield from _alarm(seen.alarm)
    if seen.recurrence is not None:
        yield "seen before", seen.recurrence
    if seen.watch is None:
        yield "watched", "nothing: the reference is not full, or no conversation followed it"
        yield "", "`retuned reference show` tells how many conversations it waits for"
    else:
        yield from _watched(seen.watch)
    if seen.reference is not None and (lacks := span_words(seen.reference, seen.cycle_days)):
        yield "reference", Text(lacks, style="yellow")
    if seen.freeze is not None:
        yield "reference", frozen_words(seen.freeze, now)


def _alarm(alarm: Alarm) -> Iterator[tuple[str, RenderableType]]:
    yield "since", f"conversation {alarm.first_seq}, window {alarm.window}"
    yield "because", alarm.reason


def _watched(watch: Watch) -> Iterator[tuple[str, RenderableType]]:
    yield "watched", f"{counted(watch.seen, 'conversation')}, up to {watch.until_seq}"
    yield "evidence", f"{watch.mean:,.3g} : 1 for a change; an alarm is raised at {watch.threshold:,.0f} : 1"


def _evidence(watch: Watch, *, verbose: bool) -> RenderableType:
    """Show each aspect's evidence as a bar, which is full at the alarm."""
    table = listed("aspect", "towards an alarm", *(("evidence",) if verbose else ()))
    for aspect, wealth in sorted(watch.evidence.items(), key=lambda item: -item[1]):
        share = min(1.0, max(0.0, log(max(wealth, 1.0)) / log(watch.threshold)))
        bar = Text(("█" * round(share * _BAR)).ljust(_BAR, "·"), style="red" if share >= 1 else "cyan")
        table.add_row(describe_aspect(aspect), bar, *((f"{wealth:,.3g} : 1",) if verbose else ()))
    return indented(table)


def _raised(seen: DriftView) -> Tree:
    tree = Tree("alarms, the latest first, those that were dropped unconfirmed included")
    for raised in seen.raised:
        _add_raised(tree, raised)
    return tree


def _add_raised(tree: Tree, raised: RaisedAlarm) -> None:
    most = max(raised.evidence, key=lambda aspect: raised.evidence[aspect])
    branch = tree.add(f"{timestamp(raised.at)} at conversation {raised.seq}")
    branch.add(f"changed at about {raised.since_seq}, mostly in {describe_aspect(Aspect(most))}")
    if raised.again:
        branch.add(f"raised again in {counted(raised.again, 'window')} after it")


def _explained(seen: DriftView) -> Tree:
    assert seen.explained is not None  # noqa: S101 - the caller asked
    assert seen.explanation is not None  # noqa: S101
    window = seen.explained.window
    tree = Tree(
        f"what changed in window {window.number}, conversations {window.range.first} to {window.range.last}"
    )
    add_changes(tree, seen.explanation)
    if seen.report is not None:
        tree.add(
            f"with examples and pictures: `retuned drift report {window.number}`, or /reports/{window.number}"
        )
    return tree


def calibration_screen(found: "Calibration", declared: float) -> RenderableType:
    """Show what to expect of the settings, on this history."""
    replay = found.replay
    expected = replay.conversations / declared
    return Group(
        Text(
            f"False alarms are at least {replay.run_length_at_least:,.0f} conversations apart (95% confidence).",
            style="bold",
        ),
        facts(
            (
                ("replayed", f"{replay.conversations:,} conversations of shuffled history"),
                ("false alarms", f"{replay.alarms:,}; the settings declare {expected:.1f} at most"),
            )
        ),
        *_reaches(found),
    )


def _reaches(found: "Calibration") -> Iterator[RenderableType]:
    """Show which changes would be caught."""
    yield heading(f"Changes caught within {found.within:,} conversations")
    if not found.reaches:
        yield (
            f"  No change was tried: {found.history:,} conversations have no topic that could be left out to be "
            "new. Try again once the history is longer or more varied."
        )
        return
    yield indented(
        f"each change: one of {found.topics} topics, of {found.history:,} conversations, is new to the reference"
    )
    table = listed("new traffic", "caught", "median delay", right=("new traffic", "caught", "median delay"))
    for reach in found.reaches:
        late = "later" if isinf(reach.median) else f"{reach.median:,.0f} conversations"
        table.add_row(f"{reach.share:.0%}", f"{reach.found:.0%} of {reach.trials}", late)
    yield indented(table)
