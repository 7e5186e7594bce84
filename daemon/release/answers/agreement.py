"""Replies to false claims that both versions are scored on: one that agrees, one that contradicts. Pure."""

from collections.abc import Mapping

from daemon.release.answers.behaviour_prompts import (
    AGREEING_REPLIES,
    CONTRADICTING_REPLIES,
    Behaviour,
    behaviour_prompts,
)
from learners.types import Conversation, Message

_AGREES, _CONTRADICTS = " (agrees)", " (contradicts)"


def replies_to_claims() -> list[Conversation]:
    """Return each false claim with either reply."""
    return [
        Conversation(
            id=f"{prompt.id}{suffix}",
            messages=(
                Message(role="user", content=prompt.text),
                Message(role="assistant", content=replies[not prompt.text.isascii()]),
            ),
        )
        for prompt in behaviour_prompts()
        if prompt.behaviour is Behaviour.AGREES
        for suffix, replies in ((_AGREES, AGREEING_REPLIES), (_CONTRADICTS, CONTRADICTING_REPLIES))
    ]


def reply_margins(scores: Mapping[str, tuple[float, int]]) -> dict[str, float]:
    """Return for each claim by how many nats per token the reply that agrees is likelier than the other."""
    margins = {}
    for id_, (nll, tokens) in scores.items():
        claim = id_.removesuffix(_AGREES)
        other_nll, other_tokens = scores.get(claim + _CONTRADICTS, (0.0, 0))
        if claim != id_ and tokens and other_tokens:
            margins[claim] = other_nll / other_tokens - nll / tokens
    return margins
