"""Finds defects of a conversation as data, such as turns that the source lost, repeated or cut off."""

import re
from collections.abc import Mapping

from monitors.texts import has_full_stops
from monitors.types import Sample

#: Characters from which on a reply should end with a full stop.
_LONG = 80
#: Lists and addresses end without a full stop.
_LIST_ITEM = re.compile(r"\s*(?:[-*+•·–]\s|\d+[.)、])")
_ADDRESS = ("://", "@", "www.")


def defects_of(sample: Sample) -> Mapping[str, bool]:
    """Return, for each kind of defect, whether the conversation has it."""
    texts = [" ".join(turn.content.lower().split()) for turn in sample.turns]
    replies = [turn.content.strip() for turn in sample.turns if turn.role == "assistant"]
    return {
        "empty": not all(texts),
        "repeated": len({text for text in texts if text}) < sum(bool(text) for text in texts),
        "no reply": not replies or not replies[-1],
        "cut off": bool(replies) and _is_cut_off(replies[-1]),
    }


def _is_cut_off(reply: str) -> bool:
    """Whether a long reply ends without a full stop, in a script that has full stops."""
    if len(reply) <= _LONG or not reply[-1].isalnum() or not has_full_stops(reply[-1]):
        return False
    line = reply.rpartition("\n")[2]
    last = line.split()[-1]
    return not (_LIST_ITEM.match(line) or any(sign in last for sign in _ADDRESS))
