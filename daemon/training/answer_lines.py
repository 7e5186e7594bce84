"""Lines of a training file that are about one answer: another one is imitated in its place, preferred to it, or it is avoided."""

from dataclasses import dataclass, replace

from daemon.domain.conversation import Message
from daemon.domain.lessons import Lesson, Teaching
from daemon.domain.records import StoredConversation
from daemon.training.lines import path_of, training_line, unlearned
from daemon.training.taught_rows import TaughtRow


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerLine:
    """One line of a training file: what came before an answer, and what is learned about it."""

    origin: str
    conversation: StoredConversation
    index: int  # of the answer among the conversation's own messages
    kind: str  # of the lesson
    teaching: Teaching
    answer: Message  # to imitate, to prefer or to avoid
    rejected: Message | None = None  # that ``answer`` is preferred to
    worse: StoredConversation | None = None  # that brought ``rejected``; None: ``conversation`` did
    weight: float = 1.0

    @property
    def seq(self) -> int:
        """The seq of the conversation."""
        return self.conversation.seq

    @property
    def last(self) -> StoredConversation:
        """The conversation."""
        return self.conversation

    def encoded(self) -> bytes:
        """Return the line's bytes."""
        row = self.conversation
        before = path_of(row)[: len(row.history) + self.index]
        return training_line(
            row.conversation_id,
            [*(unlearned(past.message) for past in before), replace(self.answer, learned=True)],
            self.origin,
            tools=row.tools,
            documents=row.documents,
            lesson=self.teaching,
            rejected=self.rejected,
            weight=self.weight,
        )


def answer_line(row: TaughtRow, lesson: Lesson, *, origin: str, weight: float) -> AnswerLine | None:
    """Return the line of a lesson; None where it teaches nothing, or the answer itself is imitated."""
    conversation = row.conversation
    answer = lesson.imitate or lesson.rejected
    if answer is None or lesson.teaching is None or imitates_as_given(conversation, lesson):
        return None
    return AnswerLine(
        origin=origin,
        conversation=conversation,
        index=lesson.index,
        kind=lesson.kind,
        teaching=lesson.teaching,
        answer=answer,
        rejected=None if lesson.imitate is None else lesson.rejected,
        worse=row.worse if lesson is row.lessons[-1] else None,
        weight=weight,
    )


def imitates_as_given(conversation: StoredConversation, lesson: Lesson) -> bool:
    """Return whether a lesson is to imitate the answer as it was given."""
    return lesson.teaching == "imitate" and lesson.imitate == conversation.messages[lesson.index]
