"""Shows what changed in a window, and whether the change hurts."""

from rich.text import Text
from rich.tree import Tree

from daemon.cli.render.formatting import coloured, number, printable, timestamp
from daemon.domain.alarms import Triage
from monitors.types import Change, DomainView, Explanation

_WORDS_SHOWN = 10
_TOPICS_SHOWN = 5
_TITLES = {
    "word": "words",
    "characters": "characters",
    "descriptor": "descriptors",
    "label": "labels",
    "defect": "defects",
}


def add_triage(tree: Tree, triage: Triage) -> None:
    """Show whether a change hurts."""
    branch = tree.add(Text.assemble("triage: ", coloured(triage.outcome), f", {timestamp(triage.at)}"))
    branch.add(f"live then: {triage.version}")
    branch.add(Text(triage.reason))
    if triage.examples:
        branch.add("such as: " + ", ".join(map(printable, triage.examples)))


def add_changes(branch: Tree, explanation: Explanation) -> None:
    """Show the share that is new, topics, words, descriptors, the classifier and examples."""
    whose = "what users say" if explanation.speaker == "user" else "what the assistant says"
    branch.add(f"at least {explanation.share_new:.0%} of the window is new, by {whose} (90% confidence)")
    for topic in explanation.topics[:_TOPICS_SHOWN]:
        named = ", ".join(map(printable, topic.words))
        branch.add(f"topic ({named}): {topic.reference:.1%} -> {topic.window:.1%} of the users")
    for aspect, title in _TITLES.items():
        changes = [change for change in explanation.changes if change.aspect == aspect][:_WORDS_SHOWN]
        if changes:
            _add_aspect(branch, title, changes)
    if explanation.domain is not None:
        _add_domain(branch, explanation.domain)
    if explanation.examples:
        branch.add("typical conversations: " + ", ".join(map(printable, explanation.examples)))


def _add_aspect(branch: Tree, title: str, changes: list[Change]) -> None:
    """Show one change after its title, or several below it."""
    lines = [f"{printable(c.name)} {_level(c, c.reference)} -> {_level(c, c.window)}" for c in changes]
    if len(lines) == 1:
        branch.add(f"{title}: {lines[0]}")
        return
    below = branch.add(title)
    for line in lines:
        below.add(line)


def _add_domain(tree: Tree, domain: DomainView) -> None:
    """Show how well a classifier tells the window from the reference, and by which words."""
    can = "tells" if domain.tells_apart else "can't tell"
    branch = tree.add(f"a classifier of words {can} the window from the reference")
    branch.add(f"AUC {domain.auc:.2f} (95% interval {domain.lower:.2f} to {domain.upper:.2f})")
    if domain.tells_apart:
        words = (
            f"{printable(effect.word)} {'+' if effect.having > 0 else '-'}{effect.strength:.2f}"
            for effect in domain.words[:_WORDS_SHOWN]
        )
        branch.add("it goes by: " + ", ".join(words))


def _level(change: Change, value: float) -> str:
    """Return a word's share of all words, or a descriptor's mean."""
    return number(value) if change.aspect == "descriptor" else f"{value:.2%}"
