"""Reads the conversations for the benchmark from files and packages."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from daemon.demo.data import chinese_questions, chit_chat, knowledge_questions
from daemon.domain.conversation import Conversation
from daemon.domain.errors import DaemonError
from daemon.intake.conversation_file import FILE_LIMITS, FileConversation, read_conversations
from monitors.bench.populations import Population, Source, populations_of
from monitors.types import Sample, Turn

#: Fewest conversations in a regime; a stream would repeat fewer too often.
_FEWEST = 20
#: Intents per regime, in alphabetical order, for a file with intents instead of domains.
_INTENTS = 7


class NothingToChange(DaemonError):
    """The conversations form a single regime, so a stream can't change."""


def load_populations(files: Sequence[Path], *, packages: bool, now: datetime) -> tuple[Population, ...]:
    """Read everything. Raises ConversationFileError, DemoDataMissing, NothingToChange."""
    sources = [file_source(path, now) for path in files]
    if packages:
        sources += [small_talk_source(), chinese_source(now)]
    populations = populations_of(sources)
    if not populations:
        named = ", ".join(str(path) for path in files)
        raise NothingToChange(
            f"{named}: fewer than two domains with {_FEWEST} conversations or more; give a file whose lines have "
            '"domain" (or labels.intent), or one more file in another script'
        )
    return populations


def file_source(path: Path, now: datetime) -> Source:
    """Return the domains of a file as regimes, or blocks of intents if it has a single domain."""
    lines = list(read_conversations(path, limits=FILE_LIMITS, received_at=now))
    domains = _regimes((line.regime or "none", line.conversation) for line in lines)
    if len(domains) < 2 and (intents := sorted({i for line in lines if (i := _intent(line))})):
        blocks = {name: intents[n // _INTENTS * _INTENTS] for n, name in enumerate(intents)}
        domains = _regimes(
            (f"{blocks[intent]} ...", line.conversation) for line in lines if (intent := _intent(line))
        )
    return Source(name=path.name.split(".")[0], regimes=domains)


def small_talk_source() -> Source:
    """Chit-chat and knowledge questions. Raises DemoDataMissing."""
    conversations = [("small talk", conversation) for conversation in chit_chat()] + [
        ("questions", q) for q in knowledge_questions()
    ]
    return Source(name="chit-chat", regimes=_regimes(conversations))


def chinese_source(now: datetime) -> Source:
    """Chinese questions. Raises DemoDataMissing."""
    found = chinese_questions(now)
    return Source(
        name="chatterbot-corpus zh",
        regimes=_regimes((str(conversation.metadata["domain"]), conversation) for conversation in found),
    )


def _regimes(named: Iterable[tuple[str, Conversation]]) -> dict[str, tuple[Sample, ...]]:
    found: dict[str, list[Sample]] = {}
    for name, conversation in named:
        found.setdefault(name, []).append(_sample(conversation))
    return {name: tuple(samples) for name, samples in found.items() if len(samples) >= _FEWEST}


def _sample(conversation: Conversation) -> Sample:
    """Return what detectors see, without replies that are only the label of the question."""
    labels = conversation.metadata.get("labels")
    is_label = isinstance(labels, dict) and labels.get("assistant_is_label") is True
    return Sample(
        id=conversation.conversation_id,
        group=conversation.user_id or conversation.conversation_id,
        at=conversation.at,
        turns=tuple(
            Turn(role=message.role, content=message.content)
            for message in conversation.messages
            if not (is_label and message.role == "assistant")
        ),
    )


def _intent(line: FileConversation) -> str | None:
    labels = line.conversation.metadata.get("labels")
    intent = labels.get("intent") if isinstance(labels, dict) else None
    return intent if isinstance(intent, str) else None
