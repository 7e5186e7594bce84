"""Marks answers that ended before they were complete."""

from collections.abc import Sequence
from dataclasses import replace

from daemon.domain.conversation import JSON, Message
from daemon.intake.formats.dialects.turns import is_cut_off


def cut_off(turns: Sequence[Message], finish_reason: JSON) -> tuple[Message, ...]:
    """Return an answer's turns, the last marked if the model stopped for this reason before the end."""
    if not turns or not is_cut_off(finish_reason):
        return tuple(turns)
    return (*turns[:-1], replace(turns[-1], cut_off=True))
