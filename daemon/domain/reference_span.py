"""How much of the cycle of a stream its reference has lived through, and in which steps it is widened. Pure."""

from datetime import timedelta

from daemon.domain.windows import StoredReference

_DAY = timedelta(days=1)
#: The first span that is worth a wider reference; from then on each that is twice the last.
_FIRST = _DAY / 8


def next_span(spanned: timedelta, cycle: timedelta) -> timedelta:
    """Return the span from which on a wider reference takes a narrower one's place: each step costs a new start."""
    return min(cycle, max(_FIRST, 2 * spanned))


def span_words(reference: StoredReference, days: float) -> str | None:
    """Say what a reference does not know yet; None where it knows the cycle, or none is expected."""
    if reference.range is None or reference.spanned >= timedelta(days=days):
        return None
    spanned = reference.spanned / _DAY
    return f"the reference spans {spanned:.1f} of {days:g} days, so it can't tell {_unknown(spanned)} from a change"


def reference_title(reference: StoredReference) -> str:
    """Return what people call a reference: its number, version and dates."""
    named = f"reference {reference.id}, of version {reference.version}"
    if reference.since is None or reference.until is None:
        return named
    first, last = (f"{at.day} {at:%B %Y}" for at in (reference.since, reference.until))
    return f"{named}, {first}" if first == last else f"{named}, {first} to {last}"


def _unknown(spanned: float) -> str:
    return "another time of the day" if spanned < 1 else "a weekend"
