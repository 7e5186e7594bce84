"""Why conversations are left out of what a version learns from."""

from collections.abc import Mapping
from enum import StrEnum

from daemon.domain.lessons import LessonKind


class LeftOut(StrEnum):
    """A kind of reason, few enough for a metric's label."""

    HELD_OUT = "held_out"
    NEARLY_HELD_OUT = "nearly_held_out"
    COPY = "copy"
    NEAR_COPY = "near_copy"
    USER_SHARE = "user_share"
    SOURCE_SHARE = "source_share"
    OWN_SHARE = "own_share"
    UNJUDGED = "unjudged"
    DISLIKED = "disliked"
    LIKED_SHARE = "liked_share"
    NO_WEIGHT = "no_weight"
    HISTORY_GONE = "history_gone"
    NO_ANSWER = "no_answer"
    TEMPLATE_REFUSES = "template_refuses"
    TEMPLATE_REWRITES = "template_rewrites"
    TOO_LONG = "too_long"
    CUT_OFF = "cut_off"
    NO_TARGET = "no_target"
    OTHER = "other"


#: Reasons that lessons give: what is left out for these is not meant to be learned.
UNJUDGED = "own answers that nobody judged"
DISLIKED = "disliked"
LIKED_BEYOND = "liked, beyond lessons.liked_share"
NO_WEIGHT = "lessons without weight"
NOT_MEANT = frozenset({UNJUDGED, DISLIKED, LIKED_BEYOND, NO_WEIGHT})
#: Why lessons wait for others, which their learning method needs.
NO_PAIR = "without a pair of answers, from which method dpo learns"
ONE_SIDED = "all to imitate or all to avoid, where method kto learns from both"
#: Before the encoder's reason, where it is about the worse answer of a pair.
_WORSE = "worse answer of a pair: "

#: The reasons of curation and of the encoder, as they stand in the ledger.
_KINDS: Mapping[str, LeftOut] = {
    "same words as a held-out one": LeftOut.HELD_OUT,
    "nearly the words of a held-out one": LeftOut.NEARLY_HELD_OUT,
    "same words as another": LeftOut.COPY,
    "nearly the words of another": LeftOut.NEAR_COPY,
    "one user's share": LeftOut.USER_SHARE,
    "one source's share": LeftOut.SOURCE_SHARE,
    "answered by the tuned version": LeftOut.OWN_SHARE,
    "with answers as in a held-out one only": LeftOut.HELD_OUT,
    UNJUDGED: LeftOut.UNJUDGED,
    DISLIKED: LeftOut.DISLIKED,
    LIKED_BEYOND: LeftOut.LIKED_SHARE,
    NO_WEIGHT: LeftOut.NO_WEIGHT,
    "continue turns that are no longer stored": LeftOut.HISTORY_GONE,
    "no assistant turn": LeftOut.NO_ANSWER,
    "no answer that may be learned": LeftOut.NO_ANSWER,
    "refused by the chat template": LeftOut.TEMPLATE_REFUSES,
    "rewritten by the chat template": LeftOut.TEMPLATE_REWRITES,
    "longer than max_tokens": LeftOut.TOO_LONG,
    "ended before it said anything": LeftOut.CUT_OFF,
    "too many rows for one conversation": LeftOut.TOO_LONG,
    "no target": LeftOut.NO_TARGET,
    "nothing but placeholders": LeftOut.NO_TARGET,
    "the chat template has no tool calls": LeftOut.TEMPLATE_REFUSES,
    "an answer to avoid, which the method does not learn from": LeftOut.DISLIKED,
    "the worse answer is the better one": LeftOut.COPY,
}


def why_not_learned(kind: LessonKind) -> str:
    """Return why lessons of a kind are left out where a training does not learn from it."""
    return {LessonKind.UNJUDGED: UNJUDGED, LessonKind.DISLIKED: DISLIKED}.get(kind, NO_WEIGHT)


def count_kinds(left_out: Mapping[str, int]) -> dict[LeftOut, int]:
    """Return how many were left out for each kind of reason; 0 for kinds that did not occur."""
    counts = dict.fromkeys(LeftOut, 0)
    for reason, count in left_out.items():
        counts[_KINDS.get(reason.removeprefix(_WORSE), LeftOut.OTHER)] += count
    return counts


def share_left_out(left_out: Mapping[str, int], *, taken: int) -> float:
    """Return the share of what is meant to be learned that was left out."""
    count = sum(number for reason, number in left_out.items() if reason not in NOT_MEANT)
    return count / (count + taken) if count + taken else 0.0


def left_out_words(left_out: Mapping[str, int]) -> str:
    """Return the counts and reasons, the most frequent first."""
    ordered = sorted(left_out.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {reason}" for reason, count in ordered)
