"""Says when so many records can't be used that reading on would drain the topic into the dead letters."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadLetterCeiling:
    """How many of the latest records may be dead letters."""

    share: float = 0.5  # of the latest ``records``
    records: int = 1_000
    run: int = 100  # dead letters in a row; below it the share is not looked at either


def exceeded(outcomes: Sequence[bool], ceiling: DeadLetterCeiling) -> str | None:
    """Say why intake must stop, or None.

    ``outcomes`` are the latest records, the newest first; True is a dead letter.
    """
    run = next((count for count, dead in enumerate(outcomes) if not dead), len(outcomes))
    if run >= ceiling.run:
        return f"the last {run} records in a row can't be used (ceiling: {ceiling.run})"
    latest = outcomes[: ceiling.records]
    dead = sum(latest)
    if dead >= ceiling.run and dead > ceiling.share * len(latest):
        return f"{dead} of the last {len(latest)} records can't be used (ceiling: {ceiling.share:.0%})"
    return None
