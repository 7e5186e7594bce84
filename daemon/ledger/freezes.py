"""Stores freezes of the reference. While the reference is frozen, only an operator changes it."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Engine, insert, update

from daemon.domain.errors import DaemonError
from daemon.domain.windows import Freeze
from daemon.ledger.database import in_intake_order, write
from daemon.ledger.reference_rows import newest_reference, open_freeze
from daemon.ledger.tables import freezes


class NothingToFreeze(DaemonError):
    """There is no reference yet, or it does not have enough conversations yet."""


class NotFrozen(DaemonError):
    """The reference is not frozen."""


class FreezeLedger:
    """Freezes, of which at most one is open. It applies to the newest reference, and to every replica."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def freeze(self, *, by: str, why: str, now: datetime) -> Freeze:
        """Freeze the reference and return the freeze; if it is frozen already, return the open freeze.

        Raises NothingToFreeze.
        """
        with write(self._engine, "reference.freeze") as connection:
            in_intake_order(connection)
            reference = newest_reference(connection)
            if reference is None or reference.range is None:
                raise NothingToFreeze(
                    "there is no full reference yet, so there is nothing to freeze; `retuned reference show` shows how many "
                    "conversations it has"
                )
            if (frozen := open_freeze(connection)) is not None:
                return frozen
            connection.execute(insert(freezes).values(at=now, by=by, why=why))
            return Freeze(at=now, by=by, why=why)

    def unfreeze(self, *, by: str, now: datetime, why: str = "") -> Freeze:
        """End the freeze and return it. The daemon may change the reference again. Raises NotFrozen."""
        with write(self._engine, "reference.unfreeze") as connection:
            in_intake_order(connection)
            frozen = open_freeze(connection)
            if frozen is None:
                raise NotFrozen("the reference is not frozen; see `retuned reference show`")
            is_open = freezes.c.ended_at.is_(None)
            connection.execute(
                update(freezes).where(is_open).values(ended_at=now, ended_by=by, ended_why=why)
            )
        return replace(frozen, ended_at=now, ended_by=by, ended_why=why)
