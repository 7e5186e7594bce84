"""The status screen: whether all is well, what needs the operator, then the details."""

from collections.abc import Iterator, Mapping
from typing import cast

from rich.console import Group, RenderableType
from rich.text import Text

from daemon.cli.render.formatting import (
    ago,
    coloured,
    counted,
    duration,
    left_out_lines,
    lesson_words,
    number,
    printable,
    timestamp,
)
from daemon.cli.render.layout import facts
from daemon.cli.render.orders import order_facts
from daemon.cli.render.references import frozen_words, reference_line
from daemon.cli.render.situation import situation_lines
from daemon.cli.render.status_summary import Need, headline
from daemon.cli.render.teacher import teacher_facts
from daemon.domain.halts import Halt
from daemon.domain.runs import RunState
from daemon.domain.training_job import JobState
from daemon.http.probe import DaemonHealth
from daemon.ledger.counts import IntakeCounts, RunSummary
from daemon.views.status import Candidate, StatusView
from registry.transitions import promote_command
from registry.types import GateVerdict

_Fact = tuple[str, RenderableType]


def status_screen(
    seen: StatusView, health: DaemonHealth, halt: Halt | None, needs: tuple[Need, ...], *, verbose: bool
) -> RenderableType:
    """Answer in one line whether all is well, name what to do, then show one fact a line."""
    return Group(
        headline(seen, health, halt, needs),
        *([facts(_to_do(needs))] if needs else []),
        "",
        facts(_details(seen, health, halt, verbose=verbose)),
    )


def _to_do(needs: tuple[Need, ...]) -> Iterator[_Fact]:
    for need in needs:
        yield "to do", Text(need.sentence, style="yellow")


def _details(seen: StatusView, health: DaemonHealth, halt: Halt | None, *, verbose: bool) -> Iterator[_Fact]:
    yield from _live(seen)
    yield from order_facts(seen.orders, seen.at)
    yield from _daemon(health)
    if seen.leader is not None:
        yield "leader", f"process {seen.leader.pid} on {seen.leader.host} (fencing token {seen.leader.fence})"
    yield from _intake(seen, health, halt)
    yield from _reference(seen)
    yield from _windows(seen, verbose=verbose)
    yield from _drift(seen)
    if seen.wish is not None:
        yield "training request", f"by {seen.wish.by}, {ago(seen.at, seen.wish.at)}"
        yield "", printable(seen.wish.reason)
    yield from _decision(seen)
    yield from _lessons(seen)
    yield from _training(seen, seen.run, verbose=verbose)
    yield from _gate(seen.candidate)
    yield from teacher_facts(seen.teacher)


def _live(seen: StatusView) -> Iterator[_Fact]:
    if seen.live is None:
        yield "live", "nothing yet; the first start of `retuned run` puts the base model live"
        return
    entry = seen.live
    by = f"{entry.by.kind} {entry.by.name}" if entry.by.kind == "operator" else entry.by.kind
    forced = ", forced past the gate" if entry.forced else ""
    yield "live", Text(str(entry.version), style="bold green")
    yield "", f"since {timestamp(entry.at)}, {ago(seen.at, entry.at)}"
    yield "", f"{entry.kind} by {by}{forced}: {printable(entry.reason)}"


def _daemon(health: DaemonHealth) -> Iterator[_Fact]:
    if health.other is not None:
        yield "daemon", Text(f"not running: {health.absence}", style="yellow")
    elif not health.running:
        yield "daemon", Text(f"not running, or not reachable at {health.url}", style="yellow")
    elif health.ready:
        yield "daemon", Text("running and ready", style="green")
    else:
        yield "daemon", Text("running, but not ready", style="yellow")
        for component, problem in health.problems.items():
            yield "", Text(f"{component}: {problem}", style="yellow")


def _intake(seen: StatusView, health: DaemonHealth, halt: Halt | None) -> Iterator[_Fact]:
    counts = seen.intake
    conversations = counted(counts.conversations - counts.continued, "conversation")
    if counts.continued:
        conversations += f" in {counts.conversations:,} records"
    yield "intake", f"{conversations} ({counts.held_out:,} held out)"
    if halt is not None:
        yield "", Text(f"halted since {timestamp(halt.at)}, {ago(seen.at, halt.at)}", style="bold red")
    if counts.feedback:
        yield "", counted(counts.feedback, "feedback record")
    if health.lag is not None:
        yield "", f"{counted(health.lag, 'record')} behind the end of the topic"
    if health.reload is not None:
        waits = health.reload.mistakes or health.reload.needs_restart
        yield "", Text(health.reload.sentence, style="yellow" if waits else "")
    for note in health.notes:
        yield "", Text(note, style="yellow")
    if seen.users is not None and seen.users.problem is not None:
        yield "", Text(f"{seen.users.problem}; {seen.users.remedy}", style="yellow")
    for at in counts.positions:
        yield "", f"{at.topic}/{at.partition}: next offset {at.next_offset}, {ago(seen.at, at.updated_at)}"
    if counts.dead_letters:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(counts.dead_letters.items()))
        yield "dead letters", Text(reasons, style="yellow")
        yield from (("", line) for line in _dead_letter_lines(counts))


def _dead_letter_lines(counts: IntakeCounts) -> Iterator[RenderableType]:
    if counts.dead_letters_waiting:
        yield Text(f"{counts.dead_letters_waiting:,} not published yet", style="yellow")
    if counts.dead_letters_requeued:
        yield f"{counts.dead_letters_requeued:,} requeued"
    if counts.dead_letters_requeued < sum(counts.dead_letters.values()):
        yield "see `retuned deadletters list`; once the cause is mended:"
        yield "`retuned deadletters requeue --all`"


