"""Summarises the status in one line, and lists what needs the operator."""

from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import NamedTuple, cast

from rich.text import Text

from daemon.cli.render.formatting import duration
from daemon.domain.halts import REMEDIES, Halt
from daemon.domain.runs import RunState
from daemon.domain.situation import CALM, SituationState
from daemon.http.health import Component
from daemon.http.probe import DaemonHealth
from daemon.ledger.counts import RunSummary
from daemon.views.status import StatusView
from monitors.types import Outcome
from registry.transitions import must_force, promote_command
from registry.types import GateVerdict


class Urgency(IntEnum):
    """How soon something needs the operator; what is mended first comes first."""

    MACHINE = 0  # without space no other remedy can be written down
    BOUND = 1  # the ledger, its key or the base model may be the wrong one
    SERVED = 2  # users get something else than was decided
    STOPPED = 3  # records wait, and the topic keeps them for a while only
    ERASED = 4  # what is live knows erased records
    DECISION = 5  # a training, a candidate
    CONCERN = 6  # nothing is broken


class Need(NamedTuple):
    """Something that only the operator can do."""

    phrase: str  # for the headline: a few words
    sentence: str  # with the command to run
    urgency: Urgency = Urgency.DECISION


def most_urgent_first(needs: Iterable[Need]) -> tuple[Need, ...]:
    """Sort needs by urgency; those of the same urgency keep their order."""
    return tuple(sorted(needs, key=lambda need: need.urgency))


def needs_of(
    seen: StatusView, health: DaemonHealth, halt: Halt | None, *, automatic: bool
) -> tuple[Need, ...]:
    """List what needs the operator. ``automatic``: the daemon promotes by itself."""
    return (*_of_intake(halt), *_of_daemon(health, halt), *_of_training(seen), *_of_release(seen, automatic))


def headline(seen: StatusView, health: DaemonHealth, halt: Halt | None, needs: tuple[Need, ...]) -> Text:
    """Return the one line: whether all is well, what is live and since when, drift, what is going on."""
    facts = f"{_live(seen)}, {seen.situation.phrase}, {activity(seen, health, halt)}{_orders(seen)}."
    if needs:
        more = f" (+{len(needs) - 1} more)" if len(needs) > 1 else ""
        return Text(f"To do: {needs[0].phrase}{more}. {facts}", style="bold yellow")
    if seen.situation.state not in CALM:
        return Text(f"Nothing to do. {facts}", style="bold cyan")
    return Text(f"All is well. {facts}", style="bold green")


def activity(seen: StatusView, health: DaemonHealth, halt: Halt | None) -> str:
    """Return in a few words what the daemon is doing."""
    windows = seen.windows
    if halt is not None:
        return "intake halted"
    if not health.running:
        return "daemon down"
    if seen.run is not None and seen.run.state is RunState.RUNNING and seen.orders.pause is None:
        return f"training{_share_done(seen.run)}"
    if seen.candidate is not None and seen.candidate.open:
        return f"v{seen.candidate.name.number} at the gate"
    if seen.wish is not None:
        return "training requested"
    if windows.reference is not None and windows.reference.range is None:
        return f"reference {windows.collected / windows.reference.size:.0%}"
    return "judging" if windows.waiting else "watching"


def _of_intake(halt: Halt | None) -> Iterator[Need]:
    if halt is not None:
        yield Need(
            "resume intake",
            f"Intake is halted: {halt.reason.rstrip('.')}. {sentence(REMEDIES[halt.kind])}",
            Urgency.STOPPED,
        )


def sentence(remedy: str) -> str:
    """Return words as a sentence."""
    return f"{remedy[0].upper()}{remedy[1:]}."


