"""Tells what is wrong with a conversation as data: whoever said it, a source has lost or doubled something."""

import re
from collections.abc import Mapping

from monitors.texts import puts_stops
from monitors.types import Sample

#: A shorter reply may end without a full stop.
_LONG = 80  # characters
#: Lists and addresses end without one.
_LIST_ITEM = re.compile(r"\s*(?:[-*+•·–]\s|\d+[.)、])")
_ADDRESS = ("://", "@", "www.")


def defects_of(sample: Sample) -> Mapping[str, bool]:
    """Say of each defect whether the conversation has it."""
    told = [" ".join(turn.content.lower().split()) for turn in sample.turns]
    replies = [turn.content.strip() for turn in sample.turns if turn.role == "assistant"]
    return {
        "empty": sum(not text for text in told) > 0,
        "repeated": len({text for text in told if text}) < sum(bool(text) for text in told),
        "no reply": not replies or not replies[-1],
        "cut off": bool(replies) and _is_cut_off(replies[-1]),
    }


def _is_cut_off(reply: str) -> bool:
    """Whether a long reply ends in the middle: without a stop, where its script has stops."""
    if len(reply) <= _LONG or not reply[-1].isalnum() or not puts_stops(reply[-1]):
        return False
    line = reply.rpartition("\n")[2]
    last = line.split()[-1]
    return not (_LIST_ITEM.match(line) or any(sign in last for sign in _ADDRESS))
