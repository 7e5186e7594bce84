"""Shows why a version is live, from drift to promotion, and the recent activity."""

from rich.text import Text
from rich.tree import Tree

from daemon.cli.render.answer_pairs import answer_pairs
from daemon.cli.render.changes import add_changes, add_triage
from daemon.cli.render.formatting import (
    coloured,
    counted,
    duration,
    left_out_lines,
    lesson_words,
    number,
    printable,
    source_lines,
    timestamp,
)
from daemon.cli.render.gate import gate_tree
from daemon.cli.render.orders import bar_words
from daemon.cli.render.situation import style_of
from daemon.domain.decisions import Decision
from daemon.domain.situation import Situation, sentence_of
from daemon.views.why import DecisionStreak, DriftFound, PromotionChain, RecentActivity, TrainingRun
from registry.types import Promotion


def chain_tree(chain: PromotionChain, *, verbose: bool) -> Tree:
    """Show why a version exists and is, or was, live."""
    tree = Tree(
        Text.assemble("why ", (str(chain.version), "bold"), " (live)" if chain.live else " (not live)")
    )
    if chain.base:
        tree.add("it is the base model: no training, no gate")
    if chain.bar is not None:
        tree.add(bar_words(chain.bar))
    _add_causes(tree, chain, verbose=verbose)
    for report in chain.gate:
        tree.add(gate_tree(report))
    if chain.answers:
        live = chain.gate[-1].against if chain.gate else None
        tree.add(answer_pairs(chain.answers, live=live, candidate=chain.version))
    if not chain.gate and not chain.base:
        tree.add("gate: has not judged it yet")
    for entry in chain.promotions:
        _add_entry(tree, "", entry)
    if not chain.promotions:
        tree.add("never promoted")
    for entry in chain.replaced_by:
        _add_entry(tree, "replaced: ", entry)
    return tree


def recent_tree(recent: RecentActivity, shown: PromotionChain | None, *, verbose: bool) -> Tree:
    """Show recent drift, decisions and obstacles. Drift that ``shown`` explains is not repeated."""
    tree = Tree("recent activity")
    _add_situation(tree, recent.situation)
    if recent.drift is not None and not (shown and _same_window(shown.drift, recent.drift)):
        _add_drift(tree, recent.drift, verbose=verbose)
        if recent.triage is not None:
            add_triage(tree, recent.triage)
    for obstacle in recent.obstacles:
        tree.add(Text(obstacle, style="yellow"))
    if not recent.spells:
        tree.add("no decision yet: one follows a judged window or a request")
        return tree
    decisions = tree.add("latest decisions, newest first")
    for streak in recent.spells:
        _add_streak(decisions, streak)
    return tree


def _add_situation(tree: Tree, situation: Situation) -> None:
    branch = tree.add(Text(sentence_of(situation.sentence), style=style_of(situation.state)))
    if situation.next is not None:
        branch.add(Text(sentence_of(situation.next)))
    if situation.remedy is not None:
        branch.add(Text(situation.remedy))


def _same_window(one: DriftFound | None, other: DriftFound) -> bool:
    return one is not None and one.window.window.number == other.window.window.number


def _add_causes(tree: Tree, chain: PromotionChain, *, verbose: bool) -> None:
    """Show the links from drift to the run."""
    if chain.drift is not None:
        _add_drift(tree, chain.drift, verbose=verbose)
    if chain.triage is not None:
        add_triage(tree, chain.triage)
    if chain.decision is not None:
        _add_decision(tree, chain.decision, chain.waited)
    if chain.run is not None:
        _add_run(tree, chain.run)


def _add_drift(tree: Tree, drift: DriftFound, *, verbose: bool) -> None:
    found, window = drift.window, drift.window.window
    branch = tree.add(Text.assemble(coloured("drift"), f" in window {window.number}"))
    branch.add(f"conversations {window.range.first} to {window.range.last}")
    branch.add(f"judged {timestamp(found.judged_at)}")
    for verdict in found.verdicts if verbose else ():
        numbers = f" {number(verdict.score)} (threshold {number(verdict.threshold)})"
        detail = branch.add(Text.assemble(f"{verdict.monitor}: ", coloured(verdict.finding), numbers))
        detail.add(Text(verdict.reason))
    if drift.recurrence is not None:
        branch.add(Text(drift.recurrence, style="bold"))
    if drift.explanation is not None:
        add_changes(branch, drift.explanation)


def _add_decision(tree: Tree, decision: Decision, waited: tuple[Decision, ...]) -> None:
    branch = tree.add(Text.assemble("decision: ", coloured(decision.action), f", {timestamp(decision.at)}"))
    if decision.requested_by:
        branch.add(f"requested by {decision.requested_by}")
    branch.add(Text(printable(decision.reason)))
    for earlier in waited:
        before = branch.add(Text.assemble("before: ", coloured(earlier.action), f", {timestamp(earlier.at)}"))
        before.add(Text(printable(earlier.reason)))


def _add_run(tree: Tree, run: TrainingRun) -> None:
    branch = tree.add(Text.assemble(f"run {run.id}: ", coloured(run.state)))
    took = f", took {duration((run.ended_at - run.started_at).total_seconds())}" if run.ended_at else ""
    branch.add(f"started {timestamp(run.started_at)}{took}")
    branch.add(f"{counted(run.new, 'new conversation')} ({run.span.first} to {run.span.last})")
    branch.add(f"{counted(run.replay, 'earlier conversation')} replayed")
    if run.lessons:
        branch.add(f"lessons: {lesson_words(run.lessons)}")
    for line in left_out_lines(run.left_out, run.skipped, run.left_out_answers):
        branch.add(line)
    for line in source_lines(run.sources):
        branch.add(line)
    if run.result is not None:
        losses = (run.result.get("first_loss"), run.result.get("last_loss"))
        first, last = (number(loss if isinstance(loss, float) else None) for loss in losses)
        branch.add(f"loss {first} -> {last} over {run.result.get('steps')} steps")
    if run.error:
        branch.add(Text(run.error, style="red"))


def _add_entry(tree: Tree, prefix: str, entry: Promotion) -> None:
    branch = tree.add(Text.assemble(f"{prefix}{entry.kind}: ", (str(entry.version), "bold")))
    branch.add(f"{timestamp(entry.at)} by {entry.by.kind} {entry.by.name}")
    if entry.forced:
        branch.add(Text("forced past the gate", style="yellow"))
    branch.add(Text(printable(entry.reason)))


def _add_streak(tree: Tree, streak: DecisionStreak) -> None:
    trigger = f"{streak.trigger}: " if streak.trigger else ""
    branch = tree.add(Text.assemble(trigger, coloured(streak.action), f", {timestamp(streak.last.at)}"))
    if streak.count > 1:
        branch.add(f"{streak.count} times since {timestamp(streak.since)}")
    branch.add(Text(printable(streak.last.reason)))
