"""How much of the stream's cycle a reference spans, and when a wider one replaces it."""

from datetime import timedelta

from daemon.domain.windows import StoredReference

_DAY = timedelta(days=1)
#: The first span at which a reference is widened; then at each doubling.
_FIRST_SPAN = _DAY / 8


def next_span(spanned: timedelta, cycle: timedelta) -> timedelta:
    """Return the span at which a wider reference replaces this one. Steps are few, as each restarts the detector."""
    return min(cycle, max(_FIRST_SPAN, 2 * spanned))


def span_words(reference: StoredReference, days: float) -> str | None:
    """Describe what a reference does not cover yet; None if it spans the cycle, or no cycle is expected."""
    if reference.range is None or reference.spanned >= timedelta(days=days):
        return None
    spanned = reference.spanned / _DAY
    return f"the reference spans {spanned:.1f} of {days:g} days, so it can't tell {_not_covered(spanned)} from a change"


def reference_title(reference: StoredReference) -> str:
    """Return a reference's display name: its number, version and dates."""
    title = f"reference {reference.id}, of version {reference.version}"
    if reference.since is None or reference.until is None:
        return title
    first, last = (f"{at.day} {at:%B %Y}" for at in (reference.since, reference.until))
    return f"{title}, {first}" if first == last else f"{title}, {first} to {last}"


def _not_covered(spanned: float) -> str:
    return "another time of the day" if spanned < 1 else "a weekend"
