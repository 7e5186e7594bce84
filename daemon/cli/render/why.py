"""The tree of reasons: from drift to promotion, and what happened since."""

from rich.text import Text
from rich.tree import Tree

from daemon.cli.render.figures import coloured, figure, lasting, moment, printable, source_lines
from daemon.cli.render.versions import gate_screen
from daemon.domain.alarms import Triage
from daemon.domain.decisions import Decision
from daemon.views.why import DriftFound, Lately, Learned, Story
from monitors.types import Change, DomainView, Explanation
from registry.types import Promotion

_WORDS_SHOWN = 10
_TOPICS_SHOWN = 5
_TITLES = {
    "word": "words",
    "characters": "characters",
    "descriptor": "descriptors",
    "label": "labels",
    "defect": "defects",
}


def story_tree(told: Story) -> Tree:
    """Show why a version exists and is, or was, live."""
    tree = Tree(Text.assemble("why ", (str(told.version), "bold"), " (live)" if told.live else " (not live)"))
    if told.base:
        tree.add("it is the bare base model: no training, no gate")
    _add_causes(tree, told)
    for report in told.gate:
        tree.add(gate_screen(report))
    if not told.gate and not told.base:
        tree.add("gate: has not judged it yet")
    for entry in told.promotions:
        tree.add(_entry(entry))
    if not told.promotions:
        tree.add(
            f"promotion: none; it was never live. `retuned promote v{told.version.number}` would ask for it"
        )
    for entry in told.replaced_by:
        tree.add(Text.assemble("replaced: ", _entry(entry)))
    return tree


def lately_tree(told: Lately) -> Tree:
    """Show what was decided lately, and what is in the way."""
    tree = Tree("lately")
    if told.drift is not None:
        _add_drift(tree, told.drift)
    if told.triage is not None:
        add_triage(tree, told.triage)
    for sentence in told.obstacles:
        tree.add(Text(sentence, style="yellow"))
    for spell in told.spells:
        times = f"{spell.count} times since {moment(spell.since)}, last " if spell.count > 1 else ""
        what = f"{spell.trigger}: " if spell.trigger else ""
        tree.add(
            Text.assemble(
                what, coloured(spell.action), f" {times}{moment(spell.last.at)}: {spell.last.reason}"
            )
        )
    if not told.spells:
        tree.add("no decision was made yet: none is due before a window was judged or somebody asked")
    return tree


def _add_causes(tree: Tree, told: Story) -> None:
    """Show the chain from drift to the run."""
    if told.drift is not None:
        _add_drift(tree, told.drift)
    if told.triage is not None:
        add_triage(tree, told.triage)
    if told.decision is not None:
        _add_decision(tree, told.decision, told.waited)
    if told.run is not None:
        _add_run(tree, told.run)


def _add_drift(tree: Tree, drift: DriftFound) -> None:
    found, window = drift.window, drift.window.window
    branch = tree.add(
        Text.assemble(
            coloured("drift"),
            f" in window {window.number} (conversations {window.range.first} to {window.range.last}), "
            f"judged {moment(found.judged_at)}",
        )
    )
    for verdict in found.verdicts:
        score = f" {figure(verdict.score)} (threshold {figure(verdict.threshold)}): "
        branch.add(Text.assemble(f"{verdict.monitor} ", coloured(verdict.finding), score, verdict.reason))
    if drift.recurrence is not None:
        branch.add(Text(drift.recurrence, style="bold"))
    if drift.explanation is not None:
        add_changes(branch, drift.explanation)


def add_triage(tree: Tree, triage: Triage) -> None:
    """Say whether a change hurts."""
    branch = tree.add(
        Text.assemble(
            "triage: ",
            coloured(triage.outcome),
            f" at {moment(triage.at)}, under {triage.version}: {triage.reason}",
        )
    )
    if triage.examples:
        branch.add("such as: " + ", ".join(map(printable, triage.examples)))


def add_changes(branch: Tree, explanation: Explanation) -> None:
    """Say what changed: the share that is new, words, characters, topics, descriptors, the classifier, examples."""
    whose = "what users say" if explanation.speaker == "user" else "what the assistant says"
    branch.add(f"at least {explanation.share_new:.0%} of the window is new, by {whose}, with 90% confidence")
    for topic in explanation.topics[:_TOPICS_SHOWN]:
        named = ", ".join(map(printable, topic.words))
        branch.add(f"topic ({named}): {topic.reference:.1%} -> {topic.window:.1%} of the users")
    for aspect, title in _TITLES.items():
        changes = [change for change in explanation.changes if change.aspect == aspect][:_WORDS_SHOWN]
        if changes:
            branch.add(
                f"{title}: "
                + ", ".join(
                    f"{printable(c.name)} {_level(c, c.reference)} -> {_level(c, c.window)}" for c in changes
                )
            )
    if explanation.domain is not None:
        branch.add(_domain(explanation.domain))
    if explanation.examples:
        branch.add("typical conversations: " + ", ".join(map(printable, explanation.examples)))


def _domain(domain: DomainView) -> str:
    """How well a classifier tells the window from the reference, and by which words."""
    sure = f"AUC {domain.auc:.2f}, 95% interval {domain.lower:.2f} to {domain.upper:.2f}"
    if not domain.tells_apart:
        return f"a classifier of words can't tell the window from the reference ({sure})"
    went_by = ", ".join(
        f"{printable(effect.word)} {'+' if effect.having > 0 else '-'}{effect.strength:.2f}"
        for effect in domain.words[:_WORDS_SHOWN]
    )
    return f"a classifier tells the window from the reference ({sure}) by: {went_by}"


def _level(change: Change, value: float) -> str:
    """A word's share of all words, or a descriptor's mean."""
    return figure(value) if change.aspect == "descriptor" else f"{value:.2%}"


def _add_decision(tree: Tree, decision: Decision, waited: tuple[Decision, ...]) -> None:
    by = f", asked for by {decision.requested_by}" if decision.requested_by else ""
    branch = tree.add(
        Text.assemble(
            "decision: ", coloured(decision.action), f" at {moment(decision.at)}{by}: {decision.reason}"
        )
    )
    for earlier in waited:
        branch.add(
            Text.assemble(f"before, {moment(earlier.at)}: ", coloured(earlier.action), f" {earlier.reason}")
        )


def _add_run(tree: Tree, run: Learned) -> None:
    took = f" after {lasting((run.ended_at - run.started_at).total_seconds())}" if run.ended_at else ""
    branch = tree.add(
        Text.assemble(f"run {run.id}: ", coloured(run.state), f"{took}, began {moment(run.started_at)}")
    )
    branch.add(
        f"data: {run.new} new conversations ({run.span.first} to {run.span.last}) and {run.replay} replayed from the past"
    )
    for line in source_lines(run.sources):
        branch.add(line)
    if run.result is not None:
        losses = (run.result.get("first_loss"), run.result.get("last_loss"))
        first, last = (figure(loss if isinstance(loss, float) else None) for loss in losses)
        branch.add(f"loss {first} -> {last} over {run.result.get('steps')} steps")
    if run.error:
        branch.add(Text(run.error, style="red"))


def _entry(entry: Promotion) -> Text:
    forced = ", forced past the gate" if entry.forced else ""
    return Text.assemble(
        f"{entry.kind}: {entry.version} at {moment(entry.at)} by {entry.by.kind} {entry.by.name}{forced}: {entry.reason}"
    )
