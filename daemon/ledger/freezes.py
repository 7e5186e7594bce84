"""Keeps who froze the reference, and why. While a freeze is open nobody but an operator changes the reference."""

from datetime import datetime

from sqlalchemy import Engine, insert, update

from daemon.domain.errors import DaemonError
from daemon.domain.windows import Freeze
from daemon.ledger.database import in_intake_order, write
from daemon.ledger.reference_rows import newest_reference, open_freeze
from daemon.ledger.tables import freezes


class NothingToFreeze(DaemonError):
    """There is no reference yet, or it has not enough conversations."""


class NotFrozen(DaemonError):
    """The reference is not frozen."""


class FreezeLedger:
    """At most one freeze is open. It holds for whatever reference is the newest, and for every replica."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def freeze(self, *, by: str, why: str, now: datetime) -> Freeze:
        """Freeze the reference; where it is frozen already, return that freeze instead. Raises NothingToFreeze."""
        with write(self._engine, "reference.freeze") as connection:
            in_intake_order(connection)
            reference = newest_reference(connection)
            if reference is None or reference.range is None:
                raise NothingToFreeze(
                    "there is no full reference yet, so there is nothing to freeze; `retuned reference show` tells how many "
                    "conversations it waits for"
                )
            if (frozen := open_freeze(connection)) is not None:
                return frozen
            connection.execute(insert(freezes).values(at=now, by=by, why=why))
            return Freeze(at=now, by=by, why=why)

    def unfreeze(self, *, by: str, now: datetime) -> Freeze:
        """Let the reference go on: it follows the live version, and is widened and renewed again. Raises NotFrozen."""
        with write(self._engine, "reference.unfreeze") as connection:
            in_intake_order(connection)
            frozen = open_freeze(connection)
            if frozen is None:
                raise NotFrozen("the reference is not frozen; see `retuned reference show`")
            ended = freezes.c.ended_at.is_(None)
            connection.execute(update(freezes).where(ended).values(ended_at=now, ended_by=by))
        return frozen
