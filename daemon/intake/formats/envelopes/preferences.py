"""Rows of preference files: a prompt, the answer that people chose, and the one that they rejected."""

import re
from collections.abc import Sequence

from daemon.domain.bad_record import BadRecord, NoConversation
from daemon.domain.conversation import JSON, Message, Record
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.calls.bare import read_bare_answer, read_bare_request
from daemon.intake.formats.calls.openai_chat import read_request
from daemon.intake.formats.calls.types import Request
from daemon.intake.formats.dialects import alpaca
from daemon.intake.formats.dialects.content import Content
from daemon.intake.formats.dialects.messages import read_message, read_messages, read_system
from daemon.intake.formats.dialects.tools import tool_definitions
from daemon.intake.formats.dialects.turns import assistant_turn, plain_turn
from daemon.intake.formats.envelopes.rows import as_context
from daemon.intake.formats.reading import Reading
from daemon.intake.formats.row import conversation_of_row

#: The metadata field that keeps a rejected answer that can not be read as an answer to the same prompt.
REJECTED = "retuned.rejected"
_READ = frozenset(
    {
        "prompt",
        "input",
        "instruction",
        "question",
        "query",
        "conversations",
        "messages",
        "system",
        "chosen",
        "rejected",
        "preferred_output",
        "non_preferred_output",
        "tools",
    }
)


class PreferencesFormat:
    """``prompt``, ``chosen`` and ``rejected`` as TRL has them, or OpenAI's ``input`` and ``preferred_output``."""

    name = "preferences"

    def recognises(self, record: Object) -> bool:
        """Return whether a record has a chosen answer."""
        return "chosen" in record or "preferred_output" in record

    def decode(self, record: Object, reading: Reading) -> Sequence[Record]:
        """Return the conversation that ends with the chosen answer, which alone is a target. Raises BadRecord, NoConversation."""
        name, rejected = (
            ("chosen", "rejected") if "chosen" in record else ("preferred_output", "non_preferred_output")
        )
        asked = _asked(record, reading)
        chosen = _chosen(record[name], name, reading, asked=asked.turns)
        row = Request(turns=chosen, tools=asked.tools)
        worse = _rejected(record.get(rejected), rejected, reading, asked=asked.turns, chosen=chosen)
        unread = worse is None and record.get(rejected) not in (None, record[name])
        kept: dict[str, JSON] = {REJECTED: record[rejected]} if unread else {}
        return (conversation_of_row(record, row, _READ, reading, at=name, rejected=worse, kept=kept),)


def _asked(record: Object, reading: Reading) -> Request:
    tools = tool_definitions(record.get("tools"), "tools")
    if "instruction" in record:
        return Request(turns=tuple(alpaca.asked(record, reading)), tools=tools)
    name = next((name for name in _PROMPTS if record.get(name) is not None), None)
    if name is None:
        return Request(turns=(), tools=tools)
    prompt = record[name]
    if isinstance(prompt, dict) and "messages" in prompt:
        return read_request(prompt, f"{name}.", reading)
    system = read_system(record.get("system"), "system", reading)
    return Request(turns=(*system, *read_bare_request(prompt, name, reading).turns), tools=tools)


#: Where the files of different makers have the prompt.
_PROMPTS = ("prompt", "input", "question", "query", "conversations", "messages")


def _chosen(value: JSON, at: str, reading: Reading, *, asked: tuple[Message, ...]) -> tuple[Message, ...]:
    """Return prompt and answer. The answer may be the whole conversation, as some files repeat the prompt in it."""
    if isinstance(value, list):
        turns = read_messages(value, at, reading)
        if turns and turns[0].role in ("system", "user"):
            return (*as_context(turns[:-1]), turns[-1])
        return (*as_context(asked), *turns)
    if isinstance(value, str) and not asked and (said := _speeches(value)):
        turns = [turn for role, text in said for turn in _turn(role, text, at, reading)]
        return (*as_context(turns[:-1]), *turns[-1:])
    if isinstance(value, dict):
        return (*as_context(asked), *read_message(value, at, reading))
    return (*as_context(asked), *read_bare_answer(value, at, reading).turns)


def _rejected(
    value: JSON, at: str, reading: Reading, *, asked: tuple[Message, ...], chosen: tuple[Message, ...]
) -> Message | None:
    """Return the rejected answer, where it answers the same prompt as the chosen one and differs from it."""
    if value is None:
        return None
    try:
        turns = _chosen(value, at, reading, asked=asked)
    except (BadRecord, NoConversation):
        return None
    if not turns or turns[-1].role != "assistant" or turns[:-1] != chosen[:-1] or turns[-1] == chosen[-1]:
        return None
    return turns[-1]


def _speeches(text: str) -> list[tuple[str, str]]:
    """Return the speeches of a dialogue in one text, as in Anthropic's HH; none if it is no such text."""
    parts = _SPEAKER.split(text)
    return list(zip(parts[1::2], parts[2::2], strict=True)) if not parts[0].strip() else []


def _turn(role: str, text: str, at: str, reading: Reading) -> list[Message]:
    if role == "Human":
        return plain_turn("user", text.strip(), at, reading)
    return assistant_turn(Content(texts=[text.strip()]), at, reading)


_SPEAKER = re.compile(r"(?:\A|\n\n)(Human|Assistant):")
