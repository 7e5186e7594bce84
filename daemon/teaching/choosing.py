"""Chooses the prompts that a teacher is asked to answer. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from daemon.domain.conversation import Message
from daemon.domain.lessons import LessonKind, LessonRules, lessons_of
from daemon.domain.records import StoredConversation
from daemon.domain.teaching import Asked
from daemon.domain.text_digest import normalized_words, text_digest

#: Calls that may fail, for reasons that may be the prompt's own, before it is given up.
_MOST_FAILURES = 3
#: Characters of a longer prompt would cost more than an answer is worth.
_MOST_CHARACTERS = 50_000
#: Prompts of which so large a share of the character trigrams is the same ask the same.
_SAME = 0.9
_ROLES = frozenset({"system", "user", "assistant"})
_WITHOUT_GOOD_ANSWER = (LessonKind.DISLIKED, LessonKind.UNJUDGED)

Trigrams = frozenset[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Untaught:
    """A conversation whose last answer is not good, or not known to be."""

    stored: StoredConversation
    disliked: bool
    new_topic: bool  # it came after the change that an alarm is about


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A prompt that a teacher might answer."""

    seq: int
    digest: str
    prompt: tuple[Message, ...]


def untaught(
    stored: Iterable[StoredConversation], rules: LessonRules, *, changed_from: int | None
) -> list[Untaught]:
    """Return the conversations that need a teacher, in the order in which to ask for them.

    Those since the change, from seq ``changed_from``, come first, then disliked answers; among equals each user's newest
    before anyone's second, so that one user's flood does not use up the budget.
    """
    found = [
        Untaught(
            stored=one,
            disliked=kind is LessonKind.DISLIKED,
            new_topic=changed_from is not None and one.seq >= changed_from,
        )
        for one in stored
        if (kind := _last_kind(one, rules)) in _WITHOUT_GOOD_ANSWER
    ]
    turn: Counter[str] = Counter()
    ranks: dict[int, int] = {}
    for one in sorted(found, key=lambda one: (not one.new_topic, not one.disliked, -one.stored.seq)):
        ranks[one.stored.seq] = turn[one.stored.group]
        turn[one.stored.group] += 1
    return sorted(
        found,
        key=lambda one: (not one.new_topic, not one.disliked, ranks[one.stored.seq], -one.stored.seq),
    )


def candidate_of(stored: StoredConversation) -> Candidate | None:
    """Return the prompt of the last answer; ``stored`` has its history. None: it can't be asked as plain turns.

    Tools and documents that a request offered are not shown to a teacher, so prompts with them are not asked.
    """
    prompt = (*(past.message for past in stored.history), *stored.messages[:-1])
    asked = bool(prompt) and prompt[-1].role == "user" and not stored.history_gone
    plain = not stored.tools and not stored.documents and all(map(_is_plain, prompt))
    if not asked or not plain or sum(len(message.content) for message in prompt) > _MOST_CHARACTERS:
        return None
    return Candidate(seq=stored.seq, digest=text_digest(prompt), prompt=prompt)


def choose(
    candidates: Iterable[Candidate],
    *,
    asked: Mapping[str, Asked],
    known: Iterable[Sequence[Message]],
    limit: int,
) -> list[Candidate]:
    """Return the first ``limit`` candidates to ask for, in their order, those that failed before last.

    None is chosen that was answered, that the model can't answer, or that asks the same as another or as one of ``known``,
    the prompts that have a teacher's answer.
    """
    taken = [trigrams(prompt) for prompt in known]
    chosen: list[tuple[int, int, Candidate]] = []
    digests: set[str] = set()
    for place, candidate in enumerate(candidates):
        before = asked.get(candidate.digest, Asked())
        over = before.answered or before.refused or before.failed >= _MOST_FAILURES
        if over or candidate.digest in digests:
            continue
        own = trigrams(candidate.prompt)
        if any(_same(own, other) for other in taken):
            continue
        taken.append(own)
        digests.add(candidate.digest)
        chosen.append((before.failed, place, candidate))
        if len(chosen) == limit:
            break
    return [candidate for _, _, candidate in sorted(chosen, key=lambda one: one[:2])]


def trigrams(prompt: Sequence[Message]) -> Trigrams:
    """Return the character trigrams of what users and assistants say, without case, width, spacing and punctuation."""
    spoken = [message for message in prompt if message.role != "system"]
    text = " ".join(_letters(normalized_words(spoken)))
    return frozenset(text[start : start + 3] for start in range(max(1, len(text) - 2)))


def _letters(turns: Iterable[Iterable[str]]) -> Iterator[str]:
    for turn in turns:
        for word in turn:
            if letters := "".join(letter for letter in word if letter.isalnum()):
                yield letters


def _same(one: Trigrams, other: Trigrams) -> bool:
    small, large = sorted((len(one), len(other)))
    if small < _SAME * large:
        return False
    common = len(one & other)
    return common >= _SAME * (small + large - common)


def _last_kind(stored: StoredConversation, rules: LessonRules) -> LessonKind | None:
    """Return what the last answer teaches; None where the record does not end with an answer to learn."""
    if not stored.messages or stored.messages[-1].role != "assistant":
        return None
    last = len(stored.messages) - 1
    lessons = lessons_of(stored.judged, rules)
    return next((lesson.kind for lesson in lessons if lesson.index == last), None)


def _is_plain(message: Message) -> bool:
    return message.role in _ROLES and not message.tool_calls and bool(message.content)
