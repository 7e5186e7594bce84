"""Reads from the numbers of the sequential detector's verdict how sure it is of each aspect. Loads nothing heavy."""

from collections.abc import Mapping

from monitors.types import Aspect

#: Evidence, N : 1, that chance alone often makes: by chance one is as sure once in so many conversations.
DOUBT = 100.0
EVIDENCE = "evidence_"  # what the names of these numbers begin with; the aspect's follows


def evidence_of(numbers: Mapping[str, float]) -> dict[str, float]:
    """Return how much speaks for a change, aspect by aspect; nothing where another monitor's numbers are read."""
    return {
        name.removeprefix(EVIDENCE): wealth for name, wealth in numbers.items() if name.startswith(EVIDENCE)
    }


def leading_of(numbers: Mapping[str, float]) -> Aspect | None:
    """Return what the detector was surest of."""
    return surest(evidence_of(numbers))


def surest(evidence: Mapping[str, float]) -> Aspect | None:
    """Return the aspect with the most evidence; None where there is none."""
    return Aspect(max(evidence, key=lambda name: evidence[name])) if evidence else None
