"""Lets liked answers be preferred to those that other users disliked after the same prompt."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from daemon.config.lesson_rules import learned_kinds, lesson_rules
from daemon.config.settings import Settings
from daemon.domain.lessons import LessonKind
from daemon.domain.records import StoredConversation
from daemon.ledger.conversations import ConversationLedger
from daemon.training.answer_pairs import AnswerPair, answer_pairs
from daemon.training.candidates import Candidates
from daemon.training.learned_lines import RefusedAnswers
from daemon.training.taught_rows import TaughtRow


def with_pairs(
    rows: Sequence[TaughtRow],
    candidates: Candidates,
    settings: Settings,
    *,
    ledger: ConversationLedger,
    refused: RefusedAnswers,
) -> list[TaughtRow]:
    """Return the chosen rows, those with a liked answer with what it is preferred to.

    Opinions on all candidates count, chosen or not. An answer that is avoided in a pair is not avoided once more.
    """
    if LessonKind.PREFERENCE not in learned_kinds(settings):
        return list(rows)
    rules = lesson_rules(settings)
    liked = [row.conversation for row in candidates.rows if rules.likes(row.conversation.feedback)]
    if not liked or not candidates.disliked:
        return list(rows)
    judged = ledger.with_histories([*liked, *candidates.disliked])
    chosen = {row.conversation.seq: row for row in rows}
    pairs = {
        pair.better.seq: pair
        for pair in answer_pairs(_once(judged), rules)
        if pair.better.seq in chosen and _may_be_learned(chosen[pair.better.seq], pair, refused)
    }
    worse = {pair.worse.seq for pair in pairs.values()}
    return [_paired(row, pairs.get(row.conversation.seq), worse) for row in rows]


def _once(conversations: Iterable[StoredConversation]) -> Iterable[StoredConversation]:
    return {one.seq: one for one in conversations}.values()


def _may_be_learned(row: TaughtRow, pair: AnswerPair, refused: RefusedAnswers) -> bool:
    """Return whether the answer is learned without the pair, too, and neither of both is held out."""
    last = row.lessons[-1]
    if last.index != pair.lesson.index or last.rejected is not None:
        return False
    return all(refused.reason(row.conversation, lesson) is None for lesson in (last, pair.lesson))


def _paired(row: TaughtRow, pair: AnswerPair | None, worse: set[int]) -> TaughtRow:
    if pair is not None:
        return replace(row, lessons=(*row.lessons[:-1], pair.lesson), worse=pair.worse)
    if row.conversation.seq in worse and row.lessons and row.lessons[-1].kind is LessonKind.DISLIKED:
        return replace(row, lessons=row.lessons[:-1])
    return row
