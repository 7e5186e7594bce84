"""Reads lists of messages, each in the dialect that it is written in."""

from collections.abc import Mapping, Sequence

from daemon.domain.bad_record import BadRecord, Reason
from daemon.domain.conversation import JSON, Message
from daemon.intake import decoding_fields as fields
from daemon.intake.formats.dialects import anthropic, chat_message, otel_parts, responses_items, sharegpt
from daemon.intake.formats.dialects.content import checked_text, read_content
from daemon.intake.formats.dialects.roles import ROLES
from daemon.intake.formats.dialects.turns import is_redacted, plain_turn
from daemon.intake.formats.dialects.types import MessageDialect
from daemon.intake.formats.reading import Reading

#: In the order in which they are tried; the last reads whatever no other does.
DIALECTS: tuple[MessageDialect, ...] = (responses_items, otel_parts, sharegpt, anthropic, chat_message)


def read_messages(value: JSON, at: str, reading: Reading) -> list[Message]:
    """Return the turns of a list of messages. Raises BadRecord, NoConversation."""
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence):
        raise BadRecord(Reason.BAD_FIELD, at, f"must be a list, not {fields.kind(value)}")
    if len(value) > reading.limits.messages:
        raise BadRecord(
            Reason.OVER_LIMIT, at, f"has {len(value)} messages; allowed are {reading.limits.messages}"
        )
    turns: list[Message] = []
    for index, message in enumerate(value):
        plain = _plain(message, at, index, reading)
        if plain is None:
            turns.extend(read_message(message, f"{at}[{index}]", reading))
        elif plain.content:
            turns.append(plain)
    return turns


def read_message(message: JSON, at: str, reading: Reading) -> list[Message]:
    """Return the turns of one message. Raises BadRecord, NoConversation."""
    if not isinstance(message, Mapping):
        raise BadRecord(Reason.BAD_FIELD, at, f"must be an object, not {fields.kind(message)}")
    dialect = next(dialect for dialect in DIALECTS if dialect.writes(message))
    return list(dialect.read(message, at, reading))


def read_system(value: JSON, at: str, reading: Reading) -> list[Message]:
    """Return the system turn of a prompt that stands beside the messages. Raises BadRecord, NoConversation."""
    return plain_turn("system", read_content(value, at, reading).text(), at, reading)


def _plain(message: JSON, at: str, index: int, reading: Reading) -> Message | None:
    """Read a message that has a role and a text only, as nearly all have; None if it has more."""
    if not isinstance(message, dict) or len(message) != 2:
        return None
    role, content = message.get("role"), message.get("content")
    known = ROLES.get(role) if isinstance(role, str) else None
    if known is None or known == "tool" or not isinstance(content, str):
        return None
    if (known == "assistant" and "think>" in content) or is_redacted(content):
        return None
    return Message(role=known, content=checked_text(content, f"{at}[{index}].content", reading))
