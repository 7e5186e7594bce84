"""Reads the evidence for each aspect from the numbers of the detector's verdict. Loads nothing heavy."""

from collections.abc import Mapping

from monitors.types import Aspect

#: Evidence, N : 1, below which a change in an aspect is not reported: chance reaches it about once in N conversations.
DOUBT = 100.0
EVIDENCE = "evidence_"  # prefix of these numbers' names, before the aspect


def evidence_of(numbers: Mapping[str, float]) -> dict[str, float]:
    """Return the evidence for a change by aspect; empty for the numbers of other monitors."""
    return {
        name.removeprefix(EVIDENCE): wealth for name, wealth in numbers.items() if name.startswith(EVIDENCE)
    }


def leading_aspect_of(numbers: Mapping[str, float]) -> Aspect | None:
    """Return the aspect with the most evidence; None for the numbers of other monitors."""
    return strongest_aspect(evidence_of(numbers))


def strongest_aspect(evidence: Mapping[str, float]) -> Aspect | None:
    """Return the aspect with the most evidence; None where there is none."""
    return Aspect(max(evidence, key=lambda name: evidence[name])) if evidence else None
