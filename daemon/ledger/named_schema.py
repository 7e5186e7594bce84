"""The schema of PostgreSQL that the URL of a ledger names, by the options of its driver: ?options=-csearch_path%3DNAME."""

import re

from sqlalchemy import URL, make_url

#: One name that needs no quotes.
_SEARCH_PATH = re.compile(r"(?:^|\s)-c\s*search_path=(\w+)(?:\s|$)")


def named_schema(url: str | URL) -> str | None:
    """Return the schema that holds the ledger; None where the URL names none, so that the server decides."""
    found = _SEARCH_PATH.search(libpq_options(make_url(url)))
    return found[1] if found else None


def libpq_options(url: URL) -> str:
    """Return what the URL has the server set for a connection; "" for nothing."""
    given = url.query.get("options", ())
    return given if isinstance(given, str) else " ".join(given)
