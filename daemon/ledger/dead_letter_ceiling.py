"""Decides when too many records are unusable for intake to continue."""

from collections.abc import Sequence

from daemon.config.settings import DeadLettersSection


def halt_reason(rejected: Sequence[bool], limits: DeadLettersSection) -> str | None:
    """Return why intake must halt; None if it may continue.

    ``rejected`` has an entry for each of the latest records, newest first: whether it became a dead letter.
    """
    in_a_row = next((count for count, dead in enumerate(rejected) if not dead), len(rejected))
    if in_a_row >= limits.max_run:
        return f"the last {in_a_row} records in a row can't be used (ceiling: {limits.max_run})"
    latest = rejected[: limits.among]
    dead = sum(latest)
    if dead >= limits.max_run and dead > limits.max_share * len(latest):
        return f"{dead} of the last {len(latest)} records can't be used (ceiling: {limits.max_share:.0%})"
    return None


def ceiling_ratio(rejected: Sequence[bool], limits: DeadLettersSection) -> float:
    """Return how near the latest records, newest first, are to the limits: at 1 and above, intake halts."""
    in_a_row = next((count for count, dead in enumerate(rejected) if not dead), len(rejected))
    latest = rejected[: limits.among]
    dead = sum(latest)
    among_latest = min(dead / limits.max_run, dead / (limits.max_share * len(latest))) if dead else 0.0
    return max(in_a_row / limits.max_run, among_latest)
