"""Reads the facts that a ledger is bound to."""

from collections.abc import Mapping

from sqlalchemy import Engine, select

from daemon.ledger.database import reader
from daemon.ledger.tables import conversations, identity

#: Names of facts in the table identity: the ledger's own id, made once; the fingerprint of the holdout key.
LEDGER_ID, HOLDOUT = "ledger", "holdout"


def bound_facts(engine: Engine) -> Mapping[str, str]:
    """Return all facts by name."""
    with reader(engine).begin() as connection:
        return dict(connection.execute(select(identity.c.name, identity.c.value)).all())


def is_empty(engine: Engine) -> bool:
    """Return whether the ledger has no conversation yet."""
    with reader(engine).begin() as connection:
        return connection.scalar(select(conversations.c.seq).limit(1)) is None
