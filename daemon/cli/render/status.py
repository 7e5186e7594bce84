"""The status screen: where a model line stands, one worry a line."""

from collections.abc import Iterator, Mapping
from typing import cast

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from daemon.cli.render.figures import ago, coloured, figure, lasting, moment
from daemon.cli.render.references import frozen_words, reference_line
from daemon.domain.alarms import Triage
from daemon.domain.runs import RunState
from daemon.http.probe import DaemonHealth
from daemon.ledger.counts import RunSummary
from daemon.views.status import Candidate, Overview


def status_screen(seen: Overview, health: DaemonHealth) -> RenderableType:
    """Show everything, the most urgent first."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, line in _lines(seen, health):
        table.add_row(name, line)
    return table


def _lines(seen: Overview, health: DaemonHealth) -> Iterator[tuple[str, RenderableType]]:
    yield "live", _live(seen)
    yield "daemon", daemon_line(health)
    if seen.leader is not None:
        yield "leader", f"process {seen.leader.pid} on {seen.leader.host}, number {seen.leader.fence}"
    yield from _stream(seen, health)
    yield "reference", _reference(seen)
    if seen.freeze is not None:
        yield "", frozen_words(seen.freeze, seen.at)
    yield "windows", _windows(seen)
    yield from _verdicts(seen)
    yield "alarm", _alarm(seen)
    if seen.triage is not None:
        yield "triage", _triage(seen, seen.triage)
    if seen.wish is not None:
        yield "asked for", f"by {seen.wish.by}, {ago(seen.at, seen.wish.at)}: {seen.wish.reason}"
    yield "decision", _decision(seen)
    yield "training", _training(seen, seen.run)
    yield "gate", _gate(seen.candidate)


def _live(seen: Overview) -> RenderableType:
    if seen.live is None:
        return "nothing yet; the first start of `retuned run` puts the base model live"
    entry = seen.live
    by = f"{entry.by.kind} {entry.by.name}" if entry.by.kind == "operator" else entry.by.kind
    forced = ", forced past the gate" if entry.forced else ""
    return Text.assemble(
        (str(entry.version), "bold green"),
        f" since {moment(entry.at)} ({ago(seen.at, entry.at)}), {entry.kind} by {by}{forced}: {entry.reason}",
    )


def daemon_line(health: DaemonHealth) -> Text:
    """Say how the daemon is."""
    if not health.running:
        return Text(f"not running, or not reachable at {health.url}", style="yellow")
    if health.ready:
        return Text("running and ready", style="green")
    problems = (
        "; ".join(f"{name}: {problem}" for name, problem in health.problems.items()) or "no reason given"
    )
    return Text(f"running, but not ready: {problems}", style="yellow")


def _stream(seen: Overview, health: DaemonHealth) -> Iterator[tuple[str, RenderableType]]:
    counts = seen.intake
    lag = "" if health.lag is None else f", {health.lag} records behind"
    yield (
        "stream",
        f"{counts.conversations} conversations ({counts.held_out} held out), {counts.feedback} feedback records{lag}",
    )
    for at in counts.positions:
        yield "", f"{at.topic}/{at.partition} next {at.next_offset}, {ago(seen.at, at.updated_at)}"
    if counts.dead_letters:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(counts.dead_letters.items()))
        waiting = (
            f"; {counts.dead_letters_waiting} still to be published" if counts.dead_letters_waiting else ""
        )
        yield "dead letters", Text(f"{reasons}{waiting}", style="yellow")


def _reference(seen: Overview) -> str:
    reference = seen.windows.reference
    if reference is None:
        return "none yet"
    if reference.range is None:
        return (
            f"collecting for {reference.version}: {seen.windows.collected} of {reference.size} conversations"
        )
    return reference_line(reference, cycle_days=seen.cycle_days)


def _windows(seen: Overview) -> str:
    waiting = f", {seen.windows.waiting} wait to be judged" if seen.windows.waiting else ""
    return f"{seen.windows.closed} closed{waiting}; {seen.windows.open} conversations in the open one"


def _verdicts(seen: Overview) -> Iterator[tuple[str, RenderableType]]:
    if not seen.judged:
        yield "verdict", "no window was judged yet"
        return
    last = seen.judged[0]
    yield (
        "verdict",
        Text.assemble(
            f"window {last.window.number}: ", coloured(last.finding), f", {ago(seen.at, last.judged_at)}"
        ),
    )
    for verdict in last.verdicts:
        numbers = f" {figure(verdict.score)} (threshold {figure(verdict.threshold)}): "
        yield "", Text.assemble(f"{verdict.monitor} ", coloured(verdict.finding), numbers, verdict.reason)


def _alarm(seen: Overview) -> RenderableType:
    if seen.alarm is None:
        return Text("none", style="dim")
    return Text(
        f"drift since window {seen.alarm.window}, {ago(seen.at, seen.alarm.at)}: {seen.alarm.reason}",
        style="bold red",
    )


def _triage(seen: Overview, triage: Triage) -> RenderableType:
    when = f" of window {triage.window}'s alarm, {ago(seen.at, triage.at)}: "
    return Text.assemble(coloured(triage.outcome), when, triage.reason)


def _decision(seen: Overview) -> RenderableType:
    if seen.decision is None:
        return Text("none yet", style="dim")
    return Text.assemble(
        coloured(seen.decision.action), f", {ago(seen.at, seen.decision.at)}: {seen.decision.reason}"
    )


def _training(seen: Overview, run: RunSummary | None) -> RenderableType:
    if run is None:
        return Text("none yet", style="dim")
    if run.state is RunState.RUNNING:
        return Text.assemble(f"run {run.id} ", coloured(run.state), f": {progress_line(run.progress)}")
    ended = f", {ago(seen.at, run.ended_at)}" if run.ended_at else ""
    error = f": {run.error}" if run.error else ""
    return Text.assemble(f"run {run.id} ", coloured(run.state), f"{ended}{error}")


def progress_line(progress: Mapping[str, object] | None) -> str:
    """Say how far a run is."""
    if progress is None:
        return "starting"
    step, steps = cast("int", progress["step"]), cast("int", progress["steps"])
    parts = [str(progress["phase"])]
    if steps:
        parts.append(f"step {step} of {steps} ({step / steps:.0%})")
    if progress.get("loss") is not None:
        parts.append(f"loss {figure(cast('float', progress['loss']))}")
    if progress.get("tokens_per_s"):
        parts.append(f"{cast('float', progress['tokens_per_s']):.0f} tokens/s")
    if progress.get("seconds_left") is not None:
        parts.append(f"{lasting(cast('float', progress['seconds_left']))} left")
    return ", ".join(parts)


def _gate(candidate: Candidate | None) -> RenderableType:
    if candidate is None:
        return Text("no candidate", style="dim")
    if candidate.report is None:
        return f"{candidate.name} is being judged"
    more = "; looks again with more data" if candidate.open else ""
    return Text.assemble(
        f"{candidate.name}: ",
        coloured(candidate.report.verdict),
        f" at look {candidate.report.look}: {candidate.report.reason}{more}",
    )