def _of_daemon(health: DaemonHealth, halt: Halt | None) -> Iterator[Need]:
    if health.other is not None:
        found = (
            f"{sentence(health.absence)} Set http.port to a free port, and start this line's: `retuned run`."
        )
        yield Need("free the port", found, Urgency.STOPPED)
    elif not health.running:
        absent = f"No daemon answers at {health.url}. Start it: `retuned run`."
        yield Need("start the daemon", absent, Urgency.STOPPED)
    elif not health.ready and not (halt is not None and health.problems.keys() <= {Component.INTAKE}):
        named = "; ".join(
            f"{component}: {problem}"
            for component, problem in health.problems.items()
            if halt is None or component != Component.INTAKE  # a halt is named already
        )
        not_ready = (
            f"The daemon is not ready: {named or 'no reason given'}. Find the remedy: `retuned doctor`."
        )
        yield Need("run the doctor", not_ready, Urgency.STOPPED)


def _of_training(seen: StatusView) -> Iterator[Need]:
    failed = seen.run is not None and seen.run.state is RunState.FAILED and seen.wish is None
    if seen.run is not None and failed:
        yield Need(
            "see the failed run",
            f"Run {seen.run.id} failed; its error is below. Train again: `retuned train -m REASON`.",
        )
    elif seen.decision is not None and seen.decision.waits_for_operator:
        yield Need(
            "look at the training",
            "A training waits for you: the decision below says why. Look at a sample: `retuned doctor`. Train all the "
            "same: `retuned train -m REASON`.",
        )
    situation, triage, alarm = seen.situation, seen.triage, seen.alarm
    if triage and alarm and triage.window == alarm.window and triage.outcome is Outcome.CANT_HELP:
        yield Need("see the drift", "Training can't help with this drift: `retuned drift show`.")
    elif situation.state is SituationState.NOT_TRAINED:
        found = f"The change since window {situation.window} is not trained on (see drift below)."
        yield Need("see the drift", f"{found} {situation.remedy or 'What changed: `retuned drift show`.'}")
    elif situation.state is SituationState.UNRESOLVED and not failed:
        found = f"The change since window {situation.window} is still there (see drift below)."
        yield Need("see the change", f"{found} {situation.remedy or ''}".rstrip())


def _of_release(seen: StatusView, automatic: bool) -> Iterator[Need]:
    candidate, orders = seen.candidate, seen.orders
    if candidate is None or candidate.report is None:
        return
    if candidate.report.verdict is not GateVerdict.PROMOTE:
        return
    short = f"v{candidate.name.number}"
    promote = promote_command(candidate.name, force=orders.bar is not None and must_force(orders.bar))
    against, live = candidate.report.against, seen.live and seen.live.version
    if against is not None and against != live:
        yield Need(
            f"promote or reject {short}",
            f"{candidate.name} passed the gate against {against}, but {live} is live now: "
            f"{promote_command(candidate.name, force=True)} or `retuned reject {short} -m REASON`.",
        )
    elif orders.bar is not None:
        yield Need(
            f"promote or reject {short}",
            f"{candidate.name} passed the gate, but it is barred (see below): {promote} or "
            f"`retuned reject {short} -m REASON`.",
        )
    elif not automatic:
        yield Need(f"promote {short}", f"{candidate.name} passed the gate: {promote}.")
    elif orders.hold is not None:
        yield Need(
            f"promote {short} or unhold",
            f"{candidate.name} passed the gate, but promotion is held: {promote} or `retuned unhold -m REASON`.",
        )


def _orders(seen: StatusView) -> str:
    """Return what operators hold, for the headline."""
    held = (", promotion held" if seen.orders.hold else "", ", training paused" if seen.orders.pause else "")
    return "".join(held)


def _live(seen: StatusView) -> str:
    if seen.live is None:
        return "nothing live"
    age = max(0.0, (seen.at - seen.live.at).total_seconds())
    return f"v{seen.live.version.number} live for {duration(age)}"


def _share_done(run: RunSummary) -> str:
    """Return the share of its steps that a run has done, where it is known."""
    progress = run.progress or {}
    step, steps = cast("int", progress.get("step", 0)), cast("int", progress.get("steps", 0))
    return f" {step / steps:.0%}" if steps else ""
