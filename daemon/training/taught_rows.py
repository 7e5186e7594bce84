"""What the answers of stored conversations teach, and what of it a training set learns."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from daemon.config.lesson_rules import learned_kinds, lesson_rules
from daemon.config.settings import Settings
from daemon.domain.conversation import Message
from daemon.domain.lessons import (
    Lesson,
    LessonKind,
    lessons_of,
    main_kind,
)
from daemon.domain.records import StoredConversation
from daemon.domain.text_digest import text_digest


@dataclass(frozen=True, kw_only=True, slots=True)
class TaughtRow:
    """A conversation, and the lessons in it that a training set learns."""

    conversation: StoredConversation
    lessons: tuple[Lesson, ...]
    kind: LessonKind | None  # by which it counts, learned or not; None: it has no answer that may be learned
    worse: StoredConversation | None = (
        None  # whose answer its last one is preferred to, where another record brought it
    )

    @property
    def learned_messages(self) -> Sequence[Message]:
        """Its messages with the answers that are learned in the place of those that were given."""
        messages = self.conversation.messages
        instead = {
            lesson.index: lesson.imitate
            for lesson in self.lessons
            if lesson.imitate not in (None, messages[lesson.index])
        }
        if not instead:
            return messages
        return [instead.get(index) or message for index, message in enumerate(messages)]

    @property
    def learned_digest(self) -> str:
        """The text digest of its messages as they are learned."""
        learned = self.learned_messages
        same = learned is self.conversation.messages
        return self.conversation.text_digest if same else text_digest(learned)

    def with_history(self, conversation: StoredConversation) -> "TaughtRow":
        """Return the same with the conversation as it is with its history."""
        return replace(self, conversation=conversation)


class LessonReader:
    """Reads what conversations teach, by the settings."""

    def __init__(self, settings: Settings) -> None:
        self._rules = lesson_rules(settings)
        self._kinds = learned_kinds(settings)

    def new(self, conversation: StoredConversation) -> TaughtRow:
        """Return what a new conversation teaches: lessons of the kinds that the method learns from."""
        lessons = self._lessons(conversation)
        learned = tuple(lesson for lesson in lessons if lesson.kind in self._kinds)
        return TaughtRow(conversation=conversation, lessons=learned, kind=main_kind(learned or lessons))

    def replayed(self, conversation: StoredConversation) -> TaughtRow:
        """Return what an earlier conversation teaches: as replay, own answers that nobody judged are imitated, too."""
        lessons = self._lessons(conversation)
        imitated = (
            replace(lesson, imitate=conversation.messages[lesson.index])
            if lesson.kind is LessonKind.UNJUDGED
            else lesson
            for lesson in lessons
        )
        learned = tuple(lesson for lesson in imitated if lesson.imitate is not None)
        return TaughtRow(conversation=conversation, lessons=learned, kind=main_kind(learned or lessons))

    def _lessons(self, conversation: StoredConversation) -> tuple[Lesson, ...]:
        return lessons_of(conversation.judged, self._rules)
