"""Finds pairs of answers that two records brought to one prompt, of which users liked one and disliked the other."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

import orjson

from daemon.domain.conversation import Message
from daemon.domain.lessons import Lesson, LessonKind, LessonRules, lessons_of, preferred
from daemon.domain.message_json import message_documents
from daemon.domain.records import StoredConversation
from daemon.domain.turns import turns_of

#: What the model was given before an answer, and what it said.
_Prompt: TypeAlias = tuple[int, bytes]
_Answer: TypeAlias = bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerPair:
    """Two answers to one prompt. A line that learns the lesson holds what both records brought."""

    better: StoredConversation
    worse: StoredConversation
    lesson: Lesson  # of the last answer of ``better``


def answer_pairs(conversations: Iterable[StoredConversation], rules: LessonRules) -> list[AnswerPair]:
    """Return pairs among the last answers of conversations, which come with their histories, in order of seq.

    A prompt is the same if all turns before the answer, tools and documents are. Equal answers count as one, liked or
    disliked by the sum of their opinions, so that one user alone does not overrule many. Each liked answer makes one pair,
    on the newest conversation that has it; disliked ones take turns.
    """
    prompts: dict[_Prompt, dict[_Answer, _Opinions]] = {}
    for one in sorted(conversations, key=lambda conversation: conversation.seq):
        if not one.history_gone and (judged := _judged(one, rules)) is not None:
            prompt, answer = _prompt(one, judged.lesson), _answer(one.messages[judged.lesson.index])
            prompts.setdefault(prompt, {}).setdefault(answer, _Opinions()).add(judged)
    pairs = [pair for answers in prompts.values() for pair in _pairs(answers.values())]
    return sorted(pairs, key=lambda pair: pair.better.seq)


@dataclass(frozen=True, slots=True)
class _Judged:
    """A conversation whose last answer users liked or disliked, and what it teaches."""

    conversation: StoredConversation
    lesson: Lesson
    likes: bool


@dataclass(slots=True)
class _Opinions:
    """What users think of one answer to one prompt."""

    balance: int = 0  # likes minus dislikes
    newest: dict[bool, _Judged] = field(default_factory=dict)  # by whether the user likes it

    def add(self, judged: _Judged) -> None:
        self.balance += 1 if judged.likes else -1
        self.newest[judged.likes] = judged


def _judged(conversation: StoredConversation, rules: LessonRules) -> _Judged | None:
    lessons = lessons_of(conversation.judged, rules)
    if not lessons:
        return None
    last = lessons[-1]
    if last.kind is LessonKind.DISLIKED:
        return _Judged(conversation, last, likes=False)
    liked = last.teaching == "imitate" and last.imitate == conversation.messages[last.index]
    return _Judged(conversation, last, likes=True) if liked and rules.likes(conversation.feedback) else None


def _prompt(conversation: StoredConversation, lesson: Lesson) -> _Prompt:
    before = [past.message for past in conversation.history]
    before += conversation.messages[: lesson.index]
    turns = turns_of(before)
    request = orjson.dumps((conversation.tools, conversation.documents))
    return turns[-1].digest if turns else 0, request


def _answer(message: Message) -> _Answer:
    """Return what tells answers apart: their words and calls."""
    said = Message(role="assistant", content=message.content.strip(), tool_calls=message.tool_calls)
    return orjson.dumps(message_documents([said]))


def _pairs(answers: Iterable[_Opinions]) -> list[AnswerPair]:
    known = list(answers)
    liked = [one.newest[True] for one in known if one.balance > 0]
    disliked = [one.newest[False] for one in known if one.balance < 0]
    if not disliked:
        return []
    return [
        AnswerPair(
            better=better.conversation,
            worse=worse.conversation,
            lesson=preferred(better.lesson, worse.lesson),
        )
        for number, better in enumerate(liked)
        for worse in [disliked[number % len(disliked)]]
    ]
