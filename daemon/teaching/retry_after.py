"""Reads the header Retry-After."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

#: However long an endpoint asks to wait, it is tried again after this.
MOST_S = 3_600.0
_SECONDS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,6})?")


def retry_after_s(header: str | None, now: datetime) -> float | None:
    """Return the seconds that a header asks to wait, in seconds or as a date (RFC 9110, 10.2.3); None: it asks nothing."""
    if header is None:
        return None
    text = header.strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), MOST_S)
    try:
        at = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return min(max((at - now).total_seconds(), 0.0), MOST_S)