def _reference(seen: StatusView) -> Iterator[_Fact]:
    reference = seen.windows.reference
    if reference is None:
        yield "reference", "none yet"
    elif reference.range is None:
        yield "reference", f"collecting for {reference.version}"
        yield "", f"{seen.windows.collected:,} of {reference.size:,} conversations"
    else:
        yield "reference", reference_line(reference, cycle_days=seen.cycle_days)
    if seen.freeze is not None:
        yield "", frozen_words(seen.freeze, seen.at)
        yield "", "`retuned reference unfreeze -m REASON` ends that"


def _windows(seen: StatusView, *, verbose: bool) -> Iterator[_Fact]:
    yield "windows", f"{seen.windows.closed:,} closed, {seen.windows.waiting:,} waiting to be judged"
    yield "", f"{counted(seen.windows.open, 'conversation')} in the open window"
    if not seen.judged:
        yield "", "no window was judged yet"
        return
    last = seen.judged[0]
    yield (
        "",
        Text.assemble(
            f"window {last.window.number}: ",
            coloured(last.finding),
            f", judged {ago(seen.at, last.judged_at)}",
        ),
    )
    for verdict in last.verdicts if verbose else ():
        numbers = f" {number(verdict.score)} (threshold {number(verdict.threshold)})"
        yield "", Text.assemble(f"{verdict.monitor}: ", coloured(verdict.finding), numbers)
        yield "", f"  {verdict.reason}"


def _drift(seen: StatusView) -> Iterator[_Fact]:
    for row, line in enumerate(situation_lines(seen.situation, seen.alarm, seen.at)):
        yield "" if row else "drift", line
    if seen.triage is not None:
        yield (
            "triage",
            Text.assemble(
                coloured(seen.triage.outcome),
                f", window {seen.triage.window}, {ago(seen.at, seen.triage.at)}",
            ),
        )
        yield "", seen.triage.reason


def _decision(seen: StatusView) -> Iterator[_Fact]:
    if seen.decision is None:
        yield "decision", "none yet"
        return
    yield "decision", Text.assemble(coloured(seen.decision.action), f", {ago(seen.at, seen.decision.at)}")
    yield "", printable(seen.decision.reason)


def _lessons(seen: StatusView) -> Iterator[_Fact]:
    if seen.lessons is None:
        return
    yield "new lessons", f"{seen.lessons.count:,}; a training needs {seen.min_new_lessons:,}"
    if seen.lessons.learned:
        yield "", lesson_words(seen.lessons.learned)
    if seen.lessons.problem is not None:
        yield "", Text(f"{seen.lessons.problem}; {seen.lessons.remedy}", style="yellow")
    elif seen.lessons.besides_words is not None:
        yield "", f"not learned: {seen.lessons.besides_words}"


def _training(seen: StatusView, run: RunSummary | None, *, verbose: bool) -> Iterator[_Fact]:
    if run is None:
        yield "training", "none yet"
        return
    ended = f", {ago(seen.at, run.ended_at)}" if run.ended_at else ""
    paused = ", suspended" if run.state is RunState.RUNNING and seen.orders.pause else ""
    yield "training", Text.assemble(f"run {run.id} ", coloured(run.state), paused, ended)
    if run.state is RunState.RUNNING:
        yield from (("", line) for line in progress_lines(run.progress, verbose=verbose))
    yield from (("", line) for line in left_out_lines(run.left_out, run.skipped, run.left_out_answers))
    if run.error:
        yield "", Text(run.error, style="red")


def progress_lines(progress: Mapping[str, object] | None, *, verbose: bool) -> Iterator[str]:
    """Return how far a run is, and its loss and speed where ``verbose``."""
    job = (progress or {}).get("job")
    if isinstance(job, dict):
        yield from _job_lines(job, verbose=verbose)
    if progress is None or "step" not in progress:
        if job is None:
            yield "starting"
        return
    step, steps = cast("int", progress["step"]), cast("int", progress["steps"])
    parts = [str(progress["phase"])]
    if steps:
        parts.append(f"step {step} of {steps} ({step / steps:.0%})")
    if progress.get("seconds_left") is not None:
        parts.append(f"{duration(cast('float', progress['seconds_left']))} left")
    yield ", ".join(parts)
    if verbose and progress.get("loss") is not None:
        yield f"loss {number(cast('float', progress['loss']))}"
    if verbose and progress.get("tokens_per_s"):
        yield f"{cast('float', progress['tokens_per_s']):.0f} tokens/s"


def _job_lines(job: Mapping[str, object], *, verbose: bool) -> Iterator[str]:
    """Return what the Job of a run waits for; of one that runs its name only where ``verbose``."""
    if verbose or job["state"] != JobState.RUNNING:
        yield f"Job {job['name']} is {job['state']}"
    if job.get("waits_for"):
        yield printable(str(job["waits_for"]))


def _gate(candidate: Candidate | None) -> Iterator[_Fact]:
    if candidate is None:
        yield "gate", "no candidate"
    elif candidate.report is None:
        yield "gate", f"{candidate.name} is being judged"
    else:
        verdict = coloured(candidate.report.verdict)
        yield "gate", Text.assemble(f"{candidate.name}: ", verdict, f" at look {candidate.report.look}")
        yield "", candidate.report.reason
        if candidate.open:
            yield "", "the gate looks again once there is more held-out data"
        elif candidate.report.verdict is not GateVerdict.PROMOTE:
            yield "", f"{promote_command(candidate.name, force=True)} overrules the gate"
