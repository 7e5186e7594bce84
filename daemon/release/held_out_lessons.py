"""What held-out conversations teach: the texts that both versions are scored on, and the prompts that they answer. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from daemon.domain.conversation import Message
from daemon.domain.lessons import Lesson, LessonRules, lessons_of
from daemon.domain.records import StoredConversation
from daemon.ledger.lesson_scores import LessonPart, ScoredPart
from daemon.release.answers.checks import Expected
from daemon.scoring.prompts import learners_messages
from learners.codec import CONVERSATIONS
from learners.types import Conversation


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldOutLesson:
    """What one held-out conversation, or the turns that one record added to it, teaches."""

    seq: int
    conversation_id: str
    group: str  # lessons of one group are dependent
    #: What is scored: the conversation with its good answers alone as targets; of a pair also both answers.
    texts: Mapping[LessonPart, ScoredPart]
    conversations: Mapping[ScoredPart, Conversation]
    prompt: tuple[Message, ...]  # that its last good answer answers
    good: Message  # its last good answer
    question: Conversation | None  # the prompt for the scorer; None: what came before is no longer stored
    expected: Expected

    def with_texts(self, added: Mapping[LessonPart, Conversation]) -> "HeldOutLesson":
        """Return the lesson with texts of other parts. Equal texts are scored once."""
        texts, conversations = dict(self.texts), dict(self.conversations)
        known = {text_digest(text): part for part, text in conversations.items()}
        for part, text in added.items():
            digest = text_digest(text)
            if digest not in known:
                known[digest] = ScoredPart(seq=self.seq, part=part, digest=digest)
                conversations[known[digest]] = text
            texts[part] = known[digest]
        return replace(self, texts=texts, conversations=conversations)


def held_out_lesson(stored: StoredConversation, rules: LessonRules) -> HeldOutLesson | None:
    """Return what a conversation, which comes with its history, teaches; None where it has no answer to imitate."""
    lessons = {one.index: one for one in lessons_of(stored.judged, rules) if one.imitate is not None}
    if not lessons:
        return None
    last = lessons[max(lessons)]
    good = _good_answer(last)
    history = [past.message for past in stored.history]
    prompt = (*history, *stored.messages[: last.index])
    lesson = HeldOutLesson(
        seq=stored.seq,
        conversation_id=stored.conversation_id,
        group=stored.group,
        texts={},
        conversations={},
        prompt=prompt,
        good=good,
        question=None if stored.history_gone else _conversation(stored, "question", prompt),
        expected=Expected(
            prompt=next((one.content for one in reversed(prompt) if one.role == "user"), ""),
            good=good.content,
            calls_tools=bool(good.tool_calls),
            tools=stored.tools,
        ),
    )
    return lesson.with_texts(_texts(stored, lessons, prompt, good))


def _texts(
    stored: StoredConversation, lessons: Mapping[int, Lesson], prompt: Sequence[Message], good: Message
) -> dict[LessonPart, Conversation]:
    """Return which texts are scored."""
    last = lessons[max(lessons)]
    targets = {LessonPart.LESSON: _lesson_messages(stored, lessons, good)}
    if last.rejected is not None:
        targets[LessonPart.BETTER] = [*unlearned(prompt), good]
        targets[LessonPart.WORSE] = [*unlearned(prompt), replace(last.rejected, learned=True)]
    return {part: _conversation(stored, part, messages) for part, messages in targets.items()}


def _lesson_messages(
    stored: StoredConversation, lessons: Mapping[int, Lesson], good: Message
) -> list[Message]:
    """Return the conversation with its good answers alone as targets; another answer than the given one ends it."""
    last = max(lessons)
    history = unlearned([past.message for past in stored.history])
    own = [
        message if index in lessons else replace(message, learned=False)
        for index, message in enumerate(stored.messages)
    ]
    given = stored.messages[last]
    return [*history, *own] if given == good else [*history, *own[:last], good]


def _good_answer(lesson: Lesson) -> Message:
    if lesson.imitate is None:
        raise ValueError("the lesson has no answer to imitate")
    return replace(lesson.imitate, learned=True)


def unlearned(messages: Sequence[Message]) -> list[Message]:
    """Return messages none of which is a target."""
    return [replace(message, learned=False) for message in messages]


def _conversation(stored: StoredConversation, name: str, messages: Sequence[Message]) -> Conversation:
    return Conversation(
        id=f"{stored.seq} {name}",
        messages=learners_messages(messages),
        tools=stored.tools,
        documents=stored.documents,
    )


def text_digest(conversation: Conversation) -> str:
    """Return a digest of what is scored, whatever its id."""
    return hashlib.sha256(CONVERSATIONS.dump_json([replace(conversation, id="-")])).hexdigest()
