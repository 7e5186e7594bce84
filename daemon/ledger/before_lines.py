"""Where the ledger of a model line was before the settings named several lines."""

from sqlalchemy import URL

from daemon.config.lines import LINES, schema_of
from daemon.ledger.database import sqlite_file
from daemon.ledger.named_schema import named_schema


def url_before_lines(url: URL, name: str) -> URL | None:
    """Return where the ledger at ``url`` was when its line was the only one of its file; None if it still is that."""
    file = sqlite_file(url)
    if file is not None:
        folder = file.parent
        is_apart = folder.parts[-2:] == (LINES, name)
        return url.set(database=str(folder.parent.parent / file.name)) if is_apart else None
    return url.difference_update_query(["options"]) if named_schema(url) == schema_of(name) else None
