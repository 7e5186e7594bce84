"""Chooses the conversations that the demo replays: one regime, then another."""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from daemon.demo.data import chit_chat
from daemon.demo.errors import BadOptions
from daemon.demo.options import DemoOptions
from daemon.demo.sizes import Sizes, fit
from daemon.domain.conversation import Conversation
from daemon.intake.conversation_file import FILE_LIMITS, FileConversation, read_conversations

#: Of a chat in the demo's own story: longer ones take longer to score and teach no more.
_CHAT_CHARS = 400
_CHATS_A_USER = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Regime:
    """Conversations about the same things, in the order in which they are replayed."""

    name: str
    source: str
    conversations: tuple[Conversation, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """The stream of a demo: the regime before the change, then the regime after it."""

    first: Regime
    second: Regime
    sizes: Sizes

    @property
    def stream(self) -> tuple[Conversation, ...]:
        """All conversations, in order."""
        return self.first.conversations + self.second.conversations


def choose(options: DemoOptions, *, now: datetime) -> Change:
    """Load the two regimes of a file and take as many conversations of each as the demo needs, shuffled by the seed.

    Raises BadOptions, NotEnoughConversations, ConversationFileError.
    """
    if options.data is None or options.domains is None:
        raise BadOptions("--data FILE and --regimes A,B name what is replayed")
    first, second = _of_file(options.data, options.domains, options.seed, now)
    return cut(first, second, max_chars=options.max_chars)


def chats(options: DemoOptions) -> Regime:
    """Load short conversations between people, few of each user, shuffled by the seed. Raises DemoDataMissing.

    The gate's bounds are as wide as its users are few.
    """
    chosen: list[Conversation] = []
    users: Counter[str | None] = Counter()
    for chat in chit_chat(order="shuffled", seed=options.seed):
        if _usable(chat, min(options.max_chars, _CHAT_CHARS)) and users[chat.user_id] < _CHATS_A_USER:
            users[chat.user_id] += 1
            chosen.append(chat)
    return Regime(
        name="chit-chat",
        source="chitchat-dataset (human conversations)",
        conversations=tuple(chosen),
    )


def cut(first: Regime, second: Regime, *, max_chars: int) -> Change:
    """Drop long conversations, which bounds the duration, and take as many of the rest as fit.

    Raises NotEnoughConversations.
    """
    short = [
        [conversation for conversation in regime.conversations if _usable(conversation, max_chars)]
        for regime in (first, second)
    ]
    sizes = fit(*(len(conversations) for conversations in short))
    return Change(
        first=_with(first, short[0][: sizes.before]),
        second=_with(second, short[1][: sizes.after]),
        sizes=sizes,
    )


def _of_file(
    path: Path, domains: tuple[frozenset[str], frozenset[str]], seed: int, now: datetime
) -> tuple[Regime, Regime]:
    lines = list(read_conversations(path, limits=FILE_LIMITS, received_at=now))
    available = Counter(line.regime for line in lines if line.regime is not None)
    if missing := sorted(frozenset().union(*domains) - available.keys()):
        known = ", ".join(f"{name} ({count})" for name, count in available.most_common()) or "none at all"
        raise BadOptions(f"{path} has no domain {', '.join(missing)}; there are: {known}")
    first, second = (
        Regime(name="+".join(sorted(side)), source=path.name, conversations=_shuffled(lines, side, seed))
        for side in domains
    )
    return first, second


def _shuffled(
    lines: Sequence[FileConversation], domains: frozenset[str], seed: int
) -> tuple[Conversation, ...]:
    conversations = [line.conversation for line in lines if line.regime in domains]
    random.Random(seed).shuffle(conversations)  # noqa: S311 - not a secret
    return tuple(conversations)


def _usable(conversation: Conversation, max_chars: int) -> bool:
    answered = any(message.role == "assistant" for message in conversation.messages)
    return answered and sum(len(message.content) for message in conversation.messages) <= max_chars


def _with(regime: Regime, conversations: Iterable[Conversation]) -> Regime:
    return Regime(name=regime.name, source=regime.source, conversations=tuple(conversations))
