"""Reads the progress of a training from the log of its pod. Pure."""

from collections.abc import Iterable

from learners.codec import event_from_json
from learners.types import Progress


def newest_progress(lines: Iterable[str]) -> Progress | None:
    """Return the newest progress in the last lines of a log; None where they tell of none.

    Libraries write to the log, too, and its first line may be the end of one.
    """
    for line in reversed(list(lines)):
        try:
            event = event_from_json(line)
        except ValueError:
            continue
        if isinstance(event, Progress):
            return event
    return None
