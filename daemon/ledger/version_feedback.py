"""Reads the feedback on each version's answers, including late feedback."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Engine, func, select, union_all

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
        named = [conversations.c.version == version]
        unnamed = [conversations.c.version.is_(None) & _while_live(since, until) for since, until in live]
        rated = select(conversations.c.feedback).where(conversations.c.feedback.is_not(None))
        # One query for each, as they differ in what they look up in the index. None finds what another does.
        answers = union_all(*(rated.where(which) for which in (*named, *unnamed))).subquery()
        query = select(func.count(), func.avg(answers.c.feedback))
        with self._reads.begin() as connection:
            count, mean = connection.execute(query).one()
            return VersionFeedback(conversations=count, mean=mean)


def _while_live(since: datetime, until: datetime | None) -> ColumnElement[bool]:
    begun = conversations.c.at >= since
    return begun if until is None else begun & (conversations.c.at < until)
