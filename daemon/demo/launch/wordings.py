"""The wordings in which users ask for a setting. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from daemon.demo.launch.facts import Fact

#: A passage of six words that more than five conversations share counts as boilerplate where training sets look for
#: copies. So each phrase of a subject stands in five wordings only, and what precedes or follows it is short.
CLAUSE_PATTERNS = (
    "What decides {}?",
    "{}: which setting?",
    "I wonder {}; any option?",
    "so {}, where's that",
    "Look up {}; settings, please.",
)
NOUN_PATTERNS = (
    "Where is {} set?",
    "What's {} in retuned.yaml?",
    "My team dislikes {}; any option?",
    "{}: adjusted where?",
    "Could I tune {} somehow?",
)
HELD_OUT = 2  # wordings of each fact that only held-out users ask
MOST_TRAINABLE = len(CLAUSE_PATTERNS) + len(NOUN_PATTERNS) - HELD_OUT


@dataclass(frozen=True, kw_only=True, slots=True)
class Wording:
    """One way to ask for one setting."""

    fact: Fact
    text: str
    held_out: bool


def word(facts: Sequence[Fact], *, trainable: int) -> tuple[Wording, ...]:
    """Return ``trainable`` wordings of each fact and HELD_OUT further ones, which differ from fact to fact.

    One held-out wording takes up each phrase of the subject. Every pattern is trainable for most facts, so that what a
    held-out wording tests is whether its fact was learned.
    """
    return tuple(
        wording for place, fact in enumerate(facts) for wording in _wordings(fact, place, trainable=trainable)
    )


def _wordings(fact: Fact, place: int, *, trainable: int) -> list[Wording]:
    clauses = _rotated([_asked(pattern, fact.subject.clause) for pattern in CLAUSE_PATTERNS], place)
    nouns = _rotated([_asked(pattern, fact.subject.noun) for pattern in NOUN_PATTERNS], place)
    turns = [text for pair in zip(clauses, nouns, strict=True) for text in pair]
    held_out, others = turns[:HELD_OUT], turns[HELD_OUT : HELD_OUT + trainable]
    return [
        *(Wording(fact=fact, text=text, held_out=False) for text in others),
        *(Wording(fact=fact, text=text, held_out=True) for text in held_out),
    ]


def _rotated(texts: list[str], by: int) -> list[str]:
    start = by % len(texts)
    return texts[start:] + texts[:start]


def _asked(pattern: str, phrase: str) -> str:
    text = pattern.format(phrase)
    return text[0].upper() + text[1:] if pattern.startswith("{") else text
