"""Digests that recognise the turns of a conversation whose history is sent again.

Ids, reasoning and system prompts do not count: servers put the date into system prompts, and clients leave out the
reasoning of earlier answers. Runs of white space count as one space.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile

import orjson

from daemon.domain.conversation import JSON, Conversation, Message, ToolCall

_BYTES = 16
#: Of these, the bytes that are kept: as an integer, databases look them up and store them at the least cost.
_KEPT_BYTES = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """One turn of a conversation that is no system prompt. Digests are integers of 64 bits with a sign."""

    index: int  # of its message
    digest: int  # of this turn and all turns before it
    #: Of an answer: of it and the turns since the answer before it, whatever came earlier.
    exchange: int | None = None


def turns_of(messages: Iterable[Message]) -> tuple[Turn, ...]:
    """Return the turns of a conversation, in order."""
    turns: list[Turn] = []
    chained, since_answer = b"", b""
    for index, message in enumerate(messages):
        if message.role == "system":
            continue
        said = _said(message)
        chained = _digest(chained + said)
        since_answer += said
        answers = message.role == "assistant"
        exchange = _kept(_digest(since_answer)) if answers else None
        turns.append(Turn(index=index, digest=_kept(chained), exchange=exchange))
        if answers:
            since_answer = b""
    return tuple(turns)


def answered(turns: Sequence[Turn]) -> int:
    """Return the index of the first answer, or how many turns there are: those before it tell no chat from another."""
    for index, turn in enumerate(turns):
        if turn.exchange is not None:
            return index
    return len(turns)


def opening(messages: Sequence[Message], turns: Sequence[Turn]) -> int:
    """Return what tells a chat from others: the digest of its first question and answer, or of all where none answers."""
    asked = False
    for turn in turns:
        asked = asked or messages[turn.index].role == "user"
        if asked and turn.exchange is not None:
            return turn.digest
    return turns[-1].digest if turns else 0


def owner_of(user: str | None, session: str | None) -> int:
    """Return what a turn's digest is combined with (XOR), so that equal chats of two users or sessions are told apart."""
    owner = user or session
    return 0 if owner is None else _owner(owner)


def owners(user: str | None, session: str | None) -> tuple[int, ...]:
    """Return whom a record's turns may belong to: its user, its session, nobody."""
    if user is None:
        return (0,) if session is None else (_owner(session), 0)
    return (_owner(user), 0) if session is None else (_owner(user), _owner(session), 0)


@lru_cache(65_536)
def _owner(owner: str) -> int:
    return _kept(_digest(owner.encode()))


def system_prompt(messages: Iterable[Message]) -> tuple[str, ...]:
    """Return the system turns that come before all others."""
    return tuple([message.content for message in takewhile(_is_system, messages)])


def _is_system(message: Message) -> bool:
    return message.role == "system"


def request_digest(conversation: Conversation) -> int | None:
    """Return a digest of system prompt, tools and documents; None where there is none of them."""
    messages, tools, documents = conversation.messages, conversation.tools, conversation.documents
    if not (_is_system(messages[0]) or tools or documents):
        return None
    facts: list[JSON] = [system_prompt(messages), tools, documents]
    return _kept(_digest(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)))


def _said(message: Message) -> bytes:
    text = f"{message.role}\0{' '.join(message.content.split())}\0"
    if message.tool_calls:
        text += "".join(f"{call.name}\0{_arguments(call)}\0" for call in message.tool_calls)
    return text.encode(errors="surrogatepass")


def _arguments(call: ToolCall) -> str:
    """Return the arguments in one spelling, whatever their spacing and order; as they are where they are no JSON."""
    try:
        return orjson.dumps(orjson.loads(call.arguments), option=orjson.OPT_SORT_KEYS).decode()
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return call.arguments


def _digest(text: bytes) -> bytes:
    return hashlib.blake2b(text, digest_size=_BYTES).digest()


def _kept(digest: bytes) -> int:
    return int.from_bytes(digest[:_KEPT_BYTES], signed=True)
