"""Stores the scores of versions on what held-out conversations teach."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Engine, delete, select

from daemon.ledger.database import in_intake_order, reader, write
from daemon.ledger.sql_in import in_values
from daemon.ledger.tables import conversations, lesson_scores


class LessonPart(StrEnum):
    """Which text of a held-out lesson was scored."""

    LESSON = "lesson"  # the conversation with its good answers alone as targets
    BETTER = "better"  # the answer that is preferred
    WORSE = "worse"  # the one that it is preferred over
    ELSEWHERE = "elsewhere"  # the last good answer after another lesson's prompt
    END = "end"  # of the good answers of LESSON, the tokens that end them


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoredPart:
    """A text of a held-out lesson. What it is may change with later feedback, and then its digest does."""

    seq: int
    part: LessonPart
    digest: str


class LessonScoreLedger:
    """Scores by version and text, as (nll, tokens): nats of all target tokens, and how many these are.

    Of each text of a conversation, the newest score of a version is kept.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reads = reader(engine)

    def of(self, version: str, parts: Iterable[ScoredPart]) -> dict[ScoredPart, tuple[float, int]]:
        """Return a version's stored scores on these texts, as they are now."""
        wanted = {(part.seq, part.part.value): part for part in parts}
        column = lesson_scores.c
        columns = (column.seq, column.part, column.digest, column.nll, column.tokens)
        with self._reads.begin() as connection:
            requested = in_values(connection, column.seq, {seq for seq, _ in wanted})
            rows = connection.execute(select(*columns).where((column.version == version) & requested)).all()
        return {
            part: (nll, tokens)
            for seq, name, digest, nll, tokens in rows
            if (part := wanted.get((seq, name))) is not None and part.digest == digest
        }

    def add(self, version: str, new_scores: Mapping[ScoredPart, tuple[float, int]]) -> None:
        """Store a version's scores in place of earlier ones on the same texts.

        Scores on conversations that were deleted meanwhile are dropped.
        """
        if not new_scores:
            return
        with write(self._engine, "lesson_scores") as connection:
            in_intake_order(connection)  # so that nothing is erased meanwhile
            present = _present(connection, {part.seq for part in new_scores})
            rows: list[dict[str, Any]] = [
                {
                    "version": version,
                    "seq": part.seq,
                    "part": part.part.value,
                    "digest": part.digest,
                    "nll": nll,
                    "tokens": tokens,
                }
                for part, (nll, tokens) in new_scores.items()
                if part.seq in present
            ]
            for name in LessonPart:
                seqs = [row["seq"] for row in rows if row["part"] == name]
                same = (lesson_scores.c.version == version) & (lesson_scores.c.part == name.value)
                connection.execute(
                    delete(lesson_scores).where(same & in_values(connection, lesson_scores.c.seq, seqs))
                )
            if rows:
                connection.execute(lesson_scores.insert(), rows)


def _present(connection: Connection, seqs: Iterable[int]) -> frozenset[int]:
    """Return those of the seqs that are in the ledger."""
    requested = in_values(connection, conversations.c.seq, seqs)
    return frozenset(connection.scalars(select(conversations.c.seq).where(requested)))
