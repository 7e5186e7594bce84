"""Reads lists of messages, each in the dialect that it is written in."""

from daemon.domain.bad_record import BadRecord, Reason
from daemon.domain.conversation import JSON, Message
from daemon.intake import decoding_fields as fields
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.dialects import anthropic, chat_message, otel_parts, responses_items, sharegpt
from daemon.intake.formats.dialects.content import read_content
from daemon.intake.formats.dialects.roles import SPEAKERS, role_of
from daemon.intake.formats.dialects.turns import is_plain, plain_turn
from daemon.intake.formats.dialects.types import MessageDialect
from daemon.intake.formats.reading import Reading

#: In the order in which they are tried; the last reads whatever no other does.
DIALECTS: tuple[MessageDialect, ...] = (responses_items, otel_parts, sharegpt, anthropic, chat_message)


def read_messages(value: JSON, at: str, reading: Reading) -> list[Message]:
    """Return the turns of a list of messages. Raises BadRecord, NoConversation."""
    if not isinstance(value, list):
        raise BadRecord(Reason.BAD_FIELD, at, f"must be a list, not {fields.kind(value)}")
    if len(value) > reading.limits.messages:
        raise BadRecord(
            Reason.OVER_LIMIT, at, f"has {len(value)} messages; allowed are {reading.limits.messages}"
        )
    turns: list[Message] = []
    longest = reading.limits.message_chars
    for index, message in enumerate(value):
        # The shortcut, which nearly all messages take: a role and a text.
        if isinstance(message, dict) and len(message) == 2:
            role, content = message.get("role"), message.get("content")
            if isinstance(role, str) and isinstance(content, str) and is_plain(content, longest):
                known = SPEAKERS.get(role)
                if known is not None:
                    turns.append(Message(role=known, content=content))
                    continue
        if message is not None:
            turns.extend(read_message(message, f"{at}[{index}]", reading))
    return turns


def read_answer_message(message: Object, at: str, reading: Reading) -> list[Message]:
    """Return the turns of a message that answers; its role may be left out. Raises BadRecord, NoConversation."""
    role = message.get("role")
    if role not in ("assistant", None) and role_of(role, f"{at}.role") != "assistant":
        raise BadRecord(Reason.BAD_FIELD, f"{at}.role", "must be assistant")
    content = message.get("content")
    longest = reading.limits.message_chars
    if isinstance(content, str) and message.keys() <= _PLAIN_ANSWER and is_plain(content, longest):
        return [Message(role="assistant", content=content)]
    return read_message({**message, "role": "assistant"}, at, reading)


_PLAIN_ANSWER = frozenset({"role", "content"})


def read_message(message: JSON, at: str, reading: Reading) -> list[Message]:
    """Return the turns of one message. Raises BadRecord, NoConversation."""
    if not isinstance(message, dict):
        raise BadRecord(Reason.BAD_FIELD, at, f"must be an object, not {fields.kind(message)}")
    dialect = next(dialect for dialect in DIALECTS if dialect.writes(message))
    return list(dialect.read(message, at, reading))


def read_system(value: JSON, at: str, reading: Reading) -> list[Message]:
    """Return the system turn of a prompt that stands beside the messages. Raises BadRecord, NoConversation."""
    return plain_turn("system", read_content(value, at, reading).text(), at, reading)
