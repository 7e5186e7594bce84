"""Tells what is wrong with a conversation as data: whoever said it, a source has lost or doubled something."""

from collections.abc import Mapping

from monitors.types import Sample

#: A shorter reply may end without a full stop.
_LONG = 80  # characters


def defects_of(sample: Sample) -> Mapping[str, bool]:
    """Say of each defect whether the conversation has it."""
    told = [" ".join(turn.content.lower().split()) for turn in sample.turns]
    replies = [turn.content.strip() for turn in sample.turns if turn.role == "assistant"]
    return {
        "empty": sum(not text for text in told) > 0,
        "repeated": len({text for text in told if text}) < sum(bool(text) for text in told),
        "no reply": not replies or not replies[-1],
        "cut off": bool(replies) and replies[-1][-1:].isalnum() and len(replies[-1]) > _LONG,
    }
