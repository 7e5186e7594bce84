"""The result of one check."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One check; ``remedy`` says how to repair what failed."""

    subject: str
    ok: bool
    found: str
    remedy: str = ""


def passed(subject: str, found: str) -> Check:
    """Return a check that passed."""
    return Check(subject=subject, ok=True, found=found)


def failed(subject: str, found: str, remedy: str) -> Check:
    """Return a check that failed."""
    return Check(subject=subject, ok=False, found=found, remedy=remedy)
