"""What an examination found."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One thing that was looked at. ``remedy`` says how to mend it where it isn't well."""

    subject: str
    ok: bool
    found: str
    remedy: str = ""


def passed(subject: str, found: str) -> Check:
    """Return a check that found nothing wrong."""
    return Check(subject=subject, ok=True, found=found)


def failed(subject: str, found: str, remedy: str) -> Check:
    """Return a check that found something to mend."""
    return Check(subject=subject, ok=False, found=found, remedy=remedy)
