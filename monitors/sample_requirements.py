"""The least evidence for a verdict, and how many conversations of one user count as evidence."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from monitors.types import Finding, Reference, Sample, Verdict, Window

#: Conversations of one user that count on the smaller side, in tests that permute users.
PER_USER = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleRequirements:
    """The least evidence for a verdict."""

    window: int = 30  # conversations
    reference: int = 100  # conversations
    groups: int = 15  # users on either side; a conversation without a user counts as one


def group_ranks(samples: Sequence[Sample]) -> list[int]:
    """Number each group's samples from 0, in the order of a digest of their ids.

    Ranks below k are at most k samples of each group, chosen as if at random, so that a busy user has no more weight than
    others. Samples of rank 0 are independent of each other.
    """
    by_digest = sorted(range(len(samples)), key=lambda i: (_digest(samples[i].id), i))
    seen: Counter[str] = Counter()
    ranks = [0] * len(samples)
    for i in by_digest:
        ranks[i] = seen[samples[i].group]
        seen[samples[i].group] += 1
    return ranks


def group_limits(reference: Sequence[Sample], window: Sequence[Sample], each: int) -> tuple[int, int]:
    """Return how many conversations of one user count in the reference, and in the window.

    The smaller side counts ``each``, the larger one more in proportion. With equal limits, a busy user would have more
    weight on the smaller side although nothing changed.
    """
    smaller = max(1, min(len(reference), len(window)))
    past, current = (max(each, round(each * len(side) / smaller)) for side in (reference, window))
    return past, current


def balanced(
    reference: Sequence[Sample], window: Sequence[Sample], each: int
) -> tuple[list[Sample], list[Sample]]:
    """Return both sides with at most as many conversations of one user as ``group_limits`` allows."""
    past, current = group_limits(reference, window, each)
    return limit_per_group(reference, past), limit_per_group(window, current)


def limit_per_group(samples: Sequence[Sample], each: int) -> list[Sample]:
    """Return at most ``each`` samples of every group."""
    return [sample for sample, rank in zip(samples, group_ranks(samples), strict=True) if rank < each]


def insufficient_evidence(
    monitor: str, window: Window, reference: Reference, minimum: SampleRequirements, *, threshold: float
) -> Verdict | None:
    """Return an INCONCLUSIVE verdict that says what is missing, or None where there is enough evidence."""
    missing = shortfall(window, reference, minimum)
    return None if missing is None else inconclusive(monitor, window, missing, threshold=threshold)


def shortfall(window: Window, reference: Reference, minimum: SampleRequirements) -> str | None:
    """Say what is missing for a verdict; None where there is enough evidence."""
    lacking = [
        f"{needed - count} more {what}"
        for needed, count, what in (
            (minimum.window, len(window.samples), "conversations in the window"),
            (minimum.reference, len(reference.samples), "conversations in the reference"),
            (minimum.groups, _groups(window.samples), "users in the window"),
            (minimum.groups, _groups(reference.samples), "users in the reference"),
        )
        if count < needed
    ]
    return f"too little evidence: needs {', '.join(lacking)}" if lacking else None


def inconclusive(monitor: str, window: Window, reason: str, *, threshold: float = 0.0) -> Verdict:
    """Return the INCONCLUSIVE verdict of a monitor, with the reason."""
    return Verdict(
        monitor=monitor,
        window_id=window.id,
        finding=Finding.INCONCLUSIVE,
        score=0.0,
        threshold=threshold,
        reason=reason,
    )


def _groups(samples: Sequence[Sample]) -> int:
    return len({sample.group for sample in samples})


def _digest(sample_id: str) -> bytes:
    return blake2b(sample_id.encode(), digest_size=8).digest()
