"""Which samples count as evidence, and how many are missing for a verdict."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from monitors.types import Finding, Reference, Sample, Verdict, Window

#: Conversations of one user that count on the smaller side, where several do. Measured on chit-chat, where one user in
#: a thousand holds one conversation in six: of windows with 30% new questions, .75 are found without such a limit, all
#: with 3.
PER_USER = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleRequirements:
    """The least evidence on which a monitor judges."""

    window: int = 30  # conversations
    reference: int = 100  # conversations
    groups: int = 15  # on either side: users, or conversations where nobody knows the user


def ranks(samples: Sequence[Sample]) -> list[int]:
    """Number each group's samples from 0, in an order that a digest of their ids fixes.

    Taking the ranks below k takes at most k samples of every group, picked as if at random, so one
    busy user weighs no more than others. Rank 0 alone gives rows that don't depend on each other.
    """
    by_digest = sorted(range(len(samples)), key=lambda i: (_digest(samples[i].id), i))
    seen: Counter[str] = Counter()
    found = [0] * len(samples)
    for i in by_digest:
        found[i] = seen[samples[i].group]
        seen[samples[i].group] += 1
    return found


def caps(reference: Sequence[Sample], window: Sequence[Sample], each: int) -> tuple[int, int]:
    """Return how many conversations of one user count, of the reference and of the window.

    ``each`` of the smaller side, in proportion of the larger: were it as many, who talks all day would weigh more on the
    smaller one, though nothing changed.
    """
    smaller = max(1, min(len(reference), len(window)))
    past, current = (max(each, round(each * len(side) / smaller)) for side in (reference, window))
    return past, current


def alike(
    reference: Sequence[Sample], window: Sequence[Sample], each: int
) -> tuple[list[Sample], list[Sample]]:
    """Return both sides with as many conversations of one user as ``caps`` says."""
    past, current = caps(reference, window, each)
    return at_most(reference, past), at_most(window, current)


def at_most(samples: Sequence[Sample], each: int) -> list[Sample]:
    """Return at most so many samples of every group."""
    return [sample for sample, rank in zip(samples, ranks(samples), strict=True) if rank < each]


def too_little(
    monitor: str, window: Window, reference: Reference, minimum: SampleRequirements, *, threshold: float
) -> Verdict | None:
    """Return INCONCLUSIVE with what is missing, or None where there is enough to judge."""
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
    if not lacking:
        return None
    return inconclusive(
        monitor, window, f"too little evidence: needs {', '.join(lacking)}", threshold=threshold
    )


def inconclusive(monitor: str, window: Window, reason: str, *, threshold: float = 0.0) -> Verdict:
    """Return the verdict of a monitor that can't tell, and why."""
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
