"""Makes the lines of a training file from what its conversations teach."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from daemon.config.lesson_rules import weight_of
from daemon.config.sections.lessons import LessonWeightsSection
from daemon.domain.conversation import Message
from daemon.domain.left_out import DISLIKED
from daemon.domain.lessons import Lesson, LessonKind
from daemon.domain.records import StoredConversation
from daemon.domain.turns import turns_of
from daemon.training.answer_lines import AnswerLine, answer_line, imitates_as_given
from daemon.training.lines import Line, lines_that_imitate
from daemon.training.taught_rows import TaughtRow

AnyLine: TypeAlias = Line | AnswerLine
REPLAY = "replay"
#: Why a conversation is left out of whose answers all are refused.
HELD_OUT_ANSWERS = "with answers as in a held-out one only"
#: Kinds of the model's own answers: one that more users disliked than liked is not imitated wherever it is.
_OWN = frozenset({LessonKind.LIKED, LessonKind.UNJUDGED})


@dataclass(frozen=True, kw_only=True, slots=True)
class RefusedAnswers:
    """Digests of answers, with what they answer, that are not learned wherever they are."""

    held_out: frozenset[int] = frozenset()
    disliked: frozenset[int] = frozenset()  # by more users than liked them; only the model's own are refused

    def reason(self, conversation: StoredConversation, lesson: Lesson) -> str | None:
        """Return why an answer of a lesson must not be learned; None where it may."""
        answers = [conversation.messages[lesson.index], lesson.imitate, lesson.rejected]
        digests = {
            digest
            for answer in answers
            if answer is not None
            for digest in exchanges_at(conversation, lesson.index, answer)
        }
        if not self.held_out.isdisjoint(digests):
            return HELD_OUT_ANSWERS
        return DISLIKED if lesson.kind in _OWN and not self.disliked.isdisjoint(digests) else None


def lines_of(
    rows: Iterable[TaughtRow],
    *,
    origin: str,
    refused: RefusedAnswers,
    weights: LessonWeightsSection,
) -> list[AnyLine]:
    """Return the lines that learn from conversations of one origin, which come with their histories, in order of seq."""
    conversations: dict[int, StoredConversation] = {}
    imitated: dict[str, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    lines: list[AnyLine] = []
    for row in rows:
        conversation = row.conversation
        conversations[conversation.seq] = conversation
        for lesson in row.lessons:
            if refused.reason(conversation, lesson) is not None:
                continue
            if imitates_as_given(conversation, lesson):
                kind = REPLAY if origin == REPLAY else str(lesson.kind)
                imitated[kind][conversation.seq].add(lesson.index)
            else:
                weight = weight_of(REPLAY if origin == REPLAY else lesson.kind, weights)
                line = answer_line(row, lesson, origin=origin, weight=weight)
                lines += [] if line is None else [line]
    for kind, targets in imitated.items():
        weight = weight_of(kind, weights)
        lines += lines_that_imitate(conversations, targets, origin=origin, kind=kind, weight=weight)
    return sorted(lines, key=_place)


def exchanges_at(conversation: StoredConversation, index: int, answer: Message) -> set[int]:
    """Return the digests of an answer, in the place of the one at ``index``, with what it answers.

    With and without the history: a record that begins with an answer had its digest made without.
    """
    own = conversation.messages[:index]
    history = [past.message for past in conversation.history]
    return {
        turn.exchange
        for before in ([*history, *own], own)
        for turn in turns_of([*_since_answer(before), answer])
        if turn.exchange is not None
    }


def _since_answer(messages: Sequence[Message]) -> Sequence[Message]:
    """Return the messages after the last answer."""
    for place in range(len(messages), 0, -1):
        if messages[place - 1].role == "assistant":
            return messages[place:]
    return messages


def _place(line: AnyLine) -> tuple[int, int, str]:
    return line.seq, -1 if isinstance(line, Line) else line.index, str(line.kind)
