"""Scores both versions on held-out lessons."""

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from daemon.ledger.lesson_scores import LessonPart, LessonScoreLedger, ScoredPart
from daemon.release.held_out_lessons import HeldOutLesson
from daemon.scoring.protocol import VersionScorer
from learners.types import Conversation, Score
from registry.names import VersionName
from registry.types import Version


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionScores:
    """One version's scores, as (nll, tokens): nats of all target tokens, and how many these are."""

    of_lessons: Mapping[ScoredPart, tuple[float, int]]
    of_replies: Mapping[str, tuple[float, int]]  # to prompts of our own, by the conversation's id


@dataclass(slots=True)
class _Pending:
    """What a version is being scored on."""

    version: Version
    known: dict[ScoredPart, tuple[float, int]]
    lessons: Future[list[Score]]
    replies: Future[list[Score]] | None = field(default=None)

    @property
    def done(self) -> bool:
        return self.lessons.done() and (self.replies is None or self.replies.done())


def end_of(part: ScoredPart) -> ScoredPart:
    """Return the part with the ends of a lesson's good answers; of another part, itself."""
    return replace(part, part=LessonPart.END) if part.part is LessonPart.LESSON else part


class LessonScoring:
    """Scores two versions on the same lessons. What the ledger has is not scored again."""

    def __init__(
        self,
        versions: Sequence[Version],
        lessons: Sequence[HeldOutLesson],
        *,
        replies: Sequence[Conversation],
        scores: LessonScoreLedger,
        scorer: VersionScorer,
    ) -> None:
        """``replies`` to prompts of our own are scored anew at each look."""
        self._versions = versions
        self._conversations = {part: text for one in lessons for part, text in one.conversations.items()}
        self._parts = {text.id: part for part, text in self._conversations.items()}
        self._replies = replies
        self._score_ledger = scores
        self._scorer = scorer
        self._pending: list[_Pending] = []

    def start(self) -> None:
        """Ask the scorer for the scores that the ledger does not have."""
        self._pending = [self._ask(version) for version in self._versions]

    def done(self) -> bool:
        """Return whether all scores have arrived, or scoring has failed."""
        return all(pending.done for pending in self._pending)

    def finish(self) -> dict[VersionName, VersionScores]:
        """Keep the scores and return them, by version. Raises LearnerError where scoring failed."""
        return {pending.version.name: self._scores(pending) for pending in self._pending}

    def _ask(self, version: Version) -> _Pending:
        wanted = [*self._conversations, *map(end_of, self._conversations)]
        known = self._score_ledger.of(str(version.name), wanted)
        missing = [
            text for part, text in self._conversations.items() if not {part, end_of(part)} <= known.keys()
        ]
        replies = self._scorer.score_conversations(version, self._replies) if self._replies else None
        lessons = self._scorer.score_conversations(version, missing)
        return _Pending(version=version, known=known, lessons=lessons, replies=replies)

    def _scores(self, pending: _Pending) -> VersionScores:
        found: dict[ScoredPart, tuple[float, int]] = {}
        for score in pending.lessons.result():
            part = self._parts[score.id]
            found[part] = (score.nll, score.tokens)
            if part.part is LessonPart.LESSON:
                found[end_of(part)] = (score.end_nll, score.ends)
        finite = {part: score for part, score in found.items() if math.isfinite(score[0])}
        self._score_ledger.add(str(pending.version.name), finite)
        replies = pending.replies.result() if pending.replies is not None else []
        return VersionScores(
            of_lessons=pending.known | found,
            of_replies={score.id: (score.nll, score.tokens) for score in replies},
        )
