"""The identity of a ledger: made once, and the same as long as it is the same ledger."""

import uuid

from sqlalchemy import Engine, select

from daemon.domain.errors import LedgerLost
from daemon.ledger.bound_facts import LEDGER_ID
from daemon.ledger.database import insert_or_ignore, reader
from daemon.ledger.tables import identity


class LedgerId:
    """Notices that another ledger has taken the place of the one that was opened.

    A server may come back with another database, and a file may be overwritten in place.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._opened: str | None = None

    def note_opened(self) -> None:
        """Read the ledger's identity; make it where the ledger has none."""
        self._opened = self._read()
        if self._opened is None:
            with self._engine.begin() as connection:
                made = {"name": LEDGER_ID, "value": uuid.uuid4().hex}
                connection.execute(insert_or_ignore(connection, identity).values(made))
            self._opened = self._read()

    def check(self) -> None:
        """Raise LedgerLost if this is another ledger now, LedgerUnavailable if it can't be read for now."""
        if self._read() != self._opened:
            raise LedgerLost(
                "another ledger has taken the place of the one that was open; nothing more is written; "
                "check ledger_url, or restore the ledger, and start again"
            )

    def _read(self) -> str | None:
        with reader(self._engine).begin() as connection:
            return connection.scalar(select(identity.c.value).where(identity.c.name == LEDGER_ID))
