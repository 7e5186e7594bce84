"""Reads the feedback on each version's answers, including late feedback."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Engine, func, select

from daemon.ledger.database import reader
from daemon.ledger.tables import conversations


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionFeedback:
    """The feedback on one version."""

    conversations: int  # that have feedback
    mean: float | None  # from -1 (worst) to 1 (best)


class VersionFeedbackLedger:
    """Joins feedback to the version that answered."""

    def __init__(self, engine: Engine) -> None:
        self._reads = reader(engine)

    def of(self, version: str, live: Sequence[tuple[datetime, datetime | None]]) -> VersionFeedback:
        """Return the feedback on conversations that name a version, or name none and took place while it was live.

        ``live`` are the spans in which it was live: start (included) and end (excluded; None: it is live now).
        """
        answered: ColumnElement[bool] = conversations.c.version == version
        for since, until in live:
            unnamed = conversations.c.version.is_(None) & (conversations.c.at >= since)
            answered |= unnamed if until is None else unnamed & (conversations.c.at < until)
        rated = answered & conversations.c.feedback.is_not(None)
        query = select(func.count(), func.avg(conversations.c.feedback)).where(rated)
        with self._reads.begin() as connection:
            count, mean = connection.execute(query).one()
            return VersionFeedback(conversations=count, mean=mean)
