"""Conversations as they should have gone: what the live version's loss is measured on."""

import re
from collections.abc import Iterable
from dataclasses import replace

from daemon.domain.lessons import Lesson, LessonKind, LessonRules, lessons_of
from daemon.domain.records import StoredConversation


def imitable(conversation: StoredConversation, rules: LessonRules, *, live: str) -> StoredConversation | None:
    """Return a conversation with the answers to imitate as its only targets, corrected ones in place of the originals.

    None: it has no answer that the loss of the live version says something about. Own answers that nobody judged or that
    users disliked are none; nor are those that the live version gave and users liked, as its loss on its own words is low
    whatever it knows.
    """
    spoke = speaks_for(live, conversation.version, rules)
    lessons = lessons_of(conversation.judged, rules)
    return _as_taught(conversation, [one for one in lessons if not (spoke and _own_words(one))])


def taught(conversation: StoredConversation, rules: LessonRules) -> StoredConversation | None:
    """Return a conversation with the answers to imitate as its only targets; None if it has none."""
    return _as_taught(conversation, lessons_of(conversation.judged, rules))


def _as_taught(conversation: StoredConversation, lessons: Iterable[Lesson]) -> StoredConversation | None:
    answers = {lesson.index: lesson.imitate for lesson in lessons if lesson.imitate is not None}
    if not answers:
        return None
    messages = tuple(
        answers.get(index) or (replace(message, learned=False) if message.role == "assistant" else message)
        for index, message in enumerate(conversation.messages)
    )
    return replace(conversation, messages=messages)


def speaks_for(live: str, version: str | None, rules: LessonRules) -> bool:
    """Return whether the answers of a record that names ``version`` are the live version's.

    They are where it is named, and where the record has a name of the model that says nothing about the version.
    """
    if version == live:
        return True
    numbered = version is not None and re.fullmatch(rf"{re.escape(rules.model_line)}-v[0-9]+", version)
    return rules.owns(version) and not numbered


def _own_words(lesson: Lesson) -> bool:
    """Return whether a lesson imitates an answer of the model itself."""
    return lesson.kind is LessonKind.LIKED
